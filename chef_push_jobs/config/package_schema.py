"""The package's schema, derived from the settings, so a new setting is in it automatically. Pure.

Defaults are in the descriptions only. An SDK would send them, and then nobody could tell what the user set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chef_push_jobs import __version__
from chef_push_jobs.config.stack_config import StackConfig

NAME = "chef-push-jobs"
VERSION = __version__
TOKEN = f"{NAME}:index:ChefPushJobsCluster"
ANY = {"$ref": "pulumi.json#/Any"}

Schema = dict[str, Any]

_SERVER = {
    "fqdn": "Fully qualified domain name.",
    "role": "backend or frontend.",
    "address": "Address that the operator reaches it at.",
    "hostKey": "Its SSH host key, an OpenSSH line.",
}
OUTPUTS: Schema = {
    "servers": {
        "type": "object",
        "additionalProperties": {"$ref": f"#/types/{NAME}:index:Server"},
        "description": "The servers, by name.",
    },
    "ports": {
        "type": "object",
        "additionalProperties": {"type": "integer"},
        "description": "The TCP ports of push jobs, by their key in opscode-push-jobs-server.rb.",
    },
    "test": {"type": "string", "description": "The last line of opscode-push-jobs-server-ctl test, on the master."},
    "entry": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "How clients reach Chef server: apiFqdn, and loadBalancer if the settings ask for one.",
    },
    "bastion": {
        "type": "object",
        "additionalProperties": {"$ref": "pulumi.json#/Any"},
        "description": "The bastion, if the settings ask for one, as settings of ssh.proxy.",
    },
    "vip": {"type": "string", "description": "The backends' address that moves on failover, if there is one."},
}
ALWAYS = ("servers", "ports", "test")


def schema() -> Schema:
    """What `pulumi package get-schema` shows."""
    settings = StackConfig.model_json_schema(by_alias=True)
    definitions = settings["$defs"]
    inputs = dict(_properties(settings, definitions))
    types = {
        f"{NAME}:index:{name}": _object(definition, definitions)
        for name, definition in definitions.items()
        if "properties" in definition
    }
    return {
        "name": NAME,
        "version": VERSION,
        "displayName": "Chef push jobs",
        "description": "A highly available Chef server cluster with push jobs rolled out on it.",
        "license": "Apache-2.0",
        "resources": {
            TOKEN: {
                "isComponent": True,
                "type": "object",
                "description": "A Chef server cluster with push jobs; all names in it begin with its own.",
                "inputProperties": {name: {**value, "plain": True} for name, value in inputs.items()},
                "requiredInputs": settings.get("required", []),
                "properties": OUTPUTS,
                "required": list(ALWAYS),
            }
        },
        "types": {**types, f"{NAME}:index:Server": _server()},
        "language": {language: {"respectSchemaVersion": True} for language in ("nodejs", "python", "go", "csharp")},
    }


def _server() -> Schema:
    properties = {name: {"type": "string", "description": text} for name, text in _SERVER.items()}
    return {
        "type": "object",
        "description": "A server.",
        "properties": properties,
        "required": list(properties),
    }


def _object(definition: Schema, definitions: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "description": definition.get("description", "").partition("\n")[0],
        "properties": dict(_properties(definition, definitions)),
        "required": definition.get("required", []),
    }


def _properties(model: Schema, definitions: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    for name, field in model["properties"].items():
        words = [_described(field, definitions), *_choices(field, definitions), *_default(field)]
        yield name, {**_type(field, definitions), "description": " ".join(words)}


def _type(field: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """A value's type in Pulumi's terms; ANY if there are several."""
    if options := _options(field):
        return _type(options[0], definitions) if len(options) == 1 else ANY
    if reference := field.get("$ref"):
        name = reference.rpartition("/")[2]
        return {"$ref": f"#/types/{NAME}:index:{name}"} if "properties" in definitions[name] else {"type": "string"}
    match field.get("type"):
        case "array":
            return {"type": "array", "items": _type(field["items"], definitions)}
        case "object":
            values = [*field.get("patternProperties", {}).values()] or [field["additionalProperties"]]
            return {"type": "object", "additionalProperties": _type(values[0], definitions)}
        case "string" | "integer" | "boolean" as plain:
            return {"type": plain}
        case other:
            raise ValueError(f"no type of Pulumi's schema for {other}: {field}")


def _described(field: Schema, definitions: Mapping[str, Schema]) -> str:
    """Pydantic leaves out what the section itself says."""
    section = definitions.get(field.get("$ref", "").rpartition("/")[2], {})
    return str(field.get("description") or section["description"])


def _options(field: Schema) -> list[Schema]:
    return [option for option in field.get("anyOf", []) if option.get("type") != "null"]


def _choices(field: Schema, definitions: Mapping[str, Schema]) -> Iterator[str]:
    """The values of a choice, unless the description lists them."""
    for option in _options(field) or [field]:
        found = definitions[option["$ref"].rpartition("/")[2]] if "$ref" in option else option
        values = [str(value) for value in found.get("enum", [])]
        if not all(value in field.get("description", "") for value in values):
            yield f"One of {', '.join(values)}."


def _default(field: Schema) -> Iterator[str]:
    default = field.get("default")
    if isinstance(default, str | int) and default != "" and default is not False:
        yield f"Default: {str(default).lower() if isinstance(default, bool) else default}."
