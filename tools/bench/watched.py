#!/usr/bin/python3 -B
"""Does watching a producer slow it down? One librdkafka producer runs at full speed under squall;
spans in which squall top and squall live --json read it ten times a second take turns with spans in
which nobody does, and each pair gives a ratio of messages delivered per second. Beside it: what the
watchers themselves took of a processor, and what a message cost the producer in processor time
(which others on the machine disturb less).

    tools/bench/watched.py [PAIRS [SECONDS]]        10 pairs of spans of 2 seconds by default"""
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

from measure import Place, Spread

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.realpath(os.environ.get("BUILD", f"{HERE}/../../build"))
EVERY = "100ms"
SETTLE = 0.75  # a watcher reads the symbols of all modules when it begins


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

    def span(self, seconds):
        """Messages per second and processor time per message, over whole intervals."""
        first = len(self.told)
        time.sleep(seconds)
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
            process.send_signal(signal.SIGTERM)
            process.wait()
        os.close(self.master)


def watched_span(producer, seconds):
    watchers = Watchers(producer.process.pid)
    time.sleep(SETTLE)
    before = watchers.cpu()
    result = producer.span(seconds)
    after = watchers.cpu()
    watchers.end()
    return result, {name: (after[name] - before[name]) / seconds * 100 for name in after}


def measure(producer, pairs, seconds):
    speed, cost, cpu = [], [], {"top": [], "live": []}
    for i in range(pairs):
        spans = {}
        for kind in ("alone", "watched") if i % 2 == 0 else ("watched", "alone"):
            if kind == "alone":
                time.sleep(SETTLE)
                spans[kind] = producer.span(seconds)
            else:
                spans[kind], took = watched_span(producer, seconds)
                for name, part in took.items():
                    cpu[name].append(part)
        speed.append((spans["watched"][0] / spans["alone"][0] - 1) * 100)
        cost.append((spans["watched"][1] / spans["alone"][1] - 1) * 100)
        print(f"  pair {i + 1}: {spans['alone'][0]:,.0f} messages/s alone, "
              f"{spans['watched'][0]:,.0f} watched ({speed[-1]:+.1f} %)", file=sys.stderr)
    return speed, cost, cpu


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2
    place = Place()
    try:
        build(place)
        with place.run_folder() as folder:
            producer = Producer(place, folder)
            try:
                time.sleep(2)
                speed, cost, cpu = measure(producer, pairs, seconds)
            finally:
                producer.process.kill()
                producer.process.wait()
    finally:
        place.remove()
    print(f"| watched ten times a second, {pairs} pairs of {seconds:g} s | % |\n| --- | --: |")
    print(f"| messages per second | {Spread(speed).show('{:+.2f}')} |")
    print(f"| the producer's processor time per message | {Spread(cost).show('{:+.2f}')} |")
    for name, parts in cpu.items():
        # The kernel counts in hundredths of a second: only the mean over all spans tells.
        print(f"| squall {name}, of one processor, on average | {sum(parts) / len(parts):.2f} |")


if __name__ == "__main__":
    main()
