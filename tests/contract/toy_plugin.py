"""A plugin with one resource type, kept in memory: `test_framework.py` sees what the framework does with a row."""

from __future__ import annotations

import itertools

from sandbox.plugins.framework import provider
from sandbox.plugins.framework.table import (
    Call,
    Failure,
    Function,
    Input,
    PartialError,
    Plugin,
    PluginError,
    ResourceType,
)
from sandbox.plugins.framework.values import Values

BOXES: dict[str, Values] = {}
NUMBERS = itertools.count(1)


def create(call: Call) -> tuple[str, Values]:
    size = call.inputs["size"]
    if size > 90:
        raise PluginError("no box is that large")
    if size > 80:
        raise KeyError("a mistake")
    id = f"box-{next(NUMBERS)}"
    BOXES[id] = call.inputs | {"serial": id.upper(), "volume": size**3, "key": "k"}
    if size > 70:
        raise PartialError("made, but it does not close", id, {"serial": id.upper()})
    return id, {"serial": id.upper(), "volume": size**3, "key": "k"}


def update(call: Call) -> Values:
    BOXES[call.id] |= call.inputs | {"volume": call.inputs["size"] ** 3}
    return {"volume": call.inputs["size"] ** 3}


def read(call: Call) -> Values | None:
    found = BOXES.get(call.id)
    return found and found | {"tags": list(reversed(found.get("tags", [])))}


def delete(call: Call) -> None:
    del BOXES[call.id]


def check(values: Values) -> list[Failure]:
    return [Failure("size", "a box has a size")] if values["size"] == 0 else []


BOX = ResourceType(
    "toy:index:Box",
    inputs={
        "size": Input(int, required=True),
        "name": Input(str, default=lambda name: f"{name}-{next(NUMBERS):04}", replaces=True),
        "colour": Input(str, default="grey", replaces=lambda olds, news: news["size"] > 50),
        "tags": Input(list, each=Input(str), unordered=True),
        "lock": Input(dict, fields={"code": Input(str, secret=True), "kind": Input(str, default="pin")}),
    },
    outputs=("serial", "volume", "key"),
    volatile=("volume",),
    secret_outputs=("key",),
    create=create,
    update=update,
    read=read,
    delete=delete,
    check=check,
)
PLUGIN = Plugin(
    name="toy",
    version="1.0.0",
    resources=(BOX,),
    functions=(
        Function("toy:index:double", {"n": Input(int, required=True)}, lambda call: {"twice": 2 * call.inputs["n"]}),
        Function("toy:index:config", {}, lambda call: call.config),
    ),
    config={"region": Input(str), "endpoints": Input(list, each=Input(dict)), "strict": Input(bool)},
)

if __name__ == "__main__":
    provider.serve(PLUGIN)
