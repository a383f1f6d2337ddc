"""python -m components.plan.examples [FOLDER]: draws the plan of every stack there is into docs/examples."""

from __future__ import annotations

import sys
from pathlib import Path

from components import stacks
from components.plan import mermaid, svg, text
from components.plan.picture import draw

ROOT = Path(__file__).parents[2]
FORMATS = {"txt": text.render, "mmd": mermaid.render, "svg": svg.render}


def examples(root: Path) -> dict[str, str]:
    """By file name."""
    found: dict[str, str] = {}
    for stack in stacks.names(root):
        picture = draw(stack, stacks.settings(stacks.read(stack, root), root, files=False))
        found |= {f"plan-{stack}.{kind}": render(picture) for kind, render in FORMATS.items()}
    return found


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "examples"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in examples(ROOT).items():
        (folder / name).write_text(content)


if __name__ == "__main__":
    main(sys.argv[1:])
