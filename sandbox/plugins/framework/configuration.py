"""A provider's configuration: on the wire a flat object of strings, in which nested values are JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.plugins.framework.inputs import failures as input_failures
from sandbox.plugins.framework.table import Failure, Input
from sandbox.plugins.framework.values import UNKNOWN, Values

ENGINE_KEYS = frozenset({"version", "pluginDownloadURL", "pluginChecksums", "parameterization", "name"})


def parsed(values: Values, declared: Mapping[str, Input]) -> Values:
    """The values, parsed from JSON if they are not declared as strings; without the engine's own values."""
    own = {key: value for key, value in values.items() if key not in ENGINE_KEYS and not key.startswith("__")}
    return {key: _parsed(value, declared.get(key)) for key, value in own.items() if value is not UNKNOWN}


def _parsed(value: Any, rule: Input | None) -> Any:
    if rule is None or rule.kind in (str, object) or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # of the wrong type, which the check reports


def failures(values: Values, declared: Mapping[str, Input]) -> list[Failure]:
    """Every reason to refuse the configuration."""
    return list(input_failures(parsed(values, declared), declared))


def changed(old: Values, new: Values) -> list[str]:
    """The names whose values differ; the plugin's own version is not part of the configuration."""
    keys = (old.keys() | new.keys()) - ENGINE_KEYS
    return sorted(key for key in keys if not key.startswith("__") and old.get(key) != new.get(key))
