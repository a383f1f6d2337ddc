"""python -m chef_push_jobs.cli.plan.examples [FOLDER]: draws the plan of every stack there is into docs/examples."""

from __future__ import annotations

import sys
from pathlib import Path

from chef_push_jobs.cli.plan import mermaid, svg, text
from chef_push_jobs.cli.plan.picture import draw
from chef_push_jobs.config import stack_files
from chef_push_jobs.runbook.stack import load_stack

ROOT = Path(__file__).parents[3]
FORMATS = {"txt": text.render, "mmd": mermaid.render, "svg": svg.render}


def examples(root: Path) -> dict[str, str]:
    """By file name."""
    found: dict[str, str] = {}
    for stack in stack_files.names(root):
        picture = draw(stack, load_stack(stack_files.read_configuration(stack, root), root, files=False))
        found |= {f"plan-{stack}.{kind}": render(picture) for kind, render in FORMATS.items()}
    return found


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in examples(ROOT).items():
        (folder / name).write_text(content)


if __name__ == "__main__":
    main(sys.argv[1:])
