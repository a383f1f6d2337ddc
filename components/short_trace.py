"""Short call stacks where many resources are made: the engine keeps each one's in its state, and writes that often."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The SDK's own frames below the constructor of a resource, and the one that calls it.
FRAMES = 7


@contextmanager
def short_trace() -> Iterator[None]:
    """Resources made meanwhile are noted with the place that makes them, and not with all the way there."""
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = FRAMES
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before
