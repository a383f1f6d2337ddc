"""Formats lists of server names for a sentence. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chef_push_jobs.model.order import natural


def counted(servers: Iterable[str]) -> list[str]:
    """In natural order."""
    return sorted(servers, key=natural)


def listed(servers: Sequence[str]) -> str:
    """`backend-0, backend-1, frontend-0 to frontend-19`: folds three or more consecutive servers."""
    runs: list[list[str]] = []
    for server in servers:
        if runs and _next(runs[-1][-1]) == server:
            runs[-1].append(server)
        else:
            runs.append([server])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _next(server: str) -> str:
    return re.sub(r"\d+$", lambda number: str(int(number[0]) + 1), server)
