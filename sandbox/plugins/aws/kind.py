"""How a type of the AWS plugin is declared: a `Kind`, which becomes a row of the shared table; and what Diff means.

Bridged Terraform types have *computed* inputs, which the shared table does not have: the cloud chooses them if the
program does not. Leaving one out is no change, and neither is setting it to the value that the cloud has chosen.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chef_push_jobs.model.aws_strings import rule_of_argument
from sandbox.plugins.aws.api import API, kept, removed, wanted_tags
from sandbox.plugins.aws.propagation import error_context, propagated
from sandbox.plugins.framework.table import Call, Failure, Input, PartialError, PluginError, ResourceType
from sandbox.plugins.framework.values import UNKNOWN, Path, Values, contains_unknown, differences, path_text

GENERATED = re.compile(r"-[0-9a-f]{7}")
GONE = (
    "resource provider reported that the resource did not exist while updating {id}: it was deleted outside of Pulumi; "
    "run `pulumi refresh`, then `pulumi up` again"
)

TAGS: Mapping[str, Input] = {"tags": Input(dict, each=Input(str))}


def generated_name(name: str) -> str:
    """Pulumi's name for an unnamed resource: its Pulumi name and seven random hexadecimal digits."""
    return f"{name}-{secrets.token_hex(4)[:7]}"


@dataclass(frozen=True)
class Kind:
    """One resource type. `find` returns all values, or None; `make` returns the id at once, `finish` does the rest.

    `computed` are inputs that are also outputs; `uncomputed` are paths inside them that only the program decides:
    leaving one out is a change. `nested_replaces` are paths inside an input whose change replaces. `sources` are inputs
    of which one is given: a different one than before replaces. `named` is the one that is generated. `write_only` are
    inputs that no API returns. `not_imported` are inputs that say the same as another one. A type that is not
    `regional` belongs to the whole account.
    """

    token: str
    noun: str
    inputs: Mapping[str, Input]
    make: Callable[[Call], str]
    find: Callable[[Call, str], Values | None]
    remove: Callable[[Call], object]
    outputs: Sequence[str] = ()
    computed: Sequence[str] = ()
    uncomputed: Sequence[str] = ()
    finish: Callable[[Call, str], None] | None = None
    change: Callable[[Call], None] | None = None
    check: Callable[[Values], Sequence[Failure]] | None = None
    nested_replaces: Sequence[str] = ()
    sources: Sequence[str] = ()
    write_only: Sequence[str] = ()
    not_imported: Sequence[str] = ()
    named: str = ""
    tagged: bool = True
    regional: bool = True
    normal: Mapping[str, Callable[[str], str]] = field(default_factory=dict)

    def row(self) -> ResourceType:
        return ResourceType(
            self.token,
            inputs={**self.inputs, **(TAGS if self.tagged else {})},
            outputs=(*self.outputs, *self.computed, *self._region, *(("tagsAll",) if self.tagged else ())),
            volatile=("tagsAll",) if self.tagged else (),
            create=self._create,
            read=self._read,
            update=self._update if self.change or self.tagged else None,
            delete=self._delete,
            check=self._check,
        )

    def _check(self, values: Values) -> list[Failure]:
        return [*_texts(self.token, values), *(self.check(values) if self.check else ())]

    @property
    def _region(self) -> dict[str, str]:
        return {"region": API.region} if self.regional else {}

    def _create(self, call: Call) -> tuple[str, Values]:
        with error_context(f"creating {self.noun}"):
            identity = self.make(call)
        with kept(identity, f"creating {self.noun}"):
            if self.finish is not None:
                finish = self.finish
                propagated(call, lambda: finish(call, identity))
            found = propagated(call, lambda: self._found(call, identity), enough=bool)
        if found is None:
            raise PartialError(f"creating {self.noun} ({identity}): it is gone", identity, {})
        return identity, found

    def _read(self, call: Call) -> Values | None:
        found = self._found(call, call.id)
        given = call.inputs or {name: self.inputs[name].default for name in self.write_only}  # nothing: an import
        own = {name: given[name] for name in self.write_only if name in given}
        return None if found is None else found | own

    def _update(self, call: Call) -> Values:
        if self._found(call, call.id) is None:
            raise PluginError(GONE.format(id=call.id))
        with kept(call.id, f"updating {self.noun}"):
            if self.change is not None:
                self.change(call)
            found = self._found(call, call.id)
        if found is None:
            raise PluginError(GONE.format(id=call.id))
        return found

    def _found(self, call: Call, identity: str) -> Values | None:
        found = self.find(call, identity)
        return None if found is None else {**self._region, **found}

    def _delete(self, call: Call) -> None:
        with error_context(f"deleting {self.noun} ({call.id})"):
            removed(call, lambda: self.remove(call))

    # What a change means

    def changes(
        self, call: Call, olds: Values, news: Values, ignored: Sequence[str], secret: frozenset[Path]
    ) -> dict[str, str]:
        """Each changed path and its kind of change. `call.state` is the state, `olds` the inputs of the last run."""
        old, new = self._settled(olds, call.state, news, ignored)
        kinds = {}
        for path, what in differences(old, new, whole=secret):
            kinds[path_text(path)] = f"{what}-replace" if self._replaces(path, what, old, news) else what
        return kinds | self._tags_change(call, kinds)

    def _settled(self, olds: Values, state: Values, news: Values, ignored: Sequence[str]) -> tuple[Values, Values]:
        names = [name for name in self.row().inputs if name not in ignored]
        old = {name: olds[name] for name in names if name in olds}
        new = {name: news[name] for name in names if name in news}
        for name in self.computed:
            _settle(old, state, new, name)
        for path in self.uncomputed:
            _restore(old, olds, new, *path.split("."))
        for name, normal in self.normal.items():
            for side in (old, new):
                if isinstance(side.get(name), str):
                    side[name] = normal(side[name])
        for name, rule in self.inputs.items():
            if rule.unordered and _same_set(old.get(name), new.get(name)):
                new[name] = old[name]
        return old, new

    def _replaces(self, path: Path, what: str, olds: Values, news: Values) -> bool:
        name = str(path[0])
        if name in self.sources and what in ("add", "delete"):
            return True
        if path_text(path) in self.nested_replaces or (
            len(path) == 1 and what == "update" and self._unknown_nested(name, news)
        ):
            return True
        rule = self.row().inputs[name].replaces
        return rule(olds, news) if callable(rule) else rule

    def _unknown_nested(self, name: str, news: Values) -> bool:
        return news.get(name) is UNKNOWN and any(path.startswith(f"{name}.") for path in self.nested_replaces)

    def _tags_change(self, call: Call, kinds: Mapping[str, str]) -> dict[str, str]:
        """The provider's default tags are not an input of the resource, but changing them changes the resource."""
        known = self.tagged and not contains_unknown(call.inputs.get("tags")) and "tagsAll" in call.state
        if not known or any(path.startswith("tags") for path in kinds):
            return {}
        return {} if call.state["tagsAll"] == wanted_tags(call) else {"tagsAll": "update"}

    def deleted_first(self, olds: Values, news: Values, resource_name: str) -> bool:
        """Two resources cannot have one name.

        A replacement that keeps a given name is created after the old one is deleted.
        """
        name = news.get(self.named)
        if not self.named or name is None or name is UNKNOWN or name != olds.get(self.named):
            return False
        return not (name.startswith(resource_name) and GENERATED.fullmatch(name.removeprefix(resource_name)))


