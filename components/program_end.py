"""How the program ends when it must not go on, as Pulumi's Python language host expects it.

The host sends SIGINT when the run is cancelled or another resource has failed. Exit status 32 says that the error has
been shown; with any other the engine adds "an unhandled error occurred".
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

import pulumi

from chef_push_jobs.model.shown import visible

SHOWN = 32
NOTHING_MORE = "nothing more starts, because of the error above"


def end_when_interrupted() -> None:
    """Ends at once, without a traceback: threads that wait for the engine would hold it up until the host kills it."""
    signal.signal(signal.SIGINT, lambda _number, _frame: _end())


def _end() -> NoReturn:
    with suppress(RuntimeError):  # what was interrupted may be writing there itself
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(SHOWN)


class Refused(pulumi.RunError):
    """Ends the run for what shows only while resources are made; `problem` is shown at once.

    By the time that the language host would show it, what else is under way has been cancelled, and the engine may
    listen no more.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(NOTHING_MORE)
        self.problem = problem
        pulumi.log.error(visible(problem))


@contextmanager
def errors_shown() -> Iterator[None]:
    """Shows a pulumi.RunError by itself, and ends the program.

    At once: what was begun would be waited for, fail for the same reason, and show it again.
    """
    try:
        yield
    except pulumi.RunError as error:
        pulumi.log.error(visible(str(error)))
        _end()
