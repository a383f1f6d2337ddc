"""Every command that README.md and docs/ show, run as it stands there, in the order in which somebody follows them.

A command that is new in a section runs by itself, in its place; a row in `sections.py` says what more must come of it.
The sections go on from one another: two sandboxes, one after the other. docs/state.md has `test_state.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from sandbox import lifecycle
from sandbox.paths import CLONE, Sandbox
from tests.e2e import documents
from tests.e2e.desk import Desk, project
from tests.e2e.documents import SET, Command
from tests.e2e.rows import BESIDE, OPERATOR, Row
from tests.e2e.sections import ELSEWHERE, NOT_RUN, SECTIONS, TEXTS, Section
from tests.sandbox.conftest import new_name

# Where many changes are made one after the other. The previews of `up` are seen at the other desks.
AT_ONCE = 'pulumi() { [ "$1" != up ] || set -- "$@" --skip-preview; command pulumi "$@"; }'


def test_every_command_is_run_or_has_a_reason_not_to_be() -> None:
    shown = {(name, each.heading) for name in TEXTS.keys() - ELSEWHERE for each in _to_run(name)}
    assert shown == {(section.document, section.heading) for section in SECTIONS}


def _to_run(document: str) -> list[Command]:
    return [each for each in documents.commands(TEXTS[document]) if (document, each.text) not in NOT_RUN]


def test_every_row_is_of_a_command_that_a_document_shows() -> None:
    shown = {(name, each.text) for name, text in TEXTS.items() for each in documents.commands(text)}
    assert NOT_RUN.keys() <= shown
    for section in SECTIONS:
        assert section.rows.keys() <= set(section.commands), f"{section.document}, {section.heading}"


@pytest.fixture(scope="module")
def desk_of(root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Desk]]:
    """Makes desks by name, each once. The clone has a sandbox that its scripts start; the others share one."""
    made: dict[str, Desk] = {}
    with ExitStack() as opened:
        shared = Sandbox(new_name())

        def desk(name: str) -> Desk:
            if name not in made:
                sandbox = Sandbox(new_name()) if name == "clone" else shared
                opened.callback(lifecycle.stop, sandbox, print)
                made[name] = _desk(name, sandbox, tmp_path_factory.mktemp(name), made)
            return made[name]

        yield desk


def _desk(name: str, sandbox: Sandbox, folder: Path, made: Mapping[str, Desk]) -> Desk:
    yes = {"PULUMI_SKIP_CONFIRMATIONS": "true"}
    if name == "clone":
        package = ".sandbox/packages/opscode-push-jobs-server_2.2.8-1_amd64.deb"
        who = {
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **{
                f"GIT_{role}_{what}": "operator@chef.test"
                for role in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        desk = Desk(sandbox, project(folder), {**yes, **who, "STACK": "sandbox-ha-aws", "PACKAGE": package}, AT_ONCE)
        status, told = desk.beside(
            "git init --quiet; git add stacks; git -c user.name=o -c user.email=o commit -qm All"
        )
        assert status == 0, told
        return desk
    lifecycle.start(sandbox, print)
    if name == "program":
        shutil.copytree(CLONE / "examples" / "yaml", folder, dirs_exist_ok=True)
        return Desk(sandbox, folder, {**yes, "PROJECT": str(CLONE)})
    state = {} if name == "operator" else {"PULUMI_BACKEND_URL": f"file://{folder}/state"}
    maker = {"MAKER": str(made["operator"].folder)} if name == "adopter" else {}
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (folder / "state").mkdir()
    shutil.copy(sandbox.operator_key, home / ".ssh" / "id_ed25519")
    return Desk(sandbox, project(folder), {**yes, **state, **maker, "STACK": "production", "HOME": str(home)})


@pytest.mark.parametrize("section", SECTIONS, ids=lambda each: f"{Path(each.document).stem}: {each.heading}")
def test_what_a_document_shows_works_as_it_stands_there(section: Section, desk_of: Callable[[str], Desk]) -> None:
    desk = desk_of(section.desk)
    for command in section.commands:
        row = section.rows.get(command, Row())
        if variable := SET.match(command):
            assert variable[1] in desk.variables, f"{command}: the test sets it for the sandbox"
        else:
            _type(desk, command, row, row.on if row.on != OPERATOR else section.on)


def _type(desk: Desk, command: str, row: Row, place: str) -> None:
    row.before(desk)
    before = row.changes(desk) if row.changes else None
    if row.answers:
        status, told = desk.in_terminal(command, *row.answers)
    elif place == OPERATOR:
        status, told = desk.tried(command)
    else:
        status, told = desk.beside(command) if place == BESIDE else desk.on(place, command)
    assert status == row.status, f"{command}: exit status {status}\n{told[-5000:]}"
    missing = [words for words in row.prints if words not in told]
    assert not missing, f"{command} does not tell {missing}:\n{told[-5000:]}"
    row.after(desk)
    assert not row.changes or row.changes(desk) != before, f"{command} changed nothing"
