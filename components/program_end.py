"""How the program ends when it cannot continue, as Pulumi's Python language host expects it.

The host sends SIGINT when the run is cancelled or another resource has failed. Exit status 32 means that the error has
been shown; with any other, the engine adds "an unhandled error occurred".
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
    """Ends at once, without a traceback.

    Otherwise threads that wait for the engine would delay it until the host kills it.
    """
    signal.signal(signal.SIGINT, lambda _number, _frame: _end())


def _end() -> NoReturn:
    with suppress(RuntimeError):  # the interrupted code may be writing to them
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(SHOWN)


class Refused(pulumi.RunError):
    """Ends the run for a problem that only appears while resources are created; shows `problem` at once.

    When the language host would show it, other tasks have been cancelled, and the engine may no longer listen.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(NOTHING_MORE)
        self.problem = problem
        pulumi.log.error(visible(problem))


@contextmanager
def errors_shown() -> Iterator[None]:
    """Shows only the message of a pulumi.RunError, and ends the program.

    At once: tasks that have started would be waited for, fail for the same reason, and show it again.
    """
    try:
        yield
    except pulumi.RunError as error:
        pulumi.log.error(visible(str(error)))
        _end()
