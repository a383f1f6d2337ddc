"""Programs of Pulumi run against mocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi.runtime.mocks import Mocks


def run(program: Callable[[], pulumi.Output[Any] | None], mocks: Mocks) -> None:
    """To its end, in an event loop of its own: Pulumi takes the thread's, and an `asyncio.run` before leaves none."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(mocks, project="chef-push-jobs", stack="test")
        pulumi.runtime.test(program)()  # type: ignore[no-untyped-call]  # publishes no type
    finally:
        asyncio.set_event_loop(None)
        loop.close()
