"""An AWS plugin for programs that are only looked at: any resource type of the SDK, made of nothing.

`python -m tests.contract.any_aws` is the plugin. About names and what is required it is as strict as the SDK's own
declarations; of values it takes text for numbers, as Terraform does. What the real plugin computes is unknown in a
preview, and made up in a run. A resource that is read (`get`) has the properties that the program gives.
"""

from __future__ import annotations

import inspect
import pkgutil
import threading
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from keyword import iskeyword
from typing import Any

import pulumi_aws
from pulumi import _types

from sandbox.plugins.framework.provider import Provider, serve
from sandbox.plugins.framework.table import Call, Input, Plugin, ResourceType
from sandbox.plugins.framework.values import Values

LOCK = threading.Lock()
SCALARS = (str, bool, int, float)
CONFIGURED = ("region", "accessKey", "secretKey", "skipCredentialsValidation", "skipMetadataApiCheck")
PLUGIN = Plugin(name="aws", version="7.51.1", resources=(), config={name: Input() for name in CONFIGURED})


class AnyAws(Provider):
    """Makes the row of a type when somebody asks for it, one at a time: the SDK imports its modules lazily."""

    def row(self, request: Any) -> ResourceType:
        with LOCK:
            return row(request.type)


@cache
def row(token: str) -> ResourceType:
    computed = dict(_computed(sdk_class(token)))

    def create(call: Call) -> tuple[str, Values]:
        """Of what is no text, nothing."""
        id = f"id-of-{call.name}"
        texts = {name: f"{name}-of-{call.name}" for name, is_text in computed.items() if is_text}
        return id, {name: text for name, text in texts.items() if name not in call.inputs} | {"id": id}

    return ResourceType(token, inputs(token), create, outputs=tuple(computed), update=lambda call: {})


def sdk_class(token: str) -> Any:
    """The SDK's class of a type like `aws:ec2/vpc:Vpc`."""
    _, place, name = token.split(":")
    module = place.split("/")[0]
    return getattr(pkgutil.resolve_name(f"{pulumi_aws.__name__}.{module}{'_' * iskeyword(module)}"), name)


def inputs(token: str) -> Mapping[str, Input]:
    """By their names on the wire."""
    found = sdk_class(token)
    module = inspect.getmodule(found)
    arguments = getattr(module, f"{found.__name__}Args", None) or getattr(module, f"{found.__name__}InitArgs")
    given = inspect.signature(arguments).parameters.values()
    return dict(_fields(arguments, {each.name for each in given if each.default is inspect.Parameter.empty}))


def _fields(arguments: type, required: set[str]) -> Iterator[tuple[str, Input]]:
    kinds = _types.input_type_types(arguments)
    for name, wire in _types.input_type_py_to_pulumi_names(arguments).items():
        yield wire, _input(kinds[wire if wire in kinds else name], required=name in required)


def _input(declared: Any, *, required: bool = False) -> Input:
    for kind in _alternatives(declared):
        origin = typing.get_origin(kind)
        if inspect.isclass(kind) and _types.is_input_type(kind):
            return Input(dict, required=required, fields=dict(_fields(kind, set())))
        if inspect.isclass(origin) and issubclass(origin, Sequence):
            return Input(list, required=required, each=_input(typing.get_args(kind)[0]))
        if inspect.isclass(origin) and issubclass(origin, Mapping):
            return Input(dict, required=required)
    return Input(SCALARS, required=required)


def _alternatives(kind: Any) -> Iterator[Any]:
    """The members of a union, and of unions in it."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        for each in typing.get_args(kind):
            yield from _alternatives(each)
    else:
        yield kind


def _computed(found: Any) -> Iterator[tuple[str, bool]]:
    """What is there afterwards, whether the program gives it or not, and whether it is text."""
    for kept in vars(found).values():
        if isinstance(kept, property) and kept.fget is not None:
            (kind,) = typing.get_args(kept.fget.__annotations__["return"])
            if type(None) not in _alternatives(kind):
                yield kept.fget._pulumi_name, kind is str  # type: ignore[attr-defined]  # the SDK's own mark


if __name__ == "__main__":
    serve(PLUGIN, AnyAws)
