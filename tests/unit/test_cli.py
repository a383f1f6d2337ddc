"""The command `chef-push-jobs`: one habit in all subcommands, and errors as one line with what to do."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from chef_push_jobs import __version__
from chef_push_jobs.cli import app as cli
from chef_push_jobs.cli.app import main
from chef_push_jobs.config.stack_config import StackConfig
from chef_push_jobs.engine.pulumi_cli import Pulumi, PulumiError, explain

ROOT = Path(__file__).parents[2]
OF_A_STACK = ["check", "doctor", "plan", "report", "review", "up"]
CONFIGURED = ["check", "doctor", "plan", "review", "up"]  # a report is of what was done
SUBCOMMANDS = [*OF_A_STACK, "docs"]
# Answers as the real CLI does (3.259): its first words and what it needs are looked at, then it does what a test says.
PULUMI = """#!/bin/sh
echo "$*" >> "$PWD/asked"
all="$*"
case " $* " in
*" --non-interactive "* | " preview "*) ;;
*) exit 99 ;;
esac
case "$1 $2 $3" in
"stack --show-name --non-interactive") [ -n "$SELECTED" ] || { echo "$NONE" >&2; exit 1; }; echo "$SELECTED" ;;
*) while [ $# -gt 0 ]; do [ "$1" != --event-log ] || log=$2; shift; done
   eval "$DOES" ;;
esac
"""
NONE = "error: no stack selected; please use `pulumi stack select` or `pulumi stack init` to choose one"
LOCKED = (
    "error: getting stack configuration: get stack secrets manager: passphrase must be set with "
    "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
)
BEGAN = '{"sequence":0,"timestamp":1763000000,"preludeEvent":{"config":{}}}'
ENDED = '{"sequence":9,"timestamp":1763000001,"summaryEvent":{"result":"%s","resourceChanges":{}}}'
LANGUAGE = "error: failed to load language plugin python: no language plugin 'pulumi-language-python' found"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one stack, selected, and a CLI that does what DOES says."""
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    file = ROOT / "stacks" / "Pulumi.example-aws.yaml"
    (tmp_path / "stacks" / "Pulumi.production.yaml").write_text(file.read_text())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").write_text(PULUMI)
    (tmp_path / "bin" / "pulumi").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("SELECTED", "production")
    monkeypatch.setenv("NONE", NONE)
    monkeypatch.setenv("DOES", "exit 0")
    return tmp_path


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command that cannot begin."""
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ") and told.err.count("\n") == 1, told.err
    return told.err


def options() -> dict[str, dict[str, str]]:
    """By subcommand: of each option, in all its spellings, what the help says of it."""
    group: Any = typer.main.get_command(cli.app)
    return {
        name: {" ".join(one.opts): one.help for one in command.params if one.param_type_name == "option"}
        for name, command in group.commands.items()
    }


def test_an_option_means_the_same_wherever_it_is() -> None:
    found = options()
    for option, wanted in (("--stack", OF_A_STACK), ("--config-file", CONFIGURED)):
        assert sorted(name for name, own in found.items() if option in own) == wanted
        assert len({own[option] for own in found.values() if option in own}) == 1
    assert [name for name, own in found.items() if "--output -o" not in own] == ["up"]


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in SUBCOMMANDS)], ids=" ".join)
def test_help_is_there_and_no_summary_is_cut_off(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "Usage: chef-push-jobs" in told
    assert "..." not in re.sub(r"\]\.\.\.", "]", told)


def test_without_a_subcommand_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in SUBCOMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"chef-push-jobs {__version__}\n"


@pytest.mark.parametrize("arguments", [["plan", "--bad"], ["plan", "--format", "xml"], ["bogus"], ["up", "production"]])
def test_a_command_line_that_is_none_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "--" in error_of(capsys, *arguments)


# Where Pulumi, the project or a stack is missing


@pytest.mark.parametrize("name", OF_A_STACK)
def test_outside_of_a_project_the_folder_is_told(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"there is no Pulumi.yaml in {tmp_path} or above it; change to" in error_of(capsys, name)


@pytest.mark.parametrize("name", OF_A_STACK)
def test_without_a_selected_stack_the_remedy_is_told(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SELECTED", "")
    assert "no stack selected" in (told := error_of(capsys, name))
    assert "name one with --stack, or select one" in told


@pytest.mark.parametrize("name", OF_A_STACK)
def test_without_pulumi_where_to_get_it_is_told(
    name: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "there is no pulumi on PATH; install it" in error_of(capsys, name)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (LOCKED, "set one of them"),
        ("error: incorrect passphrase", "the passphrase with which the stack was created"),
        ("error: no stack named 'production' found", "pulumi stack ls"),
        ("error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", "PULUMI_BACKEND_URL"),
        ('error: unable to open state directory "file:///x": stat /x: no such file', "correct PULUMI_BACKEND_URL"),
        ("error: the stack is currently locked by 1 lock(s)", "pulumi cancel"),
        ("warning: x\nerror: one nobody knows\n", "one nobody knows"),
    ],
)
@pytest.mark.parametrize(
    "arguments", [["review"], ["doctor"], ["report", "--events", "e"], ["up", "--yes"]], ids=" ".join
)
@pytest.mark.usefixtures("project")
def test_what_pulumi_complains_of_is_one_line_with_what_to_do(
    arguments: list[str],
    said: str,
    remedy: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SAID", said)
    monkeypatch.setenv("DOES", 'echo "$SAID" >&2; exit 255')
    told = error_of(capsys, *arguments)
    assert remedy in told
    assert said.splitlines()[-1].removeprefix("error: ") in told


@pytest.mark.parametrize("command", ["up", "report"])
def test_a_stack_that_is_not_there_is_told_of_and_not_created(
    command: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOES", """echo "error: no stack named 'typo' found" >&2; exit 6""")
    assert in_terminal([command, "--stack", "typo"], status=2) == (
        "error: `pulumi stack --show-name --stack typo` failed: no stack named 'typo' found; list the stacks with "
        "pulumi stack ls, or create one with pulumi stack init\r\n"
    )
    assert "preview" not in (project / "asked").read_text(), "in a terminal it offers to create the stack"


@pytest.mark.usefixtures("project")
def test_a_stack_without_a_rollout_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    told = error_of(capsys, "report", "--stack", "never-kept")
    assert told.startswith("error: there is no record of a rollout of stack never-kept; run")


def test_the_stack_is_the_selected_one_unless_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "stacks" / "deep").mkdir()
    os.chdir(project / "stacks" / "deep")
    assert main(["plan"]) == 0, "the project is looked for upwards"
    assert capsys.readouterr().out.startswith("Plan of stack production: ")
    assert (project / "asked").read_text() == "stack --show-name --non-interactive\n"
    (project / "asked").unlink()
    assert main(["plan", "--stack", "production"]) == 0
    assert not (project / "asked").exists(), "nobody is asked for what is said"


def test_one_that_does_not_answer_is_ended(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOES", 'trap "touch ended; exit 1" INT; touch begun; while :; do sleep 0.02; done')
    with pytest.raises(PulumiError, match="`pulumi stack ls` did not answer within 1 s"):
        Pulumi(project).run("stack", "ls", seconds=1)
    assert (project / "ended").exists()


# What it tells, and where


@pytest.mark.parametrize("form", ["text", "mermaid", "svg", "json"])
def test_output_goes_to_a_file_or_for_a_dash_to_standard_output(
    form: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--format", form]) == 0
    told = capsys.readouterr().out
    assert main(["plan", "--format", form, "-o", "-"]) == 0
    assert capsys.readouterr().out == told
    assert main(["plan", "--format", form, "--output", "plan"]) == 0
    assert capsys.readouterr() == ("", "written: plan\n")
    assert (project / "plan").read_text() == told


def test_check_tells_values_and_problems_as_json_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = project / "stacks" / "Pulumi.production.yaml"
    file.write_text(file.read_text().replace("topology: ha", "topology: cluster"))
    assert main(["check", "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    (topology,) = [one for one in found["settings"] if one["setting"] == "topology"]
    assert topology == {
        "setting": "topology",
        "value": "cluster",
        "from": "stack file",
        "description": StackConfig.model_fields["topology"].description,
    }
    assert found["problems"][0]["setting"] == "topology"
    assert found["problems"][0].keys() == {"setting", "given", "rule", "remedy"}


def test_docs_writes_what_is_derived_and_only_what_is_not_so_yet(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["docs"]) == 0
    told = capsys.readouterr().err.splitlines()
    names = ["docs/settings.md", "stacks/schema.json"]
    names += [f"docs/examples/plan-production.{kind}" for kind in ("txt", "mmd", "svg")]
    assert told == [f"written: {project / name}" for name in names]
    assert main(["docs"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["docs", "-o", "elsewhere"]) == 0
    assert (project / "elsewhere" / "docs" / "settings.md").is_file()


@pytest.mark.parametrize(
    ("does", "status"),
    [
        (f"echo '{BEGAN}' > $log; echo '{ENDED % 'succeeded'}' >> $log", 0),
        (f"echo '{BEGAN}' > $log; echo '{ENDED % 'failed'}' >> $log; exit 255", 1),
        (f"echo '{BEGAN}' > $log; exit 4", 1),
        (f"echo '{BEGAN}' > $log; kill -9 $$", 1),
        (f'echo "{LANGUAGE}"; exit 255', 2),
        ("exit 6", 2),
        ("kill -9 $$", 2),
    ],
)
def test_the_status_of_up_is_by_what_pulumi_came_to(
    does: str, status: int, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOES", does)
    assert main(["up", "--yes"]) == status
    assert len(list(project.glob(".rollouts/production/*.jsonl"))) == (status < 2), "what never began is not kept"
    up = (project / "asked").read_text().splitlines()[-1].split()
    assert {"--yes", "--skip-preview", "--non-interactive"} < set(up)
    assert up[up.index("--stack") + 1] == "production"


def test_options_after_two_dashes_are_pulumis(project: Path) -> None:
    main(["up", "--yes", "--", "--refresh", "--debug"])
    assert " --refresh --debug" in (project / "asked").read_text()


def in_terminal(
    arguments: Sequence[str],
    status: int | None = None,
    answer: Callable[[int, subprocess.Popen[bytes]], object] | None = None,
    **environment: str,
) -> str:
    """What the command shows in a terminal. `answer` gets terminal and process at its question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "chef_push_jobs", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "120", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        for _ in range(120):
            if select.select([ours], [], [], 0.5)[0]:
                shown += os.read(ours, 65536)
            elif answer and b": " in shown:
                answer(ours, process)
        process.kill()
    except OSError:
        pass  # how Linux says that the other end is closed
    os.close(ours)
    assert process.wait() == status or status is None
    return shown.decode()


@pytest.mark.parametrize(
    "answer",
    [
        lambda terminal, process: os.write(terminal, b"y\n"),
        lambda terminal, process: os.write(terminal, b"\x04"),
        lambda terminal, process: process.send_signal(signal.SIGINT),
    ],
    ids=["not yes", "Ctrl-D", "Ctrl-C"],
)
@pytest.mark.usefixtures("project")
def test_a_question_that_is_not_answered_with_yes_ends_with_a_word(
    answer: Callable[[int, subprocess.Popen[bytes]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOES", "exit 0")
    output = in_terminal(["up"], status=1, answer=answer)
    assert output.endswith("nothing was changed\r\n")
    assert "a bug" not in output


@pytest.mark.usefixtures("project")
def test_a_preview_that_fails_ends_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOES", "case $all in preview*) echo error: no such image; exit 255 ;; esac")
    output = in_terminal(["up"], status=1)
    assert output.endswith("nothing was changed, because the preview failed: fix what it names, then run up again\r\n")


@pytest.mark.usefixtures("project")
def test_an_interrupted_command_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOES", "case $all in preview*) kill -INT $PPID; sleep 1 ;; esac")
    output = in_terminal(["up"], status=130)
    assert output.endswith("interrupted\r\n")
    assert "a bug" not in output


def test_a_table_has_colours_but_for_those_who_want_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ROOT / "tests" / "unit" / "files" / "events" / "failed.jsonl"
    monkeypatch.setenv("DOES", f"cat {log} > $log; exit 255")
    coloured = re.compile(r"\x1b\[(\d+;)*3[0-7]m")
    assert coloured.search(in_terminal(["up", "--yes"]))
    assert not coloured.search(in_terminal(["up", "--yes"], NO_COLOR="1"))


def test_a_shell_completes_subcommands_and_stacks(project: Path) -> None:
    def completed(*words: str) -> list[str]:
        return subprocess.run(
            [sys.executable, "-m", "chef_push_jobs"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "_CHEF_PUSH_JOBS_COMPLETE": "complete_bash",
                "COMP_WORDS": " ".join(("chef-push-jobs", *words)),
                "COMP_CWORD": str(len(words)),
            },
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()

    assert completed("re") == ["review", "report"]
    assert completed("plan", "--stack", "prod") == ["production"]


# Faults of its own


def _fault(*_: object) -> None:
    raise KeyError("nobody foresaw")


def test_a_fault_is_one_line_and_its_traceback_in_a_file_of_the_owner(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chef_push_jobs.cli.plan.command.draw", _fault)
    monkeypatch.setenv("TMPDIR", str(project))
    monkeypatch.setattr("tempfile.tempdir", None)
    told = error_of(capsys, "plan")
    assert "KeyError: a bug in chef-push-jobs" in told
    file = Path(told.rsplit(maxsplit=1)[-1])
    assert "nobody foresaw" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert main(["plan", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_fault(project: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m chef_push_jobs plan --format svg | true"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("kind", ["not executable", "no program"])
@pytest.mark.parametrize("command", [["doctor"], ["review"], ["up", "--yes"]])
def test_a_pulumi_that_cannot_be_run_is_told_with_what_to_do(
    project: Path, capsys: pytest.CaptureFixture[str], command: list[str], kind: str
) -> None:
    pulumi = project / "bin" / "pulumi"
    pulumi.write_bytes(b"\x00no program")
    pulumi.chmod(0o755 if kind == "no program" else 0o644)
    said = error_of(capsys, *command, "--stack", "production")
    assert said.startswith("error: the pulumi on PATH cannot be run: ")
    assert said.endswith("; reinstall it, or correct its permissions\n")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (PermissionError(13, "Permission denied", "x"), "let yourself read and write it"),
        (FileNotFoundError(2, "No such file or directory", "x"), "see that the path is right"),
        (IsADirectoryError(21, "Is a directory", "x"), "name a file"),
    ],
)
def test_a_file_that_is_not_to_be_had_is_told_with_what_to_do(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: OSError, remedy: str
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(Path, "read_text", refuse)
    said = error_of(capsys, "review", "--preview", "x", "--stack", "production")
    assert said.startswith(f"error: x: {error.strerror}; {remedy}")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("error: could not query: open /state/x.json: permission denied", "let yourself read and write"),
        ("error: read stack: blob: AccessDenied: Access Denied", "see that the credentials are those that may"),
    ],
)
def test_a_state_that_one_may_not_read_is_told_with_what_to_do(said: str, remedy: str) -> None:
    assert f"; {remedy}" in explain(said)
