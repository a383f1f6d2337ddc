"""What a change of inputs means for a resource: nothing, an update or a replacement, property by property.

Does not compare with the outputs: only inputs differ, as in the official command and AWS plugins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sandbox.plugins.framework.protocol import provider_pb2
from sandbox.plugins.framework.table import ResourceType
from sandbox.plugins.framework.values import Path, Values, differences, path_text, same

Side = tuple[Values, frozenset[Path]]

KINDS = {
    "add": provider_pb2.PropertyDiff.ADD,
    "add-replace": provider_pb2.PropertyDiff.ADD_REPLACE,
    "delete": provider_pb2.PropertyDiff.DELETE,
    "delete-replace": provider_pb2.PropertyDiff.DELETE_REPLACE,
    "update": provider_pb2.PropertyDiff.UPDATE,
    "update-replace": provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def response(row: ResourceType, old: Side, new: Side, ignored: Collection[str]) -> Any:
    """The answer to Diff. A secret is compared as a whole: no path leads inside it."""
    (olds, old_secrets), (news, new_secrets) = old, new
    olds = {key: value for key, value in olds.items() if _compared(key, row, ignored)}
    news = in_old_order(row, olds, {key: value for key, value in news.items() if _compared(key, row, ignored)})
    kinds = {}
    for path, kind in differences(olds, news, whole=old_secrets | new_secrets):
        kinds[path_text(path)] = f"{kind}-replace" if _replaces(row, path, olds, news) else kind
    return changes(kinds, row.delete_before_replace)


def _compared(key: str, row: ResourceType, ignored: Collection[str]) -> bool:
    return key in row.inputs and key not in ignored


def _replaces(row: ResourceType, path: Path, olds: Values, news: Values) -> bool:
    if row.update is None:
        return True
    if len(path) > 1 and not row.nested_replaces:
        return False
    rule = row.inputs[str(path[0])].replaces
    return rule(olds, news) if callable(rule) else rule


def changes(kinds: Mapping[str, str], delete_before_replace: bool = False) -> Any:
    """The answer for each changed path and its kind of change; without any, nothing changed."""
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if kinds else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=_tops(path for path, kind in kinds.items() if kind.endswith("-replace")),
        diffs=_tops(kinds),
        detailedDiff={path: provider_pb2.PropertyDiff(kind=KINDS[kind]) for path, kind in kinds.items()},
        hasDetailedDiff=True,
        deleteBeforeReplace=delete_before_replace,
    )


def _tops(paths: Iterable[str]) -> list[str]:
    """The names of the properties that the paths lead into, each once."""
    return list(dict.fromkeys(re.split(r"[.\[]", path, maxsplit=1)[0] for path in paths))


def in_old_order(row: ResourceType, olds: Values, news: Values) -> Values:
    """The new values; an unordered list with the same content keeps its old order."""
    kept = {key: olds[key] for key, rule in row.inputs.items() if rule.unordered and _same_set(olds, news, key)}
    return news | kept


def _same_set(olds: Values, news: Values, key: str) -> bool:
    old, new = olds.get(key), news.get(key)
    if not isinstance(old, list) or not isinstance(new, list):
        return False
    return same(sorted(old, key=repr), sorted(new, key=repr))
