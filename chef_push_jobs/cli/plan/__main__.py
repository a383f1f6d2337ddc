"""python -m chef_push_jobs.cli.plan --stack STACK [--format text|mermaid|svg|json] [--preview FILE] [--config-file
FILE]

Draws the plan of a stack: servers as lanes, steps as rows, and for each why it waits and when it runs again. It reads
the stack's file alone: no cloud and no server is asked, secrets stay closed, packages are not looked at.
Exit status: 0, or 2 where there is nothing to draw, with why.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chef_push_jobs.cli.plan import document, mermaid, svg, text
from chef_push_jobs.cli.plan.picture import draw
from chef_push_jobs.config import stack_files
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import StackFileError
from chef_push_jobs.engine import preview
from chef_push_jobs.engine.preview import Preview, PreviewError
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import StackPlan, TaskId
from chef_push_jobs.runbook.stack import load_stack
from chef_push_jobs.runbook.steps import Action

ROOT = Path(__file__).parents[3]
FORMATS = {"text": text.render, "mermaid": mermaid.render, "svg": svg.render, "json": document.render}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m chef_push_jobs.cli.plan", description=__doc__.split("\n\n", 1)[1])
    parser.add_argument("--stack", required=True, help="its file is stacks/Pulumi.STACK.yaml")
    parser.add_argument("--format", choices=FORMATS, default="text", help="text, if nothing is said")
    parser.add_argument(
        "--preview",
        metavar="FILE",
        help="output of `pulumi preview --json`, - for standard input: all but its tasks grey",
    )
    parser.add_argument(
        "--config-file", type=Path, metavar="FILE", help="its settings, where they are in another place"
    )
    given = parser.parse_args(arguments)
    try:
        plan = load_stack(stack_files.read_configuration(given.stack, ROOT, given.config_file), ROOT, files=False)
        changed = None if given.preview is None else running(_preview(given.preview, given.stack), plan)
    except (StackFileError, SettingsError, PreviewError, OSError, UnicodeDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    picture = draw(given.stack, plan, changed)
    if changed and (strange := sorted(str(task) for task in changed if task not in plan.tasks)):
        told = "not in this plan; was another file previewed? --config-file names it"
        print(f"warning: the preview runs {', '.join(strange)}: {told}", file=sys.stderr)
    sys.stdout.write(FORMATS[given.format](picture))
    return 0


def running(found: Preview, plan: StackPlan) -> frozenset[TaskId]:
    """The tasks that a preview runs. Rules of push jobs ports are those whose action is rules."""
    ports = set(push_jobs.ports(plan.settings).values())
    rules = (one for one in found.different if one.type.endswith(":SecurityGroupIngressRule"))
    opens = any((rule.after or rule.before).get("fromPort") in ports for rule in rules)
    firewall = {task.id for task in plan.tasks.values() if opens and task.action is Action.RULES}
    return frozenset(firewall) | {plan.identify(name) for name in found.running}


def _preview(file: str, stack: str) -> Preview:
    found = preview.parse_preview(sys.stdin.read() if file == "-" else Path(file).read_text())
    if found.stack not in (None, stack):
        raise PreviewError(f"it is a preview of stack {found.stack}, not of {stack}")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
