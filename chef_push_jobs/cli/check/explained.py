"""The settings of a stack as text and as JSON. Pure.

The shape of the JSON, on one object:
    stack     its name
    settings  [{"setting": its path, "value": as text, or null where it is not set,
              "from": "stack file", "default" or null, "description": …}]
    problems  [{"setting": its path, "given": …, "rule": …, "remedy": …}]
"""

from __future__ import annotations

import json
from dataclasses import asdict

from chef_push_jobs.config.explanation import Explanation, Value
from chef_push_jobs.model.shown import line

MOST = 5000  # longest value shown, in characters


def as_text(found: Explanation) -> str:
    lines = [f"Settings of stack {found.stack}:", ""]
    for value in found.values:
        lines += [f"{value.setting}: {_shown(value)}", f"    {value.description}"]
    return "\n".join(lines)


def as_json(found: Explanation) -> str:
    document = {
        "stack": found.stack,
        "settings": [
            {"setting": one.setting, "value": one.value, "from": one.source, "description": one.description}
            for one in found.values
        ],
        "problems": [asdict(problem) for problem in found.problems],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _shown(value: Value) -> str:
    return "not set" if value.source is None else f"{line(str(value.value), most=MOST)}  [{value.source}]"
