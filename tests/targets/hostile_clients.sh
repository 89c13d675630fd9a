#!/bin/bash
# Who may connect to squall metrics cannot keep Prometheus out, by connections that send a byte now
# and then, and a page that a browser took from elsewhere cannot read the figures.
. "$(dirname "$0")/lib.sh"
export PYTHONPATH=$here

check "slow clients make room" "$SQUALL_BIN" <<'P'
import socket, threading
from squall import argument, same
import metrics
server = metrics.Server(argument(1))
socket.setdefaulttimeout(60)  # not a measure: who is kept out would wait for ever
def begin():
    s = socket.create_connection((server.host, server.port))
    s.send(b"GET /metrics HTTP/1.1\r\nX: ")
    return s
def dribble(slow, done, again):
    while not done.wait(0.1):
        for i, s in enumerate(slow):
            try:
                s.send(b"x")
            except OSError:
                slow[i] = begin() if again else s
# more than are served, and each comes again when it is let go of
slow, done = [begin() for _ in range(60)], threading.Event()
thread = threading.Thread(target=dribble, args=(slow, done, True))
thread.start()
try:
    for _ in range(20):
        same("beside many", server.ask()[0], 200)
finally:
    done.set()
    thread.join()
for s in slow:
    s.close()
# one alone is let go of when its time is over, however much it sends
one, done = begin(), threading.Event()
thread = threading.Thread(target=dribble, args=([one], done, False))
thread.start()
def is_closed():
    server.ask()
    one.setblocking(False)
    try:
        return not one.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True
try:
    metrics.wait_for("the end of a request that never ends", is_closed)
finally:
    done.set()
    thread.join()
# requests on one connection, one after the other
import http.client
kept = http.client.HTTPConnection(server.host, server.port)
for _ in range(3):
    kept.request("GET", "/")
    same("kept", kept.getresponse().read()[:6], b"squall")
server.stop()
P

check "only for who knows the address" "$SQUALL_BIN" <<'P'
from squall import argument, same
import metrics
server = metrics.Server(argument(1))
port = server.port
for host, status in ((f"127.0.0.1:{port}", 200), ("127.0.0.1", 200), (f"localhost:{port}", 200), ("LocalHost", 200),
                     (f"[::1]:{port}", 200), (f"10.1.2.3:{port}", 200), (f"evil.example:{port}", 403),
                     ("evil.example", 403), ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403),
                     ("[evil.example]", 403), ("", 403), ("x" * 1000, 403)):
    for path in "/metrics", "/":
        same(host, server.ask(path, Host=host)[0], status)
server.stop()
server = metrics.Server(argument(1), where=":0")  # not of this machine alone: by whatever name
server.host = "127.0.0.1"
same("all addresses", server.ask(Host="producer-7.example")[0], 200)
server.stop()
P
finish
