"""The output of `pulumi preview --json`: what will happen to each resource, and which inputs are the reason. Pure.

The format is the engine's PreviewDigest (pulumi `pkg/display/json.go`). Secret values are `[secret]` there, unless the
preview was asked to show them; nothing here shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints, ValidationError

from chef_push_jobs.scripts import HOST_KEY, does_nothing

COMMAND = "command:remote:Command"
COMPONENT = "chef-push-jobs:index:"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # stands for a value that is not known yet


class PreviewError(ValueError):
    """The text is not a preview, or cannot be understood."""


class Op(StrEnum):
    """What happens to a resource."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    IMPORT = "import"


# The engine's words (pulumi `pkg/resource/deploy/step.go`); a replacement is three steps on one resource.
OPS = {
    "same": Op.SAME,
    "refresh": Op.SAME,
    "create": Op.CREATE,
    "update": Op.UPDATE,
    "replace": Op.REPLACE,
    "create-replacement": Op.REPLACE,
    "delete-replaced": Op.REPLACE,
    "discard-replaced": Op.REPLACE,
    "read-replacement": Op.REPLACE,
    "import-replacement": Op.REPLACE,
    "remove-pending-replace": Op.REPLACE,
    "delete": Op.DELETE,
    "read": Op.READ,
    "discard": Op.READ,
    "import": Op.IMPORT,
}

# Positions in `triggers` (components/triggers.py): the text of the setting `repair`; the fingerprint of the task, or
# the identity of the machine. The rest are tasks with which it runs again.
REPAIR, CAUSE = 0, 1


@dataclass(frozen=True)
class Change:
    """One resource of a preview. `before` and `after` are its inputs, empty if there are none.

    `changed` are the paths of inputs that differ, such as `triggers[0]` or `connection.port`; `forcing` are the inputs
    that make it a replacement.
    """

    op: Op
    type: str
    name: str
    urn: str
    changed: tuple[str, ...] = ()
    forcing: tuple[str, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether it is a command that acts on a server: most updates do nothing (docs/chef.md, pulumi-command).

        Neither does the command that asks for a new server's host key.
        """
        if self.type != COMMAND:
            return False
        if self.op is Op.UPDATE:
            act = self.after.get("update", self.after.get("create"))
            return act is not None and not does_nothing(str(act))
        return self.op in (Op.CREATE, Op.REPLACE) and self.after.get("create") not in (None, HOST_KEY)

    @property
    def triggers(self) -> tuple[int, ...]:
        """Positions in `triggers` whose values differ: REPAIR, CAUSE, and the others after them."""
        old, new = self.before.get("triggers") or [], self.after.get("triggers") or []
        return tuple(at for at in range(max(len(old), len(new))) if old[at : at + 1] != new[at : at + 1])


@dataclass(frozen=True)
class Preview:
    """All resources, once each, in the order of the engine's plan; `errors` and `warnings` are its diagnostics.

    `config` is the stack's configuration, as the engine gives it.
    """

    changes: tuple[Change, ...]
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def stack(self) -> str | None:
        """The stack's name; None if the preview has no resources."""
        return next((change.urn.split("::")[0].removeprefix("urn:pulumi:") for change in self.changes), None)

    @property
    def different(self) -> tuple[Change, ...]:
        """The resources that change: an update of a component only shows its new arguments."""
        return tuple(change for change in self.changes if change.op not in (Op.SAME, Op.READ) and not _shows(change))

    @property
    def running(self) -> frozenset[str]:
        """Names of the commands that act on a server."""
        return frozenset(change.name for change in self.changes if change.runs)


def _shows(change: Change) -> bool:
    return change.op is Op.UPDATE and change.type.startswith(COMPONENT)


class _State(BaseModel):
    inputs: dict[str, Any] | None = None


class _Difference(BaseModel):
    kind: str


class _Step(BaseModel):
    op: str
    urn: Annotated[str, StringConstraints(pattern="^urn:pulumi:[^:]+::[^:]+::[^:].*::.+$")]
    detailedDiff: dict[str, _Difference] | None = None
    diffReasons: list[str] | None = None
    replaceReasons: list[str] | None = None
    oldState: _State | None = None
    newState: _State | None = None


class _Diagnostic(BaseModel):
    severity: str = ""
    message: str


class _Digest(BaseModel):
    config: dict[str, str] | None = None
    steps: list[_Step] | None = None
    diagnostics: list[_Diagnostic] | None = None
    changeSummary: dict[str, Any] | None


def parse_preview(text: str) -> Preview:
    """Reads the output of `pulumi preview --json`. Raises PreviewError."""
    try:
        found = _Digest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PreviewError(
            f"it is not the output of `pulumi preview --json`: {where}{': ' * bool(where)}{first['msg']}"
        ) from None
    errors, warnings = (
        tuple(one.message.strip() for one in found.diagnostics or () if one.severity == severity)
        for severity in ("error", "warning")
    )
    return Preview(tuple(_changes(found.steps or ())), errors, warnings, found.config or {})


def _changes(steps: Sequence[_Step]) -> Iterator[Change]:
    """Joins the steps of each resource: what one of them omits, another contains."""
    joined: dict[str, Change] = {}
    for step in steps:
        one = _change(step)
        other = joined.get(one.urn, one)
        joined[one.urn] = Change(
            Op.REPLACE if Op.REPLACE in (one.op, other.op) else one.op,
            one.type,
            one.name,
            one.urn,
            other.changed or one.changed,
            other.forcing or one.forcing,
            other.before or one.before,
            other.after or one.after,
        )
    yield from joined.values()


def _change(step: _Step) -> Change:
    if step.op not in OPS:
        raise PreviewError(f"it contains an unknown operation: {step.op}")
    *_, types, name = step.urn.split("::")
    diff = step.detailedDiff or {}
    old, new = (state.inputs or {} if state else {} for state in (step.oldState, step.newState))
    if step.op in ("delete", "delete-replaced", "discard-replaced"):
        new = {}
    forcing = sorted(path for path, how in diff.items() if how.kind.endswith("-replace"))
    return Change(
        OPS[step.op],
        types.rsplit("$", 1)[-1],
        name,
        step.urn,
        tuple(sorted(diff or step.diffReasons or ())),
        tuple(forcing or step.replaceReasons or ()),
        old,
        new,
    )
