"""The engine's event log, one JSON object per line (pulumi `sdk/go/common/apitype/events.go`), reduced to what is read.

The engine reports whole seconds, so `chef-push-jobs up` adds to each event the Unix time at which it arrived, as
`received`. What is kept contains no script, no connection and no configuration of the provider. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

STACK = "pulumi:pulumi:Stack"
# What the engine calls a change to a resource, one each. A replacement's other steps concern the old resource.
LATEST = 1e11  # the largest plausible Unix time
ACTS = ("create", "create-replacement", "update", "delete")
# A resource that needs no change only has an end event; it is kept only if the resource can be a task.
TASKS = ("command:remote:", "aws:ec2/instance:")


@dataclass(frozen=True)
class Began:
    at: float
    config: Mapping[str, str]


@dataclass(frozen=True)
class Started:
    """`acts` is what an update runs on a server; None if it has none."""

    at: float
    name: str
    type: str
    op: str
    acts: str | None = None


@dataclass(frozen=True)
class Done:
    """`outputs` are only the stack's own."""

    at: float
    name: str
    type: str
    op: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    at: float
    name: str
    type: str
    op: str


@dataclass(frozen=True)
class Said:
    """`name` is empty if it concerns no resource."""

    at: float
    name: str
    severity: str
    text: str


@dataclass(frozen=True)
class Ended:
    """`result` is `succeeded`, `failed`, or empty if the engine does not say."""

    at: float
    result: str
    changes: Mapping[str, int]


Event = Began | Started | Done | Failed | Said | Ended


def kept(raw: Mapping[str, Any], received: float) -> dict[str, Any] | None:
    """The part of an event that is kept; None for events that are not needed."""
    event = _reduced(raw)
    return {"timestamp": raw["timestamp"], "received": raw.get("received", received), **event} if event else None


def _reduced(raw: Mapping[str, Any]) -> dict[str, Any] | None:
    if prelude := raw.get("preludeEvent"):
        config = {key: value for key, value in prelude["config"].items() if not key.startswith("aws:")}
        return {"preludeEvent": {"config": config}}
    if said := raw.get("diagnosticEvent"):
        if said["severity"] == "debug":
            return None
        return {"diagnosticEvent": {name: said.get(name, "") for name in ("urn", "severity", "message")}}
    for name in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
        if name in raw:
            metadata = _metadata(raw[name]["metadata"], ended=name == "resOutputsEvent")
            return {name: {"metadata": metadata}} if metadata else None
    if summary := raw.get("summaryEvent"):
        return {"summaryEvent": {name: summary.get(name) for name in ("result", "resourceChanges")}}
    return None


def _metadata(metadata: Mapping[str, Any], *, ended: bool) -> dict[str, Any] | None:
    is_stack = metadata["type"] == STACK
    unchanged = ended and metadata["op"] == "same" and metadata["type"].startswith(TASKS)
    if not is_stack and not unchanged and metadata["op"] not in ACTS:
        return None
    new = metadata.get("new") or {}
    inputs = {name: value for name, value in (new.get("inputs") or {}).items() if name in ("update", "delete")}
    outputs = (new.get("outputs") or {}) if is_stack else {}
    return {
        "op": metadata["op"],
        "urn": metadata["urn"],
        "type": metadata["type"],
        "new": {"inputs": inputs, "outputs": outputs},
    }


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Reads a log as the engine writes it, or a kept one. Raises ValueError for a line that is not an event."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = event_of(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            said = error if type(error) is ValueError else "it is not an event of Pulumi"
            raise ValueError(f"line {number}: {said}") from None
        if event:
            yield event


def event_of(raw: Mapping[str, Any]) -> Event | None:
    """None for events that are not needed. Raises ValueError if it is not an event."""
    if "timestamp" not in raw:
        raise ValueError("it is not an event log of Pulumi: an event has no timestamp")
    event = _reduced(raw)
    if event is None:
        return None
    [(kind, body)] = event.items()
    at = float(raw.get("received", raw["timestamp"]))
    if not 0 <= at < LATEST:
        raise ValueError(f"it has an invalid timestamp: {at:g}")
    return READERS[kind](at, body)


def _began(at: float, prelude: Mapping[str, Any]) -> Event:
    return Began(at, prelude["config"])


def _said(at: float, said: Mapping[str, Any]) -> Event:
    return Said(at, _name(said["urn"]), said["severity"], said["message"].rstrip())


def _started(at: float, body: Mapping[str, Any]) -> Event:
    one = body["metadata"]
    acts = one["new"]["inputs"].get("delete" if one["op"] == "delete" else "update")
    return Started(at, _name(one["urn"]), one["type"], one["op"], acts)


def _done(at: float, body: Mapping[str, Any]) -> Event:
    one = body["metadata"]
    return Done(at, _name(one["urn"]), one["type"], one["op"], one["new"]["outputs"])


def _failed(at: float, body: Mapping[str, Any]) -> Event:
    one = body["metadata"]
    return Failed(at, _name(one["urn"]), one["type"], one["op"])


def _ended(at: float, summary: Mapping[str, Any]) -> Event:
    return Ended(at, summary["result"] or "", summary["resourceChanges"] or {})


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


READERS: Mapping[str, Callable[[float, Mapping[str, Any]], Event]] = {
    "preludeEvent": _began,
    "diagnosticEvent": _said,
    "resourcePreEvent": _started,
    "resOutputsEvent": _done,
    "resOpFailedEvent": _failed,
    "summaryEvent": _ended,
}
