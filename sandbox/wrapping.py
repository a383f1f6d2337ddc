"""How a method of moto's EC2 is wrapped: one change at a time, a guard before it, a repair after it; not which.

The rows are in `strict.py`. Guards and repairs get the arguments of the method by name. What moto calls on itself while
it answers a request is its own business: only the outermost call is guarded and repaired.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

from moto.ec2.models import EC2Backend

Arguments = Mapping[str, Any]
Repair = Callable[[Any, Arguments, Any], None]


@dataclass(frozen=True)
class Wrap:
    """`guard` raises to refuse; `instead` is called in the place of moto's method; each `repair` gets the result.

    `then` is called after the change, when other requests can be answered again, before this one is.
    """

    guard: Callable[[Any, Arguments], None] | None = None
    instead: Callable[[Any, Arguments], Any] | None = None
    repair: Repair | tuple[Repair, ...] = ()
    then: Callable[[], None] | None = None


class Lock:
    """One lock for every change: moto is not made for several threads. Knows whether a change is within another."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Gives whether this is the outermost change."""
        with self._lock:
            self._depth += 1
            try:
                yield self._depth == 1
            finally:
                self._depth -= 1


LOCK = Lock()


def install(rows: Mapping[str, Wrap], backend: type = EC2Backend) -> None:
    """Wrap the methods of these names, once a process."""
    for name, row in rows.items():
        setattr(backend, name, _wrapped(getattr(backend, name), row))


def _wrapped(original: Callable[..., Any], row: Wrap) -> Callable[..., Any]:
    signature = inspect.signature(original)

    @wraps(original)
    def method(backend: Any, *args: Any, **kwargs: Any) -> Any:
        with LOCK.held() as outermost:
            if not outermost:
                return original(backend, *args, **kwargs)
            bound = signature.bind(backend, *args, **kwargs)
            bound.apply_defaults()
            named = dict(bound.arguments)
            arguments = named | named.pop("kwargs", {})
            if row.guard is not None:
                row.guard(backend, arguments)
            result = row.instead(backend, arguments) if row.instead else original(backend, *args, **kwargs)
            for repair in row.repair if isinstance(row.repair, tuple) else (row.repair,):
                repair(backend, arguments, result)
        if row.then is not None:
            row.then()
        return result

    return method
