"""The workflows: linted, their permissions and pins, and the shell steps of previews, as far as they can run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.actionlint import actionlint

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "preview.yml").read_text())
# GitHub's API as far as the step uses it: comments in a file, each call in another.
GH = """#!/usr/bin/env python3
import json, os, pathlib, subprocess, sys
comments = pathlib.Path(os.environ["COMMENTS"])
words = sys.argv[1:]
assert words.pop(0) == "api" and os.environ["GH_TOKEN"]
held = json.loads(comments.read_text())
if "--jq" in words:
    jq = ["jq", "-r", words[words.index("--jq") + 1]]
    sys.exit(subprocess.run(jq, input=json.dumps(held), text=True).returncode)
method, address = words[words.index("--method") + 1 :][:2]
body = pathlib.Path(words[words.index("-F") + 1].removeprefix("body=@")).read_text()
if method == "POST":
    assert address == "repos/chef/push/issues/7/comments"
    held.append({"id": 100 + len(held), "user": {"login": "github-actions[bot]"}, "body": body})
else:
    number = int(address.removeprefix("repos/chef/push/issues/comments/"))
    [found] = [comment for comment in held if comment["id"] == number]
    found["body"] = body
comments.write_text(json.dumps(held))
"""


def step(job: str, name: str) -> dict[str, Any]:
    [found] = [step for step in WORKFLOW["jobs"][job]["steps"] if step.get("name") == name]
    return dict(found)


def shell(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner of GitHub runs a step."""
    argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        argv, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


def test_actionlint_finds_nothing() -> None:
    done = subprocess.run([actionlint(), "-no-color", *FILES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).parent / "zizmor"
    done = subprocess.run([zizmor, "--offline", ROOT / ".github"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_job_has_the_least_permissions_it_needs() -> None:
    assert WORKFLOW["permissions"] == {}
    assert {name: job["permissions"] for name, job in WORKFLOW["jobs"].items()} == {
        "stacks": {"contents": "read"},
        "fork": {},
        "preview": {"contents": "read", "id-token": "write"},
        "comment": {"pull-requests": "write"},
    }


def test_what_may_write_runs_nothing_of_the_pull_request() -> None:
    steps = WORKFLOW["jobs"]["comment"]["steps"]
    assert not [step for step in steps if "checkout" in step.get("uses", "")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_every_action_is_pinned_by_its_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (.+)", file.read_text())
    assert used
    for one in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_nothing_from_outside_is_put_into_a_script(file: Path) -> None:
    jobs = yaml.safe_load(file.read_text())["jobs"].values()
    scripts = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert not [script for script in scripts if "${{" in script], "a branch's name could be a command"


# Which stacks


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with three stacks, and the script."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "components").mkdir()
    (tmp_path / ".ci" / "changed-stacks").write_text((ROOT / ".ci" / "changed-stacks").read_text())
    (tmp_path / ".ci" / "changed-stacks").chmod(0o755)
    for stack in ("staging", "production", "sandbox"):
        (tmp_path / "stacks" / f"Pulumi.{stack}.yaml").write_text("config:\n")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.test", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a change")
    return git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("changed", "stacks"),
    [
        ("stacks/Pulumi.staging.yaml", ["staging"]),
        ("stacks/Pulumi.sandbox.yaml", []),
        ("components/new.py", ["staging", "production"]),
        ("requirements.txt", ["staging", "production"]),
        ("README.md", []),
    ],
)
def test_a_stack_is_reviewed_if_its_file_or_the_code_changed(clone: Path, changed: str, stacks: list[str]) -> None:
    base = git(clone, "rev-parse", "HEAD")
    git(clone, "switch", "--quiet", "--create", "change")
    (clone / changed).write_text("# changed\n")
    commit(clone)
    git(clone, "switch", "--quiet", "main")
    (clone / "stacks" / "Pulumi.production.yaml").write_text("# changed meanwhile, by others\n")
    base = commit(clone)
    git(clone, "switch", "--quiet", "change")
    output = clone / "output"
    script = step("stacks", "Which stacks it touches")["run"]
    done = shell(script, clone, BASE=base, REVIEWED="staging production gone", GITHUB_OUTPUT=str(output))
    assert done.returncode == 0, done.stderr
    name, told = output.read_text().strip().split("=")
    assert (name, json.loads(told)) == ("stacks", stacks)


def test_a_forks_pull_request_is_told_why_it_has_no_preview(tmp_path: Path) -> None:
    done = shell(step("fork", "Say why there is no preview")["run"], tmp_path, STACKS='["staging"]')
    assert done.returncode == 0
    assert done.stdout.startswith("::notice title=No preview for a fork::")
    assert '["staging"]' in done.stdout
    same = "github.event.pull_request.head.repo.full_name == github.repository"
    assert same in WORKFLOW["jobs"]["preview"]["if"]
    assert same.replace("==", "!=") in WORKFLOW["jobs"]["fork"]["if"]


# The comment


def test_where_no_preview_came_as_far_as_a_review_there_is_no_comment(tmp_path: Path) -> None:
    gh = tmp_path / "gh"
    gh.write_text("#!/bin/sh\necho called >&2; exit 1\n")
    gh.chmod(0o755)
    variables = {"GH_TOKEN": "token", "NUMBER": "7", "PATH": f"{tmp_path}:{os.environ['PATH']}", "REPOSITORY": "c/p"}
    done = shell(step("comment", "One comment a stack, changed in place")["run"], tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_comment_is_made_once_and_then_changed_in_place(tmp_path: Path) -> None:
    gh, comments, review = tmp_path / "bin" / "gh", tmp_path / "comments.json", tmp_path / "review"
    for folder in (gh.parent, review):
        folder.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    marker = "<!-- chef-push-jobs: review of stack {} -->\n"
    forged = {"id": 1, "user": {"login": "somebody"}, "body": marker.format("staging") + "all is well"}
    comments.write_text(json.dumps([forged]))
    variables = {
        "COMMENTS": str(comments),
        "GH_TOKEN": "token",
        "NUMBER": "7",
        "PATH": f"{gh.parent}:{os.environ['PATH']}",
        "REPOSITORY": "chef/push",
    }
    script = step("comment", "One comment a stack, changed in place")["run"]
    for text in ("first", "second"):
        for stack in ("staging", "production"):
            (review / f"{stack}.md").write_text(marker.format(stack) + text)
        done = shell(script, tmp_path, **variables)
        assert done.returncode == 0, done.stderr
    held = json.loads(comments.read_text())
    assert held[0] == forged, "a comment of another is left alone"
    assert [comment["body"] for comment in held[1:]] == [marker.format(s) + "second" for s in ("production", "staging")]
