"""Programs of Pulumi run against mocks."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime.mocks import Mocks

HOST_KEY, COPY_KEY = (f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43}" for letter in "HC")


def printed(name: str) -> str:
    """What a server prints to the task of that name: one that meets it, or one that prepares it."""
    meets = "host-key-" in name or name.endswith("connect-bastion")
    own = hashlib.sha256(name.encode()).hexdigest()
    return f"{HOST_KEY}\n" if meets else f"ssh-ed25519 AAAA{own}\n"


def run(program: Callable[[], pulumi.Output[Any] | None], mocks: Mocks, stack: str = "test") -> None:
    """To its end, in an event loop of its own: Pulumi takes the thread's, and an `asyncio.run` before leaves none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(mocks, project="chef-push-jobs", stack=stack)
        pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]  # publishes no type
    finally:
        # A refused program leaves tasks and their errors behind; the garbage collector would complain of them later, in
        # the middle of another test. The language host keeps asyncio silent too.
        loop.set_exception_handler(lambda *_: None)
        pending = asyncio.all_tasks(loop)
        for task in pending:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        asyncio.set_event_loop(None)
        loop.close()
