"""The files that are derived from the settings and the stacks: reference, schema for editors, plans. Pure but for
the stack files.
"""

from __future__ import annotations

import json
from pathlib import Path

from chef_push_jobs.cli.plan.examples import examples
from chef_push_jobs.config import editor_schema, reference, stack_files, typed_dicts
from chef_push_jobs.runbook.plan import adjustable, time_limits

EXAMPLES = "docs/examples"
ARGUMENTS = "chef_push_jobs/config/cluster_args.py"


def derived(root: Path) -> dict[str, str]:
    """By path below the project's folder. Raises StackFileError, and SettingsError for a stack that cannot be drawn."""
    project, keys = stack_files.project(root), {"timeLimits": adjustable()}
    schema = stack_files.folder(root).relative_to(root) / "schema.json"
    return {
        "docs/settings.md": reference.render(project, keys, time_limits()),
        str(schema): json.dumps(editor_schema.for_editors(project, keys), indent=2, ensure_ascii=False) + "\n",
        **({ARGUMENTS: typed_dicts.render()} if (root / ARGUMENTS).exists() else {}),  # in a clone of this project
        **{f"{EXAMPLES}/{name}": text for name, text in examples(root).items()},
    }
