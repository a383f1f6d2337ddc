"""`sv COMMAND SERVICE…` of runit; called as /opt/opscode/init/SERVICE it takes the command alone."""

from __future__ import annotations

import os
from collections.abc import Sequence

from . import services

ACTIONS = {"start": ("up",), "stop": ("down",), "restart": ("restart",), "force-stop": ("down", "kill")}
DOWN = 3


def main(arguments: Sequence[str]) -> int:
    called = os.path.basename(arguments[0])
    command, *names = arguments[1:] or [""]
    chosen = [os.path.basename(name) for name in names] if called == "sv" else [called]
    if not chosen or command not in (*ACTIONS, "status"):
        print(f"usage: sv {'|'.join([*ACTIONS, 'status'])} service …")
        return 100
    return max(_one(command, name) for name in chosen)


def _one(command: str, name: str) -> int:
    if command == "status":
        print(services.describe(name))
        return 0 if services.state(name)["pid"] else DOWN
    ok = any(services.control(action, name) for action in ACTIONS[command])
    print(f"{'ok' if ok else 'timeout'}: {services.describe(name)}")
    return 0 if ok else 1
