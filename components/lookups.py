"""Looking things up in AWS: where that fails, the setting that asks for them is named, and no stack trace shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pulumi

from chef_push_jobs.engine.aws_advice import refused
from chef_push_jobs.model.problems import Problem, report

from .program_end import NOTHING_MORE


@contextmanager
def looked_up(setting: str, nothing: Problem | None = None) -> Iterator[None]:
    """Raises pulumi.RunError for what AWS says no to; `nothing` is the problem where it has no such thing."""
    try:
        yield
    except pulumi.RunError:
        raise
    except Exception as error:  # the SDK knows no narrower one for a look-up that failed
        if "context canceled" in str(error):  # the provider itself could not begin, and has said why
            raise pulumi.RunError(NOTHING_MORE) from None
        if nothing and "returned no results" in str(error):
            raise pulumi.RunError(report([nothing])) from None
        raise pulumi.RunError(report([refused(setting, str(error))])) from None
