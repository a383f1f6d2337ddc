"""Which versions of Pulumi are pinned here, and whether newer ones are available, according to the registries' clients.

python -m sandbox.operator.versions   exit status 1 if there are newer ones
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.helped import help_if_asked
from sandbox.operator import engine
from sandbox.operator.plugins import numbers
from sandbox.paths import CLONE

GO_MODULE = "github.com/pulumi/pulumi/pkg/v3"
BUILT_BY = Path(__file__).parent / "pulumi-cli"
ASK_SECONDS = 120


def pinned_sdk() -> str:
    """As pinned in requirements.txt."""
    found = re.search(r"^pulumi==(.+)$", (CLONE / "requirements.txt").read_text(), re.MULTILINE)
    assert found, "requirements.txt pins the SDK"
    return found[1]


def pinned_cli() -> dict[str, str]:
    """Each place that names the CLI's version, and that version."""
    module = (BUILT_BY / "go.mod").read_text()
    workflows = (CLONE / ".github" / "workflows").glob("*.yml")
    return {
        "sandbox/operator/engine.py": engine.VERSION,
        "sandbox/operator/pulumi-cli/go.mod": re.findall(rf"{GO_MODULE} v(\S+)", module)[0],
        **{
            f".github/workflows/{each.name}": re.findall(r"pulumi-version: (\S+)", each.read_text())[0]
            for each in workflows
        },
    }


def newest(listed: str) -> str:
    """The newest release version in the text."""
    found: list[str] = re.findall(r"\bv?(\d+\.\d+\.\d+)(?![\w.+-])", listed)
    return max(found, key=numbers)


def newer() -> list[str]:
    """A line for each outdated version. Raises subprocess.SubprocessError or OSError if a registry cannot be asked."""
    go = shutil.which("go") or "go"
    asked = {
        ("CLI", engine.VERSION): [go, "list", "-m", "-versions", GO_MODULE],
        ("Python SDK", pinned_sdk()): [sys.executable, "-m", "pip", "index", "versions", "pulumi"],
    }
    found = {what: newest(_output(command)) for what, command in asked.items()}
    return [
        f"{name}: {served} can be had, {ours} is pinned"
        for (name, ours), served in found.items()
        if numbers(served) > numbers(ours)
    ]


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, cwd=BUILT_BY, capture_output=True, text=True, check=True, timeout=ASK_SECONDS)
    return done.stdout


def main() -> int:
    try:
        lines = newer()
    except (subprocess.SubprocessError, OSError) as error:
        print(f"error: the registries could not be asked: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines) or f"CLI {engine.VERSION} and Python SDK {pinned_sdk()}: the newest that can be had")
    return 1 if lines else 0


if __name__ == "__main__":
    help_if_asked(__doc__)
    sys.exit(main())
