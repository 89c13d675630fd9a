#!/usr/bin/python3
"""count_messages.py BOOTSTRAP TOPIC…: how many messages the brokers took, a line a topic."""
import sys

from confluent_kafka import Consumer, TopicPartition


def main():
    consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "count", "log_level": 4})
    for topic in sys.argv[2:]:
        partitions = consumer.list_topics(topic, timeout=60).topics[topic].partitions
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=60)[1]
                for p in partitions]
        print(topic, sum(ends))
    consumer.close()


main()
