#!/usr/bin/python3
"""brokers.py FILE: hosts librdkafka's mock cluster, so that the program under test has only the
producer in it. Writes the bootstrap servers to FILE; ends when its standard input does."""
import os
import sys

from confluent_kafka import Producer


def main():
    host = Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 3, "log_level": 4})
    brokers = host.list_topics(timeout=60).brokers.values()
    with open(sys.argv[1] + ".new", "w") as out:
        out.write(",".join(f"{b.host}:{b.port}" for b in brokers))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    sys.stdin.read()


main()
