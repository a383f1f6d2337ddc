"""`pulumi stack history --json`: the updates of a stack, newest first, and the settings of each. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chef_push_jobs.config.parser import decoded
from chef_push_jobs.config.stack_files import HIDDEN
from chef_push_jobs.model.order import natural

NEAR = 60  # seconds by which the start may differ between the engine's log and its history
ABSENT = "not set"
SECRET = "(secret)"  # noqa: S105 - stands for a secret


# The provider's settings that say where everything is; others may be credentials.
PLACES = ("aws:region", "aws:profile", "aws:allowedAccountIds")


@dataclass(frozen=True)
class Update:
    """`values` is the configuration as the engine gives it, HIDDEN for secrets; times are Unix time."""

    number: int
    kind: str
    started: float
    seconds: float
    message: str
    result: str
    environment: Mapping[str, str]
    values: Mapping[str, str]

    @property
    def config(self) -> dict[str, str]:
        """Flat, by the path of each setting."""
        return flat(self.values)


def parse_history(text: str) -> tuple[Update, ...]:
    """Updates that changed something or meant to: no previews, no refreshes. Raises ValueError."""
    try:
        return tuple(_update(raw) for raw in json.loads(text) if raw["kind"] == "update")
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError):
        raise ValueError("it is not the output of `pulumi stack history --json`") from None


def _update(raw: Mapping[str, Any]) -> Update:
    started, ended = (_time(raw.get(name)) for name in ("startTime", "endTime"))
    given = (raw.get("config") or {}).items()
    return Update(
        raw.get("version", 0),
        raw["kind"],
        started,
        max(ended - started, 0.0),
        raw.get("message", ""),
        raw.get("result", ""),
        raw.get("environment") or {},
        {str(key): HIDDEN if entry.get("secret") else str(entry.get("value", "")) for key, entry in given},
    )


def _time(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def flat(values: Mapping[str, str]) -> dict[str, str]:
    """A stack's own settings, and the provider's that say where everything is, by path."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if key in PLACES:
            found[key] = value
        elif not key.startswith("aws:"):
            found.update(_flat(key.partition(":")[2] or key, value))
    return found


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    """A list of plain values is one setting; each value inside a structure is a separate one."""
    if isinstance(value, str):
        value = decoded(value)
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}", inner)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for place, inner in zip(_places(value), value, strict=True):
            yield from _flat(f"{path}[{place}]", inner)
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield path, SECRET if text == HIDDEN else text


def of(updates: Sequence[Update], started: float | None) -> tuple[Update | None, Update | None]:
    """The update that began at this time, and the one before it."""
    found = [number for number, one in enumerate(updates) if started and abs(one.started - started) < NEAR]
    if not found:
        return None, None
    nearest = min(found, key=lambda number: abs(updates[number].started - (started or 0)))
    return updates[nearest], updates[nearest + 1] if nearest + 1 < len(updates) else None


def _places(entries: Sequence[Any]) -> Sequence[str]:
    """How to tell the entries of a list apart: by name, if all names differ; otherwise by number."""
    names = [str(one.get("name", "")) if isinstance(one, Mapping) else "" for one in entries]
    return names if all(names) and len(set(names)) == len(names) else [str(number) for number in range(len(entries))]


def last_success(updates: Sequence[Update]) -> Update | None:
    """The last update that succeeded."""
    return next((one for one in updates if one.result == "succeeded"), None)


def differences(now: Mapping[str, str], before: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(setting, old value, new value) of flat settings, in natural order."""
    for path in sorted({*now, *before}, key=natural):
        was, is_ = before.get(path, ABSENT), now.get(path, ABSENT)
        if was != is_:
            yield path, was, is_
