"""Outputs of what is yet to be made, for two components that each need the other; and what outputs come to be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pulumi

Outputs = Sequence[pulumi.Output[Any]]


@contextmanager
def deferred_outputs(count: int) -> Iterator[tuple[Outputs, Callable[[Outputs], None]]]:
    """Outputs, and what resolves them from as many others: the last thing that the block does.

    Pulumi ends a failed program only once all of its resources are registered, and would wait for ever for one with an
    output that stays unresolved. So an error in the block fails the outputs too.
    """
    pairs: list[tuple[pulumi.Output[Any], Callable[[pulumi.Output[Any]], None]]]
    pairs = [pulumi.deferred_output() for _ in range(count)]

    def resolve(values: Outputs) -> None:
        for (_, one), value in zip(pairs, values, strict=True):
            one(value)

    try:
        yield [output for output, _ in pairs], resolve
    except BaseException as error:
        resolve([_failed(error) for _ in pairs])
        raise


def _failed(error: BaseException) -> pulumi.Output[Any]:
    future: asyncio.Future[Any] = asyncio.Future()
    future.set_exception(error)
    return pulumi.Output.from_input(future)


async def plain(value: Any) -> Any:
    """What it comes to be, without what marks a secret, however deep."""
    if isinstance(value, pulumi.Output):
        value = await value.future()
    if isinstance(value, Awaitable):
        value = await value
    if isinstance(value, dict):
        return {name: await plain(inner) for name, inner in value.items()}
    return value
