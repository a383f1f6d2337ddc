"""The settings of `stack_config.py` as JSON schema: pydantic's, resolved, and adapted for editors. Pure.

The editor's schema is for a whole `Pulumi.STACK.yaml`. Pulumi stores top-level numbers and booleans as text, and a
secret may be `secure:`; the schema allows both. It has no rules about several settings: `check` reports those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chef_push_jobs.config.stack_config import StackConfig

Schema = dict[str, Any]
# The keys that a setting accepts, by its name, if only the runbooks know them.
Keys = Mapping[str, Sequence[str]]
DRAFT = "http://json-schema.org/draft-07/schema#"
SECURE: Schema = {"properties": {"secure": {"type": "string"}}, "required": ["secure"], "additionalProperties": False}


def resolved(keys: Keys | None = None) -> Schema:
    """Without references and titles, and without null for what may be left out."""
    found = StackConfig.model_json_schema(by_alias=True)
    schema = _resolve(found, found.get("$defs", {}))
    for setting, names in (keys or {}).items():
        schema["properties"][setting]["propertyNames"] = {"enum": list(names)}
    return schema


def for_editors(project: str, keys: Keys) -> Schema:
    settings = resolved(keys)
    return {
        "$schema": DRAFT,
        "title": f"A stack of {project}",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"{project}:{name}": _editor(one) for name, one in settings["properties"].items()},
                "patternProperties": {f"^(?!{project}:)": {}},
                "additionalProperties": False,
                "required": [f"{project}:{name}" for name in settings["required"]],
            }
        },
        "required": ["config"],
    }


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        own = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolve({**definitions[name], **own}, definitions)
    options = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(options) == 1:
        own = {key: value for key, value in schema.items() if key != "anyOf"}
        return _resolve({**_resolve(options[0], definitions), **own}, definitions)
    found = {key: value for key, value in schema.items() if key not in ("$defs", "title")}
    if found.get("default", "") is None:
        del found["default"]
    for key in ("properties", "patternProperties"):
        if key in found:
            found[key] = {name: _resolve(one, definitions) for name, one in found[key].items()}
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(found.get(key), dict):
            found[key] = _resolve(found[key], definitions)
    if options:
        found["anyOf"] = [_resolve(one, definitions) for one in options]
    return found


def _editor(schema: Schema) -> Schema:
    """With the rule in the description, and with every form in which Pulumi accepts the value."""
    found = {key: value for key, value in schema.items() if key not in ("rule", "format", "writeOnly")}
    if "rule" in schema:
        found["description"] = f"{found.get('description', '')} Rule: {schema['rule']}.".strip()
    if isinstance(found.get("default"), dict | list):
        del found["default"]  # the settings in it have their own defaults
    match found.get("type"):
        case "string" if schema.get("writeOnly"):
            found |= {"type": ["string", "object"], **SECURE}
        case "integer":
            found |= {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}
        case "boolean":
            found |= {"type": ["boolean", "string"], "enum": [True, False, "true", "false"]}
        case "array":
            found["items"] = _editor(found["items"])
        case "object":
            found |= _editor_object(found)
    if "anyOf" in found:
        found["anyOf"] = [_editor(one) for one in found["anyOf"]]
    return found


def _editor_object(schema: Schema) -> Schema:
    found: Schema = {"additionalProperties": False}
    for key in ("properties", "patternProperties"):
        if key in schema:
            found[key] = {name: _editor(one) for name, one in schema[key].items()}
    names = schema.get("propertyNames", {}).get("enum")
    if names:  # so that an editor offers them
        return {**found, "properties": dict.fromkeys(names, _editor(schema["additionalProperties"]))}
    return found if len(found) > 1 else {"additionalProperties": _editor(schema["additionalProperties"])}
