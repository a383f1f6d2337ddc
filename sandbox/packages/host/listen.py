"""Holds TCP ports for services that nothing here asks anything but whether they are there: Solr, RabbitMQ, Redis, …

It hangs up on whoever connects: a connection that nobody takes is kept by the kernel, which after some scores of them
lets no other in. Started with -S and without the library beside it: there are many of these on a backend.
"""

import signal
import sys
from _socket import SO_REUSEADDR, SOL_SOCKET, socket
from posix import close
from select import POLLIN, poll

name, address, *ports = sys.argv[1:]
signal.signal(signal.SIGTERM, signal.SIG_DFL)
held: dict[int, socket] = {}
asked = poll()
for port in ports:
    listener = socket()
    listener.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.listen(64)
    listener.setblocking(False)
    held[listener.fileno()] = listener
    asked.register(listener, POLLIN)
print(name, "holds", *ports, flush=True)
while True:
    for number, _ in asked.poll():
        try:
            close(held[number]._accept()[0])  # type: ignore[attr-defined]  # socket.accept is of the library
        except OSError:
            continue  # it has gone already
