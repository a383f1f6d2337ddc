"""Runs before dpkg unpacks a stand-in package: takes time or fails, as /etc/chef-standin.json says, and logs it.

The package's own library is not on the host yet, so the maintainer script contains all of this.
"""

import json
import os
import socket
import sys
import time

REQUESTS = "/etc/chef-standin.json"
LOG = "/var/log/chef-standin.jsonl"
PACKAGE = os.environ["DPKG_MAINTSCRIPT_PACKAGE"]


def requested(kind: str) -> object:
    """The settings under "dpkg PACKAGE", otherwise those under "dpkg"."""
    if not os.path.exists(REQUESTS):
        return None
    with open(REQUESTS, encoding="utf-8") as stream:
        table = json.load(stream).get(kind, {})
    return table.get(f"dpkg {PACKAGE}", table.get("dpkg"))


start, status = time.time(), 0
time.sleep(float(str(requested("durations") or 0)))
fault = requested("fail")
if isinstance(fault, dict):
    if fault.get("hang"):
        time.sleep(10**8)
    print(fault.get("message", f"failed as {REQUESTS} asks"), file=sys.stderr)
    status = int(fault.get("exit", 1))
argv = ["preinst", sys.argv[1], PACKAGE, "@version@"]
with open(LOG, "a", encoding="utf-8") as log:
    entry = {"start": start, "end": time.time(), "argv": argv, "exit": status, "host": socket.gethostname()}
    log.write(json.dumps(entry) + "\n")
sys.exit(status)
