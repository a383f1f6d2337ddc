"""`pulumi stack history --json`: the updates of a stack, newest first, and its settings in each. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chef_push_jobs.config.parser import decoded

NEAR = 60  # seconds: between what the engine's log and its history say of the start
ABSENT = "not set"


@dataclass(frozen=True)
class Update:
    """`config` is flat, by the path of a setting; times are Unix time."""

    number: int
    kind: str
    started: float
    seconds: float
    message: str
    result: str
    environment: Mapping[str, str]
    config: Mapping[str, str]


def parse_history(text: str) -> tuple[Update, ...]:
    """Updates that changed something or were to: no previews, no refreshes."""
    return tuple(_update(raw) for raw in json.loads(text) if raw["kind"] == "update")


def _update(raw: Mapping[str, Any]) -> Update:
    started, ended = (_time(raw.get(name)) for name in ("startTime", "endTime"))
    config: dict[str, str] = {}
    for key, entry in (raw.get("config") or {}).items():
        if not key.startswith("aws:"):
            value = "(secret)" if entry.get("secret") else entry.get("value", "")
            config.update(_flat(key.split(":", 1)[1], value))
    return Update(
        raw.get("version", 0),
        raw["kind"],
        started,
        max(ended - started, 0.0),
        raw.get("message", ""),
        raw.get("result", ""),
        raw.get("environment") or {},
        config,
    )


def _time(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _flat(path: str, value: object) -> Iterator[tuple[str, str]]:
    """A list of plain values is one setting; what is inside a structure is a setting of its own."""
    if isinstance(value, str):
        value = decoded(value)
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}", inner)
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, inner in enumerate(value):
            yield from _flat(f"{path}[{number}]", inner)
    else:
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def of(updates: Sequence[Update], started: float | None) -> tuple[Update | None, Update | None]:
    """The update that began then, and the one before it."""
    found = [number for number, one in enumerate(updates) if started and abs(one.started - started) < NEAR]
    if not found:
        return None, None
    nearest = min(found, key=lambda number: abs(updates[number].started - (started or 0)))
    return updates[nearest], updates[nearest + 1] if nearest + 1 < len(updates) else None


def differences(now: Update, before: Update) -> Iterator[tuple[str, str, str]]:
    """(setting, what it was, what it is)."""
    for path in sorted({*now.config, *before.config}):
        was, is_ = before.config.get(path, ABSENT), now.config.get(path, ABSENT)
        if was != is_:
            yield path, was, is_
