#!/usr/bin/python3
"""kafka_producer.py BOOTSTRAP LOG CODEC [MESSAGES]: librdkafka (Debian's python3-confluent-kafka),
two threads that produce, batches of up to 1 MB, or of so many messages."""
import sys
import threading

from confluent_kafka import Producer

MESSAGES = 120000
SIZE = 1000
THREADS = 2

delivered = [0, 0]


def on_delivery(error, _message):
    delivered[1 if error else 0] += 1


def send(producer, log, thread):
    for i in range(MESSAGES // THREADS):
        start = (i * 102947 + thread * 104729) % (len(log) - SIZE)
        while True:
            try:
                producer.produce(f"topic{i % 2}", log[start:start + SIZE], on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.05)
        if i % 256 == 0:
            producer.poll(0)


def main():
    bootstrap, log, codec = sys.argv[1:4]
    batch = int(sys.argv[4]) if len(sys.argv) > 4 else 10000
    producer = Producer({
        "bootstrap.servers": bootstrap, "compression.codec": codec, "linger.ms": 50,
        "batch.num.messages": batch, "batch.size": 1000000,
        "queue.buffering.max.messages": 1000000, "queue.buffering.max.kbytes": 1048576})
    log = open(log, "rb").read(32 << 20)
    threads = [threading.Thread(target=send, args=(producer, log, t)) for t in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    producer.flush(60)
    print("delivered", delivered[0], "failed", delivered[1])


main()
