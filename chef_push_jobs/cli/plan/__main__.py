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
from chef_push_jobs.cli.plan.picture import Picture, draw
from chef_push_jobs.config import stack_files
from chef_push_jobs.config.settings import Settings, SettingsError
from chef_push_jobs.config.stack_files import StackFileError
from chef_push_jobs.engine import preview
from chef_push_jobs.engine.preview import Preview, PreviewError
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.steps import push_jobs_servers

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
        settings = stack_files.settings(
            stack_files.read_configuration(given.stack, ROOT, given.config_file), ROOT, files=False
        )
        changed = None if given.preview is None else running(_preview(given.preview, given.stack), settings)
    except (StackFileError, SettingsError, PreviewError, OSError, UnicodeDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    picture = draw(given.stack, settings, changed)
    if changed and (strange := sorted(changed - _known(picture))):
        told = "not in this plan; was another file previewed? --config-file names it"
        print(f"warning: the preview runs {', '.join(strange)}: {told}", file=sys.stderr)
    sys.stdout.write(FORMATS[given.format](picture))
    return 0


def running(found: Preview, settings: Settings) -> frozenset[str]:
    """Names of the tasks that a preview runs. Firewall rules are the task of that name, on the servers behind them."""
    ports = set(push_jobs.ports(settings).values())
    rules = (one for one in found.different if one.type.endswith(":SecurityGroupIngressRule"))
    opens = any((rule.after or rule.before).get("fromPort") in ports for rule in rules)
    firewall = {server.name for server in push_jobs_servers(settings.topology)}
    checked = {name.removeprefix("firewall-") for name in found.running if name.startswith("firewall-")}
    behind = (firewall if opens else set()) | checked
    return found.running | {f"{push_jobs.NAME}-firewall-{server}" for server in behind}


def _known(picture: Picture) -> set[str]:
    """Names of the tasks in it, and of the checks that are its firewall step where servers exist already."""
    lanes = {lane.name: lane.servers for lane in picture.lanes}
    tasks = {f"{key.step}-{server}" for key in picture.tasks for server in lanes[key.server]}
    return tasks | {task.removeprefix(f"{push_jobs.NAME}-") for task in tasks if "-firewall-" in task}


def _preview(file: str, stack: str) -> Preview:
    found = preview.parse_preview(sys.stdin.read() if file == "-" else Path(file).read_text())
    if found.stack not in (None, stack):
        raise PreviewError(f"it is a preview of stack {found.stack}, not of {stack}")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
