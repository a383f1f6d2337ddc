"""The files that are derived from the settings and the stacks: reference, schema for editors, plans. Pure but for
the stack files.
"""

from __future__ import annotations

import json
from pathlib import Path

from chef_push_jobs.cli.docs import architecture
from chef_push_jobs.cli.plan.examples import examples
from chef_push_jobs.config import editor_schema, reference, stack_files, typed_dicts
from chef_push_jobs.model import flows
from chef_push_jobs.runbook.plan import adjustable, time_limits

EXAMPLES = "docs/examples"
BEGIN = "<!-- flows: written by `chef-push-jobs docs` from chef_push_jobs/model/flows.py -->"
END = "<!-- end of flows -->"
FLOWS = {"docs/chef.md": flows.CHEF_FLOWS, "docs/network.md": flows.OWN_FLOWS}
ARGUMENTS = "chef_push_jobs/config/cluster_args.py"
ARCHITECTURE = "docs/examples/architecture.svg"


def derived(root: Path) -> dict[str, str]:
    """By path below the project's folder. Raises StackFileError, and SettingsError for a stack that cannot be drawn."""
    project, keys = stack_files.project(root), {"timeLimits": adjustable()}
    schema = stack_files.folder(root).relative_to(root) / "schema.json"
    return {
        "docs/settings.md": reference.render(project, keys, time_limits()),
        str(schema): json.dumps(editor_schema.for_editors(project, keys), indent=2, ensure_ascii=False) + "\n",
        **({ARGUMENTS: typed_dicts.render()} if (root / ARGUMENTS).exists() else {}),  # in a clone of this project
        **({ARCHITECTURE: architecture.render()} if (root / ARCHITECTURE).exists() else {}),
        **_with_flows(root),
        **{f"{EXAMPLES}/{name}": text for name, text in examples(root).items()},
    }


def _with_flows(root: Path) -> dict[str, str]:
    """The documents of a clone that have a table of flows between two markers."""
    there = {name: table for name, table in FLOWS.items() if (root / name).exists()}
    return {name: _between((root / name).read_text(), flows.table(table)) for name, table in there.items()}


def _between(document: str, table: str) -> str:
    """The document with the table between its markers."""
    before, rest = document.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END, 1)[1]}"
