"""Outputs of resources that are created later, for two components that each need the other; and values of outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pulumi

Outputs = Sequence[pulumi.Output[Any]]


@contextmanager
def deferred_outputs(count: int) -> Iterator[tuple[Outputs, Callable[[Outputs], None]]]:
    """Yields outputs, and a function that resolves them from as many others; call it at the end of the block.

    Pulumi ends a failed program only when all of its resources are registered, and would wait forever for a resource
    with an unresolved output. So an error in the block fails the outputs too.
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
    """The value of outputs and awaitables at any depth, without the marks of secrets."""
    if isinstance(value, pulumi.Output):
        value = await value.future()
    if isinstance(value, Awaitable):
        value = await value
    if isinstance(value, dict):
        return {name: await plain(inner) for name, inner in value.items()}
    return value
