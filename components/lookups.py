"""Look-ups in AWS: if one fails, the message names the setting that needs it, without a stack trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pulumi

from chef_push_jobs.engine.aws_advice import refused
from chef_push_jobs.model.problems import Problem, report

from .program_end import NOTHING_MORE


@contextmanager
def looked_up(setting: str, nothing: Problem | None = None) -> Iterator[None]:
    """Raises pulumi.RunError if AWS refuses; `nothing` is the problem to report if AWS finds nothing."""
    try:
        yield
    except pulumi.RunError:
        raise
    except Exception as error:  # the SDK has no narrower exception for a failed look-up
        if "context canceled" in str(error):  # the provider itself could not start, and has said why
            raise pulumi.RunError(NOTHING_MORE) from None
        if nothing and "returned no results" in str(error):
            raise pulumi.RunError(report([nothing])) from None
        raise pulumi.RunError(report([refused(setting, str(error))])) from None
