#!/usr/bin/python3 -B
"""Does watching a producer slow it down? One librdkafka producer runs at full speed under squall,
squall top and squall live --json read it ten times a second; they are stopped (they, not the
producer) and go on in turns, a third of a second each, as its speed drifts by more than what is
looked for. Each pair of turns gives a ratio of messages delivered per second. Beside it: what a
message cost the producer in processor time, and what the watchers took of a processor.

    tools/bench/watched.py [PAIRS]        80 by default: a minute"""
import fcntl
import math
import os
import pty
import signal
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time

from measure import Place

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.realpath(os.environ.get("BUILD", f"{HERE}/../../build"))
EVERY = "100ms"
TURN = 0.34
SETTLE = 2  # the producer gets up to speed, the watchers read the symbols of all modules


def build(place):
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "rdkafka"], text=True)
    subprocess.run(["cc", "-O2", "-g", f"{HERE}/steady.c", "-o", f"{place.programs}/steady",
                    "-pthread", *flags.split()], check=True)


class Producer:
    """Runs; `told` are its lines, newest last."""

    def __init__(self, place, folder):
        environment = {**os.environ, "LD_PRELOAD": f"{BUILD}/libsquall.so", "SQUALL_DIR": folder}
        self.process = subprocess.Popen([f"{place.programs}/steady"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=environment)
        self.told = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.told.append(tuple(map(int, line.split())))

    def turn(self):
        """Messages per second and processor time per message, over whole intervals."""
        first = len(self.told)
        time.sleep(TURN)
        # On a machine that is busy elsewhere a turn may bring too few lines, or not one message.
        while len(self.told) < first + 3 or self.told[-1][1] == self.told[first][1]:
            time.sleep(0.02)
        a, b = self.told[first], self.told[-1]
        return (b[1] - a[1]) / (b[0] - a[0]) * 1e9, (b[2] - a[2]) / (b[1] - a[1])


def drain(descriptor):
    try:
        while os.read(descriptor, 65536):
            pass
    except OSError:
        pass


class Watchers:
    """squall top on a terminal of its own and squall live --json."""

    def __init__(self, pid):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        words = [f"{BUILD}/squall", "top", str(pid), "--every", EVERY]
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        top = subprocess.Popen(words, stdin=slave, stdout=slave, env=environment,
                               stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(slave)
        live = subprocess.Popen([f"{BUILD}/squall", "live", str(pid), "--json", "--every", EVERY],
                                stdout=subprocess.DEVNULL)
        threading.Thread(target=drain, args=(master,), daemon=True).start()
        self.master, self.all = master, {"top": top, "live": live}

    def signal(self, number):
        for process in self.all.values():
            process.send_signal(number)

    def cpu(self):
        """Seconds of processor time so far, by name."""
        sums = {}
        for name, process in self.all.items():
            with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            sums[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return sums

    def end(self):
        """Fails when one of them has not watched to the end."""
        for name, process in self.all.items():
            if process.poll() is not None:
                raise SystemExit(f"watched: squall {name} ended too early: {process.returncode}")
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        for process in self.all.values():
            process.wait()
        os.close(self.master)


def measure(producer, pairs):
    """By how much a watched turn was faster and a message dearer, as logarithms: the mean of ratios
    that scatter would always be above 1. And percent of a processor."""
    speed, cost = [], []
    watchers = Watchers(producer.process.pid)
    time.sleep(SETTLE)
    before = watchers.cpu()
    for i in range(pairs):
        turns = {}
        for kind in ("alone", "watched") if i % 2 == 0 else ("watched", "alone"):
            watchers.signal(signal.SIGSTOP if kind == "alone" else signal.SIGCONT)
            turns[kind] = producer.turn()
        speed.append(math.log(turns["watched"][0] / turns["alone"][0]))
        cost.append(math.log(turns["watched"][1] / turns["alone"][1]))
    after = watchers.cpu()
    watchers.end()
    return speed, cost, {n: (after[n] - before[n]) / (pairs * TURN) * 100 for n in after}


def row(title, values):
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0
    median, mean = (math.expm1(f(values)) * 100 for f in (statistics.median, statistics.mean))
    return f"| {title} | {median:+.2f} | {mean:+.2f} ± {error * 100:.2f} |"


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 80
    place = Place()
    try:
        build(place)
        with place.run_folder() as folder:
            producer = Producer(place, folder)
            try:
                time.sleep(SETTLE)
                speed, cost, cpu = measure(producer, pairs)
            finally:
                producer.process.kill()
                producer.process.wait()
    finally:
        place.remove()
    print(f"| watched ten times a second, {pairs} pairs | median, % | mean and its error, % |")
    print("| --- | --: | --: |")
    print(row("messages per second", speed))
    print(row("the producer's processor time per message", cost))
    for name, part in cpu.items():
        print(f"| squall {name} takes of one processor | | {part:.2f} |")


if __name__ == "__main__":
    main()
