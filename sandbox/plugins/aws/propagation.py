"""Waits until a new resource is visible, and names the operation that an error comes from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sandbox.plugins.aws.api import POLL_SECONDS, explain, is_gone
from sandbox.plugins.framework.table import Call, PluginError

PROPAGATION_SECONDS = 60.0  # the real provider waits 5 minutes until it finds a new resource

Result = TypeVar("Result")


@contextmanager
def error_context(what: str) -> Iterator[None]:
    """Adds this prefix to the message of an AWS error: "creating EC2 VPC"."""
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped] # noqa: PLC0415 - no types; half a second

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        message = explain(error)
        if message is None:
            raise
        raise PluginError(f"{what}: {message}") from error


def propagated(call: Call, act: Callable[[], Result], enough: Callable[[Result], object] = lambda _: True) -> Result:
    """Acts on a new resource, and retries for a while, because EC2 may not find it at first."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

    deadline = time.monotonic() + PROPAGATION_SECONDS
    while True:
        try:
            result = act()
            if enough(result) or time.monotonic() > deadline:
                return result
        except ClientError as error:
            if not is_gone(error) or time.monotonic() > deadline:
                raise
        call.wait(POLL_SECONDS)
