"""The plan of every stack of a project, in each form that a document can show. Pure, except for the stack files."""

from __future__ import annotations

from pathlib import Path

from chef_push_jobs.cli.plan import mermaid, svg, text
from chef_push_jobs.cli.plan.picture import draw
from chef_push_jobs.config import stack_files
from chef_push_jobs.runbook.stack import load_stack

FORMATS = {"txt": text.render, "mmd": mermaid.render, "svg": svg.render}


def examples(root: Path) -> dict[str, str]:
    """Their contents, by file name."""
    found: dict[str, str] = {}
    for stack in stack_files.names(root):
        picture = draw(stack, load_stack(stack_files.read_configuration(stack, root), root, files=False))
        found |= {f"plan-{stack}.{kind}": render(picture) for kind, render in FORMATS.items()}
    return found
