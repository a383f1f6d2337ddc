"""`cluster_args.py`, the settings as types for Python programs, from the settings themselves. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from chef_push_jobs.config.stack_config import StackConfig

WHOLE = "ChefPushJobsCluster"
HEAD = '''"""What a ChefPushJobsCluster is given, as types that editors and checkers know: the settings of a stack file.

Written by `chef-push-jobs docs` from `stack_config.py`: change it there.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict
'''
LONGEST = 110  # characters of a description on one line
PLAIN = {"string": "str", "integer": "int", "boolean": "bool"}

Schema = Mapping[str, Any]


def render() -> str:
    """The module's text: a class per section, each after the classes that it uses."""
    whole = StackConfig.model_json_schema(by_alias=True)
    definitions = {name: found for name, found in whole["$defs"].items() if "properties" in found}
    ordered: dict[str, Schema] = {}

    def add(name: str, section: Schema) -> None:
        for other, found in definitions.items():
            if other not in ordered and f"'#/$defs/{other}'" in str(section["properties"]):
                add(other, found)
        ordered[name] = section

    add(WHOLE, whole)
    return "\n\n".join(
        [HEAD, *("\n".join(_class(name, found, whole["$defs"])) + "\n" for name, found in ordered.items())]
    )


def _class(name: str, section: Schema, definitions: Mapping[str, Schema]) -> Iterator[str]:
    yield f"class {name}ArgsDict(TypedDict):"
    yield f'    """{section["description"].partition(chr(10))[0]}"""'
    for key, field in section["properties"].items():
        kind = _type(field, definitions)
        yield ""
        yield f"    {key}: {kind if key in section.get('required', ()) else f'NotRequired[{kind}]'}"
        described = field.get("description") or definitions[field["$ref"].rpartition("/")[2]]["description"]
        yield from _docstring(described)


def _docstring(text: str) -> Iterator[str]:
    if len(text) <= LONGEST:
        yield f'    """{text}"""'
    else:
        summary, _, rest = text.partition(". ")
        yield from (f'    """{summary}.', "", *(f"    {line}" for line in textwrap.wrap(rest, LONGEST)), '    """')


def _type(field: Schema, definitions: Mapping[str, Schema]) -> str:
    if "anyOf" in field:
        return " | ".join(_type(one, definitions) for one in field["anyOf"] if one.get("type") != "null")
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"{name}ArgsDict" if "properties" in definitions[name] else _type(definitions[name], definitions)
    if choices := field.get("enum") or ([field["const"]] if "const" in field else []):
        return f"Literal[{', '.join(f'{choice!r}' for choice in choices)}]".replace("'", '"')
    if field["type"] == "array":
        return f"list[{_type(field['items'], definitions)}]"
    if field["type"] == "object":
        values = [*field.get("patternProperties", {}).values()] or [field["additionalProperties"]]
        return f"dict[str, {_type(values[0], definitions)}]"
    return PLAIN[field["type"]]
