"""The files that are derived from the settings and the stacks: reference, schema for editors, plans.

Pure, except for reading the stack files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from chef_push_jobs.cli.docs import architecture
from chef_push_jobs.cli.plan import costs
from chef_push_jobs.cli.plan.examples import examples
from chef_push_jobs.config import editor_schema, reference, stack_files, typed_dicts
from chef_push_jobs.model import flows, prices, versions
from chef_push_jobs.runbook.plan import adjustable, time_limits
from chef_push_jobs.runbook.stack import load_stack

EXAMPLES = "docs/examples"
EXAMPLE = "example-aws"  # the stack whose costs docs/aws.md shows
# By document: the module that a table is written from, the table's name, and its text.
TABLES = {
    "docs/chef.md": [
        ("model/versions.py", "versions of push jobs", versions.push_jobs_table()),
        ("model/versions.py", "versions of core", versions.core_table()),
        ("model/flows.py", "flows", flows.table(flows.CHEF_FLOWS)),
    ],
    "docs/network.md": [("model/flows.py", "flows", flows.table(flows.OWN_FLOWS))],
    "docs/aws.md": [
        ("model/prices.py", "prices", prices.prices_table()),
        ("model/prices.py", "quotas", prices.quotas_table()),
    ],
}
ARGUMENTS = "chef_push_jobs/config/cluster_args.py"
ARCHITECTURE = "docs/examples/architecture.svg"


def derived(root: Path) -> dict[str, str]:
    """Each file's content by its path in the project.

    Raises StackFileError, and SettingsError if a stack cannot be drawn.
    """
    project, keys = stack_files.project(root), {"timeLimits": adjustable()}
    schema = stack_files.folder(root).relative_to(root) / "schema.json"
    return {
        "docs/settings.md": reference.render(project, keys, time_limits()),
        str(schema): json.dumps(editor_schema.for_editors(project, keys), indent=2, ensure_ascii=False) + "\n",
        **({ARGUMENTS: typed_dicts.render()} if (root / ARGUMENTS).exists() else {}),  # in a clone of this project
        **({ARCHITECTURE: architecture.render()} if (root / ARCHITECTURE).exists() else {}),
        **_with_tables(root),
        **{f"{EXAMPLES}/{name}": text for name, text in examples(root).items()},
    }


def _with_tables(root: Path) -> dict[str, str]:
    """The documents of a clone that have tables between markers, with those tables updated."""
    found = {}
    for name, tables in TABLES.items():
        if (root / name).exists():
            found[name] = _filled((root / name).read_text(), [*tables, *_example(root, name)])
    return found


def _example(root: Path, document: str) -> Iterator[tuple[str, str, str]]:
    if document == "docs/aws.md" and EXAMPLE in stack_files.names(root):
        plan = load_stack(stack_files.read_configuration(EXAMPLE, root), root, files=False)
        yield "cli/plan/costs.py", "example", f"```text\n{costs.render(EXAMPLE, costs.costs(plan.settings))}```"


def _filled(text: str, tables: Sequence[tuple[str, str, str]]) -> str:
    for module, name, table in tables:
        begin = f"<!-- {name}: written by `chef-push-jobs docs` from chef_push_jobs/{module} -->"
        end = f"<!-- end of {name} -->"
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end, 1)[1]}"
    return text
