"""The command line of `chef-push-jobs plan`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chef_push_jobs.cli.common import (
    WELL,
    CommandError,
    ConfigFileOption,
    OutputOption,
    StackOption,
    place,
    project_root,
    read,
    tell,
    write,
)
from chef_push_jobs.cli.plan import costs as stack_costs
from chef_push_jobs.cli.plan import document, mermaid, svg, text
from chef_push_jobs.cli.plan.picture import draw
from chef_push_jobs.config import stack_files
from chef_push_jobs.engine import preview
from chef_push_jobs.engine.preview import Preview, PreviewError
from chef_push_jobs.engine.pulumi_cli import Pulumi
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import StackPlan, TaskId
from chef_push_jobs.runbook.stack import load_stack
from chef_push_jobs.runbook.steps import Action


class Format(StrEnum):
    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


FORMATS = {
    Format.TEXT: text.render,
    Format.MERMAID: mermaid.render,
    Format.SVG: svg.render,
    Format.JSON: document.render,
}

COSTS = {Format.TEXT: stack_costs.render, Format.JSON: stack_costs.document}


def plan(
    *,
    stack: StackOption = None,
    config_file: ConfigFileOption = None,
    preview_file: Annotated[
        Path | None,
        typer.Option(
            "--preview",
            metavar="FILE",
            help="Output of `pulumi preview --json` (- for standard input): highlight the tasks that it runs.",
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Output format.")] = Format.TEXT,
    costs: Annotated[
        bool,
        typer.Option(
            "--costs", help="Show instead what the stack's resources cost per hour and per month, as text or JSON."
        ),
    ] = False,
    output: OutputOption = None,
) -> int:
    """Draw what will run where, in which order, and why.

    Servers are columns, steps are rows. Reads only the stack file: contacts no cloud and no server, does not decrypt
    secrets, and does not check packages.
    """
    root = project_root()
    name = place(Pulumi(root), stack, config_file).stack
    planned = load_stack(stack_files.read_configuration(name, root, config_file), root, files=False)
    if costs:
        write(_costs(name, planned, form), output)
        return WELL
    changed = None if preview_file is None else running(_preview(preview_file, name), planned)
    picture = draw(name, planned, changed)
    if changed and (strange := sorted(str(task) for task in changed if task not in planned.tasks)):
        why = "not in this plan; if the preview used a different settings file, name it with --config-file"
        tell(f"warning: the preview runs {', '.join(strange)}: {why}")
    write(FORMATS[form](picture), output)
    return WELL


def _costs(stack: str, plan: StackPlan, form: Format) -> str:
    if form not in COSTS:
        raise CommandError(f"costs are printed as {' or '.join(COSTS)}, not as {form}: choose another --format")
    return COSTS[form](stack, stack_costs.costs(plan.settings))


def running(found: Preview, plan: StackPlan) -> frozenset[TaskId]:
    """The tasks that a preview runs. Firewall rules for push jobs ports stand for the step whose action is `rules`."""
    ports = set(push_jobs.ports(plan.settings).values())
    rules = (one for one in found.different if one.type.endswith(":SecurityGroupIngressRule"))
    opens = any((rule.after or rule.before).get("fromPort") in ports for rule in rules)
    firewall = {task.id for task in plan.tasks.values() if opens and task.action is Action.RULES}
    return frozenset(firewall) | {plan.identify(name) for name in found.running}


def _preview(file: Path, stack: str) -> Preview:
    found = preview.parse_preview(read(file))
    if found.stack not in (None, stack):
        raise PreviewError(f"this is a preview of stack {found.stack}, not of {stack}")
    return found
