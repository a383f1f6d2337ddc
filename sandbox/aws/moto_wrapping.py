"""How a method of moto is wrapped: one change at a time, a check before it, a fix after it.

`moto_patches.py` lists the methods. Checks and fixes get the method's arguments by name. Only the outermost call of a
request is checked and fixed, not the calls that moto makes while it answers.
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
Fix = Callable[[Any, Arguments, Any], None]


@dataclass(frozen=True)
class Wrap:
    """`check` raises to refuse; `instead` replaces moto's method; each `fix` gets the result.

    `then` runs after the lock is released and before the request is answered.
    """

    check: Callable[[Any, Arguments], None] | None = None
    instead: Callable[[Any, Arguments], Any] | None = None
    fix: Fix | tuple[Fix, ...] = ()
    then: Callable[[], None] | None = None


class Lock:
    """One lock for all changes, because moto is not thread-safe. Knows whether a change is inside another one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Yields whether this is the outermost change."""
        with self._lock:
            self._depth += 1
            try:
                yield self._depth == 1
            finally:
                self._depth -= 1


LOCK = Lock()


def install(rows: Mapping[str, Wrap], backend: type = EC2Backend) -> None:
    """Wraps the methods with these names. Call it once per process."""
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
            if row.check is not None:
                row.check(backend, arguments)
            result = row.instead(backend, arguments) if row.instead else original(backend, *args, **kwargs)
            for fix in row.fix if isinstance(row.fix, tuple) else (row.fix,):
                fix(backend, arguments, result)
        if row.then is not None:
            row.then()
        return result

    return method
