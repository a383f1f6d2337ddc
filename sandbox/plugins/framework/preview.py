"""The outputs that a preview shows for a resource to be created or updated: which are known, and which are not."""

from __future__ import annotations

from sandbox.plugins.framework.table import ResourceType
from sandbox.plugins.framework.values import UNKNOWN, Values, contains_unknown, same


def created(row: ResourceType, news: Values) -> Values:
    """The inputs, and every output: unknown unless an input of the same name defines it."""
    return dict.fromkeys(row.outputs, UNKNOWN) | news


def updated(row: ResourceType, olds: Values, news: Values) -> Values:
    """Old outputs and new inputs; a volatile output is unknown if an input is, or differs from the old state's."""
    changed = any(
        contains_unknown(news.get(key)) or (key in olds and not same(news.get(key), olds[key])) for key in row.inputs
    )
    unknown = dict.fromkeys(row.volatile, UNKNOWN) if changed else {}
    return outputs_only(row, olds) | unknown | news


def outputs_only(row: ResourceType, state: Values) -> Values:
    """The state without the inputs, except those that are also outputs."""
    return {key: value for key, value in state.items() if key not in row.inputs or key in row.outputs}
