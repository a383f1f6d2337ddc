"""python -m chef_push_jobs.cli.docs check --stack STACK | write

check  shows each setting of a stack, its value and where that comes from, then all problems in one message; it reads
       the stack's file, no engine and no cloud. Exit status: 0 all is well, 1 problems, 2 there is no such stack.
write  writes what is derived: docs/settings.md and stacks/schema.json from the settings, the tables of flows in
       docs/chef.md and docs/network.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from chef_push_jobs.config import editor_schema, reference, stack_files
from chef_push_jobs.config.explanation import explain
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import StackFileError
from chef_push_jobs.model import flows
from chef_push_jobs.runbook.plan import adjustable, time_limits
from chef_push_jobs.runbook.stack import load_stack

ROOT = Path(__file__).parents[3]
BEGIN = "<!-- flows: written by `python -m chef_push_jobs.cli.docs write` from chef_push_jobs/model/flows.py -->"
END = "<!-- end of flows -->"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m chef_push_jobs.cli.docs",
        description=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="the settings of a stack, and what is wrong with them")
    check.add_argument("--stack", required=True, help="its file is stacks/Pulumi.STACK.yaml")
    commands.add_parser("write", help="write what is derived: docs/settings.md, stacks/schema.json, tables of flows")
    given = parser.parse_args(arguments)
    if given.command == "write":
        for name, text in derived(ROOT).items():
            (ROOT / name).write_text(text)
        return 0
    try:
        configuration = stack_files.read_configuration(given.stack, ROOT)
    except StackFileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(explain(given.stack, configuration))
    try:
        load_stack(configuration, ROOT)
    except SettingsError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def derived(root: Path) -> dict[str, str]:
    """The files that are derived, wholly or in part, by path."""
    project, keys = stack_files.project(root), {"timeLimits": adjustable()}
    return {
        "docs/settings.md": reference.render(project, keys, time_limits()),
        "stacks/schema.json": json.dumps(editor_schema.for_editors(project, keys), indent=2, ensure_ascii=False) + "\n",
        "docs/chef.md": _between((root / "docs/chef.md").read_text(), flows.table(flows.CHEF_FLOWS)),
        "docs/network.md": _between((root / "docs/network.md").read_text(), flows.table(flows.OWN_FLOWS)),
    }


def _between(document: str, table: str) -> str:
    """The document with the table between its markers."""
    before, rest = document.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
