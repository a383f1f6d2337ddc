"""What a stand-in plugin declares: resource types and functions, as rows of a table that `provider.py` serves.

A resource type is one row:

    ResourceType(
        "aws:ec2/vpc:Vpc",
        inputs={
            "cidrBlock": Input(str, required=True, replaces=True),
            "tags": Input(dict),
            "enableDnsSupport": Input(bool, default=True),
        },
        outputs=("arn", "tagsAll"),      # computed by create, update and read; unknown in the preview of a create
        volatile=("tagsAll",),           # the outputs that are unknown in the preview of an update too; none by default
        create=create_vpc,               # (Call) -> (id, outputs)
        update=update_vpc,               # (Call) -> outputs;        without it every change replaces
        read=read_vpc,                   # (Call) -> values, or None where it is gone; without it the state stands
        delete=delete_vpc,               # (Call) -> None;           without it deleting does nothing
        check=check_vpc,                 # (Values) -> [Failure, …]  beyond required, kinds and unknown names
    )

The functions get a `Call` and return plain values. Outputs that they return are laid over the inputs, which are always
part of the state: return only what is computed, or what differs. `read` returns inputs and outputs alike; of the inputs
only those that the program had set are handed to the engine (all of them when a resource is imported: then
`call.inputs` is empty). In a preview no function but `check` is called. A function fails by raising
`PluginError("one clear sentence")`; where the resource exists in spite of it, `PartialError("…", id, outputs)`, so that
the engine keeps the id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.plugins.framework.values import Values


class PluginError(Exception):
    """A failure for the operator, who only sees this message."""


class Cancelled(PluginError):
    """The engine asked to stop."""


class PartialError(PluginError):
    """The resource was created (or changed), and then something failed: its id and outputs are kept."""

    def __init__(self, message: str, id: str, outputs: Values) -> None:
        super().__init__(message)
        self.id = id
        self.outputs = outputs


class Log(Protocol):
    """The engine's log. A line with `status` is only shown next to the resource while that is worked on."""

    def __call__(self, severity: str, message: str, *, status: bool = False) -> None:
        """`severity` is "debug", "info", "warning" or "error"."""


@dataclass(frozen=True)
class Call:
    """The operation that a row's function must do."""

    urn: str
    name: str
    config: Values
    log: Log
    stop: threading.Event
    id: str = ""
    inputs: Values = field(default_factory=dict)  # the wanted inputs; in read, the inputs in the state
    state: Values = field(default_factory=dict)  # inputs and outputs of the last run: update, read, delete
    timeout: float = 0.0  # seconds, from customTimeouts; 0: not given

    def wait(self, seconds: float) -> None:
        """Sleeps, unless the engine cancels: then raises `Cancelled`."""
        if self.stop.wait(seconds):
            raise Cancelled("cancelled")


@dataclass(frozen=True)
class Failure:
    """Why an input is refused. `property` is a name or a path."""

    property: str
    reason: str


@dataclass(frozen=True)
class Input:
    """One input property, at the top or inside another.

    `kind`: str, bool, int, float, list, dict, Asset…; `object` accepts anything. `fields` are the members of a dict,
    others are refused; `each` describes the items of a list, or the values of a dict with free keys. `replaces`: a
    change replaces the resource; a function decides from the old and the new inputs. `default`: a value, or a function
    of the resource's name that is called once in the resource's life (for generated names). `unordered`: the order of a
    list has no meaning, neither for differences nor for what `read` finds.
    """

    kind: type | tuple[type, ...] = object
    required: bool = False
    secret: bool = False
    replaces: bool | Callable[[Values, Values], bool] = False
    default: Any = None
    unordered: bool = False
    fields: Mapping[str, Input] | None = None
    each: Input | None = None


@dataclass(frozen=True)
class ResourceType:
    """A row of the table; see the top of this module."""

    token: str
    inputs: Mapping[str, Input]
    create: Callable[[Call], tuple[str, Values]]
    outputs: Sequence[str] = ()
    volatile: Sequence[str] = ()
    secret_outputs: Sequence[str] = ()
    update: Callable[[Call], Values] | None = None
    read: Callable[[Call], Values | None] | None = None
    delete: Callable[[Call], None] | None = None
    check: Callable[[Values], Sequence[Failure]] | None = None
    delete_before_replace: bool = False
    nested_replaces: bool = True  # False: only a change of the whole value replaces, not one inside it
    preview_id: Callable[[str], str] | None = None  # for plugins that know the id in a preview


@dataclass(frozen=True)
class Function:
    """An invoke: `run` gets a `Call` with the arguments as `inputs`, and returns the result's values."""

    token: str
    inputs: Mapping[str, Input]
    run: Callable[[Call], Values]


@dataclass(frozen=True)
class Plugin:
    """A whole plugin: `provider.serve(Plugin(…))` runs it.

    `refused` are types and functions that the real plugin has and this one does not, with the reason. `configure` is
    called with the configuration (nested values parsed from JSON) and may raise `PluginError`. `handshake` is False if
    the real plugin has no such request; then the engine gives its address on the command line. `explain` turns a
    library's exception into a sentence; None for one that it does not know.
    """

    name: str
    version: str
    resources: Sequence[ResourceType]
    functions: Sequence[Function] = ()
    config: Mapping[str, Input] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    handshake: bool = True
    configure: Callable[[Values], None] | None = None
    explain: Callable[[Exception], str | None] | None = None
    cancel: Callable[[], None] | None = None
