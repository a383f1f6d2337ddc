"""Holds TCP ports for services that nothing here asks anything but whether they are there: Solr, RabbitMQ, Redis, …

Started with -S and without the library beside it: there are many of these on a backend.
"""

import signal
import sys
from _socket import SO_REUSEADDR, SOL_SOCKET, socket

name, address, *ports = sys.argv[1:]
signal.signal(signal.SIGTERM, signal.SIG_DFL)
held = []
for port in ports:
    listener = socket()
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(64)
    held.append(listener)
print(name, "holds", *ports, flush=True)
while True:
    signal.pause()
