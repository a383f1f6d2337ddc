"""Shortens call stacks where many resources are created.

The engine keeps each of them in its state, and writes it often.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The SDK's own frames below a resource's constructor, and the frame that calls it.
FRAMES = 7


@contextmanager
def short_trace() -> Iterator[None]:
    """Resources that are created in the block record only the place that creates them."""
    before = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = FRAMES
    try:
        yield
    finally:
        if before is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = before
