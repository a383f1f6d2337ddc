"""State in S3 by the commands of docs/state.md, as they stand there: moved, locked, its secrets under a key of KMS."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import lifecycle
from sandbox.aws.fault_injection import Faults
from sandbox.paths import CLONE, CLOUD_URL, REGION, Sandbox
from tests.e2e import documents
from tests.e2e.desk import Desk, project
from tests.sandbox.conftest import new_name, until

TEXT = (CLONE / "docs" / "state.md").read_text()
STACK = "sandbox-standalone"
SECTIONS = ("The variables", "A bucket", "Moving a stack there", "The lock", "The key to the secrets")
QUERY = f"region={REGION}&endpoint={CLOUD_URL}&s3ForcePathStyle=true&request_checksum_calculation=when_required"
# What the document has its reader set, here for the sandbox.
VARIABLES = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ENDPOINT_URL": CLOUD_URL,
    "STATE_BUCKET": "team-state",
    "STATE_URL": f"s3://team-state?{QUERY}",
    "STACK": STACK,
    "PULUMI_DIY_BACKEND_ZSTD": "true",
}
KEPT = """
import boto3, os
found = boto3.client("s3").list_objects_v2(Bucket=os.environ["STATE_BUCKET"], Prefix=".pulumi/FOLDER/")
print(*(each["Key"] for each in found.get("Contents", [])), sep="\\n")
"""


def commands(heading: str) -> str:
    """The shell commands below a heading of the document, which is one of `SECTIONS`."""
    assert heading in SECTIONS
    return "\n".join(command.text for command in documents.commands(TEXT) if command.heading == heading)


def kept(desk: Desk, folder: str) -> list[str]:
    """The keys in a folder of Pulumi's in the bucket."""
    return desk.does(f"python - <<'END'\n{KEPT.replace('FOLDER', folder)}END").split()


@pytest.fixture
def desk(root: None, tmp_path: Path) -> Iterator[Desk]:
    """A sandbox, and a copy of the project: its stack file is going to change."""
    sandbox = Sandbox(new_name())
    try:
        lifecycle.start(sandbox, print)
        yield Desk(sandbox, project(tmp_path), dict(VARIABLES))
    finally:
        lifecycle.stop(sandbox, print)


def test_these_are_all_sections_with_commands() -> None:
    assert list(SECTIONS) == list(dict.fromkeys(command.heading for command in documents.commands(TEXT)))


def test_the_document_has_its_reader_set_what_its_commands_use() -> None:
    told = set(re.findall(r"^export ([A-Z_]+)=", commands("The variables"), re.MULTILINE))
    used = set(re.findall(r"\$([A-Z_]+)|environ\[\"([A-Z_]+)\"\]", TEXT))
    assert {shell or python for shell, python in used} <= told
    assert told <= set(VARIABLES), "the test sets them for the sandbox"
    assert QUERY in TEXT.replace("\n", " "), "the document says how the sandbox's S3 is reached"


def test_a_stack_moves_to_a_bucket_is_locked_there_and_gets_a_key_of_its_own(desk: Desk) -> None:
    desk.does(f"pulumi stack init {STACK}")
    desk.does("pulumi config set --secret team:note hidden")
    desk.does(f"pulumi up --yes --skip-preview --stack {STACK}")

    desk.does(commands("A bucket"))
    moved = desk.does(commands("Moving a stack there"))
    assert "Import complete" in moved
    assert f".pulumi/stacks/chef-push-jobs/{STACK}.json.zst" in kept(desk, "stacks"), "and it is stored small"
    desk.variables["PULUMI_BACKEND_URL"] = VARIABLES["STATE_URL"]

    _locked_until_cancelled(desk)

    before = (desk.folder / "stacks" / f"Pulumi.{STACK}.yaml").read_text()
    desk.does(commands("The key to the secrets"))
    after = (desk.folder / "stacks" / f"Pulumi.{STACK}.yaml").read_text()
    assert "encryptionsalt" in before and "encryptionsalt" not in after
    assert f"secretsprovider: awskms://alias/chef-state?region={REGION}" in after
    desk.does("unset PULUMI_CONFIG_PASSPHRASE; pulumi preview --stack $STACK --expect-no-changes")
    assert "awskms://" in desk.does("pulumi stack export --stack $STACK")


def _locked_until_cancelled(desk: Desk) -> None:
    """A second run is refused while one runs, and after that was killed, until its lock is taken away."""
    Faults(desk.sandbox.faults).inject("SlowAnswer", times=100)
    running = desk.start("exec pulumi refresh --yes --skip-preview --stack $STACK")
    until(lambda: len(kept(desk, "locks")) == 1, seconds=60)
    status, told = desk.tried("pulumi up --yes --skip-preview --stack $STACK")
    assert running.poll() is None, "the first one still ran"
    assert status != 0 and "the stack is currently locked by 1 lock(s)" in told and "pulumi cancel" in told
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    Faults(desk.sandbox.faults).clear()
    assert desk.tried("pulumi up --yes --skip-preview --stack $STACK")[0] != 0, "the dead one's lock is still there"
    desk.does(commands("The lock"))
    assert kept(desk, "locks") == []
    desk.does("pulumi preview --stack $STACK --expect-no-changes")