def _settle(old: Values, state: Values, new: Values, name: str) -> None:
    """Makes both sides of a computed input comparable, member by member if it is an object."""
    if name not in new:
        old.pop(name, None)
    elif isinstance(new[name], dict) and isinstance(state.get(name), dict):
        old[name] = dict(old.get(name) or {})
        for member in old[name].keys() | new[name].keys():
            _settle(old[name], state[name], new[name], member)
    elif name not in old and state.get(name) is not None:
        old[name] = state[name]


def _restore(old: Values, olds: Values, new: Values, name: str, member: str) -> None:
    """The members that the program had given, next to an object that it still gives."""
    given = olds.get(name)
    if isinstance(new.get(name), dict) and isinstance(given, dict) and member in given:
        old[name][member] = given[member]


def limited(found: Values, old: Values, inputs: Mapping[str, Input]) -> Values:
    """The inputs among what Read found; of an object, only members that are inputs and that the program had set."""
    return {name: _limited(value, old.get(name), inputs[name].fields) for name, value in found.items()}


def _limited(value: Any, old: Any, fields: Mapping[str, Input] | None) -> Any:
    if fields is None or not isinstance(value, dict):
        return value
    wanted = old if isinstance(old, dict) else fields
    return {name: member for name, member in value.items() if name in wanted and name in fields}


def _same_set(old: Any, new: Any) -> bool:
    if not isinstance(old, list) or not isinstance(new, list) or contains_unknown(new):
        return False
    return sorted(old, key=repr) == sorted(new, key=repr)


def _texts(token: str, values: Values) -> Iterator[Failure]:
    """The real provider checks names and descriptions against AWS's rules before it calls AWS, but not tags."""
    for name, value in values.items():
        rule = rule_of_argument(token, name) if isinstance(value, str) else None
        if rule is not None and rule.breach(value):
            limits = f"^{rule.pattern or '.*'}$, {rule.least} to {rule.most} characters"
            yield Failure(name, f'"{name}" doesn\'t comply with restrictions ({limits}): "{value}"')


def only(values: Values, **accepted: object) -> list[Failure]:
    """Inputs of which this stand-in implements only one value: the real plugin's default."""
    return [
        Failure(name, f"this stand-in implements only {str(value).lower()}")
        for name, value in accepted.items()
        if values.get(name) is not None and values[name] is not UNKNOWN and values[name] != value
    ]


def exactly_one(values: Values, *names: str) -> list[Failure]:
    given = [name for name in names if values.get(name) is not None]
    if len(given) == 1:
        return []
    return [Failure((given or list(names))[0], f"exactly one of {', '.join(names)} is to be given, not {len(given)}")]


def not_both(values: Values, one: str, other: str) -> list[Failure]:
    both = values.get(one) is not None and values.get(other) is not None
    return [Failure(one, f"conflicts with {other}")] if both else []
