"""The core decides, the shell acts: what may import what."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("chef_push_jobs", "components")
# Doctor is a program of its own: it asks the AWS API itself.
MODULES = sorted(file for folder in PRODUCT for file in (ROOT / folder).rglob("*.py") if file.parent.name != "doctor")


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("module", [*MODULES, ROOT / "__main__.py"], ids=lambda path: path.stem)
def test_the_product_never_knows_the_sandbox(module: Path) -> None:
    assert not imported(module) & {"sandbox", "moto", "boto3", "tests"}
    assert "sandbox" not in module.read_text(), "not even by name: the sandbox differs from AWS by configuration alone"


def test_the_program_is_a_table_of_contents() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) < 50


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_says_why_it_exists(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text())), f"{module.stem} has no docstring"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_one_module_alone_runs_the_pulumi_cli(module: Path) -> None:
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)}
    starts = calls & {f"subprocess.{name}" for name in ("run", "Popen", "check_output", "check_call", "call")}
    starts |= {call for call in calls if "create_subprocess" in call or call.startswith(("os.exec", "os.system"))}
    assert bool(starts) == (module.relative_to(ROOT).as_posix() == "chef_push_jobs/engine/pulumi_cli.py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_knows_no_project_by_its_own_place(module: Path) -> None:
    """Where it is installed is no project: that is found from the folder where somebody works."""
    assert "Path(__file__).parents[" not in module.read_text()
