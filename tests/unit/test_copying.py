"""The copy, run for real between two folders that stand for disks: what comes over, what a server does not believe."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from chef_push_jobs import scripts

FOLDER, SECRETS = "etc/opscode-push-jobs-server", "etc/opscode/private-chef-secrets.json"
Disk = Path
# In place of the programs of library/secrets.sh and copy.sh, on a file that is no secret. Those run in tests/e2e.
RUBY = """#!{python}
import ctypes, json, os, sys
if sys.argv[1] == "-e":
    call, one, other = int(sys.argv[3]), *map(os.fsencode, sys.argv[4:])
    sys.exit(ctypes.CDLL(None).syscall(call, -100, one, -100, other, 2) != 0)
program, files = sys.stdin.read(), sys.argv[sys.argv.index("-") + 1:]
first, *second = (json.load(open(path)) for path in files if os.path.isfile(path))
if "File.write" in program:
    for name, value in first["veil"]["push-jobs-server"].items():
        print(value, end="", file=open(f"{{files[1]}}/push-jobs-server.{{name}}", "w"))
elif "reject" in program:
    first, other = (each["veil"] | {{"push-jobs-server": 0}} for each in (first, *second))
    sys.exit(first != other)
elif "puts" in program:
    print(json.dumps(first["veil"].get("push-jobs-server", {{}})))
elif "given" in program:
    second[0]["veil"]["push-jobs-server"] = first
    json.dump(second[0], open(files[1], "w"))
else:
    json.dump({{"veil": second[0]["veil"] | first["veil"]}}, open(files[0], "w"))
"""
SSH = "#!/bin/sh\nfor what; do :; done\nexec sh {primary}/var/lib/chef-rollout/shared-files $what\n"


def disk(folder: Path) -> Disk:
    """One with Chef server and push jobs on it, as a server's `/`."""
    for name in (FOLDER, "etc/opscode", "var/lib/chef-rollout", "bin"):
        (folder / name).mkdir(parents=True)
    for name, text in ((f"{FOLDER}/pushy_priv.pem", "key"), ("etc/passwd", "system")):
        (folder / name).write_text(f"{text} of {folder.name}")
    own = {
        "push-jobs-server": {"key": folder.name},
        "chef-server": {"key": folder.name},
        f"{folder.name}'s": {"x": "y"},
    }
    (folder / SECRETS).write_text(json.dumps({"veil": own}))
    (folder / "var/lib/chef-rollout/owner").write_text(f"project/stack/{folder.name}")
    (folder / "bin/ruby").write_text(RUBY.format(python=sys.executable))
    (folder / "bin/ruby").chmod(0o755)
    for name in ("manifest", "shared-files"):
        (folder / "var/lib/chef-rollout" / name).write_text(there(scripts.Script(name).text, folder))
    return folder


def there(text: str, folder: Disk) -> str:
    """A script whose `/` is a folder."""
    for path in ("/etc/.chef-rollout", scripts.HOME):
        text = text.replace(path, f"{folder}{path}")
    text = text.replace("=/etc/opscode", f"={folder}/etc/opscode")
    text = text.replace("/opt/opscode/embedded/bin/ruby", f"{folder}/bin/ruby")
    return text.replace("cd /\n", f"cd {folder}\n").replace("(cd / &&", f"(cd {folder} &&")


@dataclass
class Pair:
    """A primary, and a server that copies from it."""

    primary: Disk
    copier: Disk

    def copy(self, what: str = "push-jobs", kill_after: float | None = None) -> subprocess.CompletedProcess[str]:
        """As the task runs it; `kill_after` so many seconds nothing of it is left."""
        self.put("ssh", SSH.format(primary=self.primary))
        script = there(scripts.copy(what, "ubuntu", 22, "10.0.0.4", "ssh-ed25519 AAAA").text, self.copier)
        path = f"{self.copier / 'bin'}:{os.environ['PATH']}"
        running = subprocess.Popen(
            ["sh"],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
        assert running.stdin
        running.stdin.write(script)
        running.stdin.close()
        running.stdin = None
        if kill_after is not None:
            with suppress(subprocess.TimeoutExpired):
                running.wait(kill_after)
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
        said, errors = running.communicate()
        return subprocess.CompletedProcess(["sh"], running.returncode, said, errors)

    def put(self, name: str, script: str) -> None:
        """A program that the copier runs in place of its own."""
        (self.copier / "bin" / name).write_text(script)
        (self.copier / "bin" / name).chmod(0o755)

    def gives(self, *members: tuple[tarfile.TarInfo, bytes]) -> None:
        """From now on the primary's answer is this archive, with a list that fits it."""
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            for member, content in members:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        (self.primary / "answer").write_bytes(made.getvalue())
        (self.primary / "var/lib/chef-rollout/shared-files").write_text(f"cat {self.primary}/answer\n")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(disk(tmp_path / "primary"), disk(tmp_path / "copier"))


def tree(folder: Path) -> dict[str, tuple[int, int, int, bytes | None]]:
    """Everything below, links as what they lead to: mode and owner, and content of files."""
    found = {}
    for at, _, files in os.walk(folder, followlinks=True):
        for path in (Path(at), *(Path(at, name) for name in files)):
            content = path.read_bytes() if path.is_file() else None
            is_ = path.stat()
            found[str(path.relative_to(folder))] = stat.S_IMODE(is_.st_mode), is_.st_uid, is_.st_gid, content
    return found


# Of the primary's secrets push jobs' group comes over, and nothing else; and what is the copier's stays.
MERGED = {"push-jobs-server": {"key": "primary"}, "chef-server": {"key": "copier"}, "copier's": {"x": "y"}}


def secrets(disk: Disk) -> object:
    return json.loads((disk / SECRETS).read_text())["veil"]


def untouched(pair: Pair, act: Callable[[], subprocess.CompletedProcess[str]]) -> str:
    """What is told where nothing is copied, and all stays."""
    before = tree(pair.copier / "etc")
    done = act()
    assert done.returncode != 0, done.stdout
    assert tree(pair.copier / "etc") == before, "nothing is changed, and nothing is left behind"
    return done.stdout + done.stderr


def test_the_set_comes_over_and_a_second_copy_touches_nothing(pair: Pair) -> None:
    assert pair.copy().returncode == 0
    assert tree(pair.copier / FOLDER) == tree(pair.primary / FOLDER)
    assert secrets(pair.copier) == MERGED
    assert not list((pair.copier / "etc").glob(".chef-rollout*"))
    assert "the same files are already here" in pair.copy().stdout


def test_chef_servers_own_secrets_come_over_whole_and_other_add_ons_of_this_server_stay(pair: Pair) -> None:
    for _ in range(2):
        done = pair.copy("chef")
        assert done.returncode == 0, done.stdout + done.stderr
        theirs = {"push-jobs-server": {"key": "primary"}, "chef-server": {"key": "primary"}, "primary's": {"x": "y"}}
        assert secrets(pair.copier) == theirs | {"copier's": {"x": "y"}}


@pytest.mark.parametrize(
    ("what", "here", "noted"),
    [
        ("chef", {"chef-server": {"key": "copier"}}, True),
        ("chef", {"chef-server": {"key": "primary"}, "primary's": {"x": "y"}, "copier's": {"x": "y"}}, False),
        ("chef", None, False),
        ("push-jobs", {"chef-server": {"key": "copier"}}, False),
    ],
    ids=["other ones", "the same, and those of an add-on", "a server that never ran", "push jobs' alone"],
)
def test_a_copy_notes_whether_chef_server_has_to_read_other_secrets(
    pair: Pair, what: str, here: object, noted: bool
) -> None:
    (pair.copier / SECRETS).write_text(json.dumps({"veil": here}) if here else "")
    assert pair.copy(what).returncode == 0
    assert (pair.copier / "var/lib/chef-rollout/chef-secrets-changed").exists() == noted


@pytest.mark.parametrize(
    ("clock", "keys", "last"), [("goes on", "abacd", "bac"), ("is set back", "abcde", "bcd"), ("stands", "abab", "ba")]
)
def test_the_last_three_sets_that_a_copy_replaced_are_kept_for_root_alone(
    pair: Pair, clock: str, keys: str, last: str
) -> None:
    kept = pair.copier / "var/lib/chef-rollout/credentials-before"
    for number, key in enumerate(keys):
        year = {"goes on": 2026 + number, "is set back": 2026 - number, "stands": 2026}[clock]
        pair.put("date", f"#!/bin/sh\necho {year}1127T134230Z\n")
        (pair.primary / FOLDER / "pushy_priv.pem").write_text(key)
        for _ in range(2):
            assert pair.copy().returncode == 0
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    sets = sorted(kept.iterdir())
    assert [(one / "pushy_priv.pem").read_text() for one in sets][-len(last) :] == list(last)
    assert len(sets) == 3
    assert all((one / "push-jobs-server.key").read_text() == "primary" for one in sets[-len(last) :])


@pytest.mark.parametrize("linked", [False, True])
def test_what_only_this_server_has_in_the_folder_is_kept_for_root_alone(
    pair: Pair, tmp_path: Path, *, linked: bool
) -> None:
    folder = pair.copier / FOLDER
    if linked:
        folder.rename(tmp_path / "volume")
        folder.symlink_to(tmp_path / "volume")
    names = ("own.rb", "more/two words\\n.pem", "a line\nend")
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
        (folder / name).chmod(0o640)
    (folder / "link").symlink_to("own.rb")
    for said in (True, False):
        done = pair.copy()
        assert done.returncode == 0, done.stderr
        assert (f"only this server has /{FOLDER}/own.rb" in done.stdout) == said
    kept = pair.copier / "var/lib/chef-rollout/only-here"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    for name in names:
        assert (kept / FOLDER / name).read_text() == name
        assert stat.S_IMODE((kept / FOLDER / name).stat().st_mode) == 0o640
    assert (kept / FOLDER / "link").is_symlink()
    assert not list(kept.rglob("pushy_priv.pem")), "credentials are kept as a set"


def test_a_copy_that_brings_the_same_credentials_keeps_no_set(pair: Pair) -> None:
    """Their folder has other files too, which each server's reconfigure writes."""
    kept = pair.copier / "var/lib/chef-rollout/credentials-before"
    for what in ("chef", "push-jobs"):
        assert pair.copy(what).returncode == 0
    before = tree(kept)
    assert before, "the server had credentials of its own"
    for what, own in (("push-jobs", FOLDER), ("chef", "etc/opscode")):
        (pair.copier / own / "running.json").write_text("reconfigured")
        assert "copied" in pair.copy(what).stdout
        assert tree(kept) == before


@pytest.mark.parametrize("text", ["{}", '{"postgresql": {"sql_password": "x"}}'])
def test_a_primary_that_encrypts_no_secrets_gives_the_folder_alone(pair: Pair, text: str) -> None:
    """Before 12.14; push jobs' credentials are in its folder then."""
    (pair.primary / SECRETS).write_text(text)
    before = (pair.copier / SECRETS).read_bytes()
    assert pair.copy().returncode == 0
    assert tree(pair.copier / FOLDER) == tree(pair.primary / FOLDER)
    assert (pair.copier / SECRETS).read_bytes() == before


def test_half_of_a_key_pair_does_not_replace_a_whole_one(pair: Pair) -> None:
    (pair.primary / SECRETS).write_text("{}")
    (pair.primary / FOLDER / "pushy_priv.pem").rename(pair.primary / FOLDER / "pushy_pub.pem")
    assert "the primary has lost pushy_priv.pem" in untouched(pair, pair.copy)


@pytest.mark.parametrize("text", [None, "{}"])
def test_a_server_that_cannot_keep_the_credentials_gets_none(pair: Pair, text: str | None) -> None:
    (pair.copier / SECRETS).unlink()
    if text is not None:
        (pair.copier / SECRETS).write_text(text)
    assert "configure Chef server on this server" in untouched(pair, pair.copy)


# Links


def test_links_of_the_primary_are_followed_as_by_scp(pair: Pair) -> None:
    data = pair.primary / "data"
    shutil.move(pair.primary / FOLDER, data)
    (pair.primary / FOLDER).symlink_to(data)
    shutil.move(data / "pushy_priv.pem", pair.primary / "elsewhere.pem")
    (data / "pushy_priv.pem").symlink_to(pair.primary / "elsewhere.pem")
    done = pair.copy()
    assert done.returncode == 0, done.stdout + done.stderr
    there_now = pair.copier / FOLDER / "pushy_priv.pem"
    assert there_now.read_text() == "key of primary"
    assert not there_now.is_symlink() and not (pair.copier / FOLDER).is_symlink()


@pytest.mark.parametrize("filesystem", ["the same", "another"])
def test_a_link_that_is_here_stays_and_what_it_leads_to_is_replaced(pair: Pair, filesystem: str) -> None:
    elsewhere = tempfile.TemporaryDirectory(dir="/dev/shm" if filesystem == "another" else pair.copier)  # noqa: S108
    with elsewhere as data:
        for name in (FOLDER, SECRETS):
            moved = Path(data, Path(name).name)
            shutil.move(pair.copier / name, moved)
            (pair.copier / name).symlink_to(moved)
        for _ in range(2):
            done = pair.copy()
            assert done.returncode == 0, done.stdout + done.stderr
            assert all((pair.copier / name).is_symlink() for name in (FOLDER, SECRETS))
            assert tree(pair.copier / FOLDER) == tree(pair.primary / FOLDER)
            assert secrets(pair.copier) == MERGED
            assert sorted(os.listdir(data)) == sorted(Path(name).name for name in (FOLDER, SECRETS))


Tree = Mapping[str, object]
NAMES = st.text("ab -.$'\"é\n\t\\\\", min_size=1, max_size=4).filter(lambda name: name.strip(".") != "")
CONTENTS = st.binary(max_size=40) | st.sampled_from([4096, 300_000]).map(lambda size: b"x" * size)
OWNERS = st.sampled_from([0, 1, 2] if os.geteuid() == 0 else [os.geteuid()])  # by number, as every Debian has them
FILES = st.tuples(CONTENTS, st.sampled_from([0o400, 0o600, 0o640, 0o755]), OWNERS)
LINKS = st.sampled_from(["link to a file", "link to a folder", "link by a link"])
TREES = st.recursive(FILES | LINKS, lambda inner: st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


def plant(folder: Path, content: object, outside: Path) -> None:
    if isinstance(content, dict):
        folder.mkdir(exist_ok=True)
        for name, inner in content.items():
            plant(folder / name, inner, outside)
    elif isinstance(content, str):
        folder.symlink_to(
            {"link to a file": outside / "file", "link to a folder": outside / "folder"}.get(
                content, outside / "folder" / "link"
            )
        )
    elif isinstance(content, tuple):
        folder.write_bytes(content[0])
        os.chown(folder, content[2], content[2] if os.geteuid() == 0 else -1)
        folder.chmod(content[1])


@profile(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, TREES, max_size=4))
def test_whatever_the_tree_what_comes_over_is_what_scp_would_bring(content: Tree) -> None:
    with tempfile.TemporaryDirectory() as base:
        pair = Pair(disk(Path(base, "primary")), disk(Path(base, "copier")))
        outside = pair.primary / "outside"
        (outside / "folder").mkdir(parents=True)
        (outside / "file").write_text("a file")
        (outside / "folder" / "inner").write_text("inner")
        (outside / "folder" / "link").symlink_to("../file")
        plant(pair.primary / FOLDER, dict(content), outside)
        done = pair.copy()
        assert done.returncode == 0, done.stdout + done.stderr
        assert tree(pair.copier / FOLDER) == tree(pair.primary / FOLDER)
        assert not [path for path in (pair.copier / FOLDER).rglob("*") if path.is_symlink()]


# A kill

PLACES = st.sampled_from(["a folder", "nothing", "links", "links to another filesystem"])
WAYS = ["moves by one system call", "moves in two steps"]
BREAKS = """#!/bin/sh
n=$(($(cat {calls}) + 1))
echo "$n" > {calls}
[ "$n" != "$(cat {at})" ] || kill -KILL 0
{act}
"""


@cache
def seconds() -> float:
    """How long a copy takes on this machine now."""
    with tempfile.TemporaryDirectory() as base:
        pair = Pair(disk(Path(base, "primary")), disk(Path(base, "copier")))
        started = time.monotonic()
        assert pair.copy().returncode == 0
        return time.monotonic() - started


def lead_elsewhere(pair: Pair, data: str) -> None:
    for name in (FOLDER, SECRETS):
        moved = Path(data, Path(name).name)
        shutil.move(pair.copier / name, moved)
        (pair.copier / name).symlink_to(moved)


def assert_whole(pair: Pair, before: object, after: object, old: object) -> None:
    """Each of the two that are replaced is as it was, or as it is to be."""
    assert (pair.copier / FOLDER).exists() or not before, "there is no less than before"
    assert tree(pair.copier / FOLDER) in (before, after)
    assert secrets(pair.copier) in (old, MERGED)


def finish(pair: Pair, after: object) -> None:
    done = pair.copy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(pair.copier / FOLDER) == after
    assert secrets(pair.copier) == MERGED
    assert not [left for left in (pair.copier / "etc").rglob(".chef-rollout*") if left.exists()]


@profile(deadline=None, max_examples=10, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(NAMES, TREES, max_size=4),
    st.dictionaries(NAMES, TREES, max_size=4),
    PLACES,
    st.floats(0, 1),
    st.sampled_from(WAYS),
)
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_and_the_next_run_finishes(
    old: Tree, new: Tree, place: str, moment: float, way: str
) -> None:
    with tempfile.TemporaryDirectory() as base, tempfile.TemporaryDirectory(dir="/dev/shm") as shm:
        pair = Pair(disk(Path(base, "primary")), disk(Path(base, "copier")))
        outside = Path(base, "outside")
        (outside / "folder").mkdir(parents=True)
        (outside / "file").write_text("a file")
        (outside / "folder" / "link").symlink_to("../file")
        plant(pair.copier / FOLDER, dict(old), outside)
        plant(pair.primary / FOLDER, dict(new), outside)
        if place == "nothing":
            shutil.rmtree(pair.copier / FOLDER)
        elif place != "a folder":
            lead_elsewhere(pair, shm if "filesystem" in place else str(outside))
        if way != WAYS[0]:
            pair.put("uname", "#!/bin/sh\necho another\n")
        before, after, own = tree(pair.copier / FOLDER), tree(pair.primary / FOLDER), secrets(pair.copier)
        pair.copy(kill_after=moment * seconds())
        if way == WAYS[0]:
            assert_whole(pair, before, after, own)
        finish(pair, after)


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_at_each_step_of_the_replacement_leaves_the_old_or_the_new(pair: Pair, way: str, tmp_path: Path) -> None:
    """Where the kernel cannot exchange two folders, there is a moment with none: the next run puts the old one back."""
    calls, at = tmp_path / "calls", tmp_path / "at"
    if way != WAYS[0]:
        pair.put("uname", "#!/bin/sh\necho another\n")
    for name in ("mv", "rm", "chown"):
        pair.put(name, BREAKS.format(calls=calls, at=at, act=f'exec {shutil.which(name)} "$@"'))
    before, own = tree(pair.copier / FOLDER), secrets(pair.copier)
    after = tree(pair.primary / FOLDER)
    gaps, step = 0, 0
    while True:
        step += 1
        calls.write_text("0")
        at.write_text(str(step))
        done = pair.copy()
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
        at.write_text("0")
        # Otherwise a later run removes it, when its process is seen to be gone: then the steps are counted differently.
        for left in (pair.primary / "var/lib/chef-rollout").glob("share.*"):
            shutil.rmtree(left)
        if not (pair.copier / FOLDER).exists():
            gaps += 1
            primary = (pair.primary / FOLDER).rename(tmp_path / "away")
            assert pair.copy().returncode != 0, "the primary gives nothing"
            primary.rename(pair.primary / FOLDER)
        assert_whole(pair, before, after, own)
        shutil.rmtree(pair.copier / FOLDER)
        (pair.copier / FOLDER).mkdir()
        (pair.copier / FOLDER / "pushy_priv.pem").write_text("key of copier")
        (pair.copier / SECRETS).write_text(json.dumps({"veil": own}))
    at.write_text("0")
    assert step > 6, "steps were found"
    assert gaps == (0 if way == WAYS[0] else 1)
    finish(pair, after)


# What cannot be used is not taken


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "pushy_priv.pem").write_text(""), "it is empty"),
        (lambda folder: (folder / "pushy_priv.pem").chmod(0o020), "its owner cannot read it"),
        (lambda folder: os.mkfifo(folder / "pipe"), "neither a file nor a directory"),
        (lambda folder: os.mknod(folder / "socket", stat.S_IFSOCK | 0o600), "neither a file nor a directory"),
        (lambda folder: (folder / "lost").symlink_to("/nowhere/at/all"), "lost"),
        (lambda folder: (folder / "round").symlink_to("."), "round"),
        (shutil.rmtree, "opscode-push-jobs-server"),
        (lambda folder: (folder / "pushy_priv.pem").unlink(), "it is empty"),
    ],
    ids=["empty key", "key without its bit", "pipe", "socket", "dead link", "circle", "no folder", "empty folder"],
)
def test_what_was_there_stays_where_the_new_set_cannot_be_used(
    pair: Pair, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(pair.primary / FOLDER)
    assert told in untouched(pair, pair.copy)


def test_a_link_that_leads_nowhere_is_told(pair: Pair) -> None:
    shutil.rmtree(pair.copier / FOLDER)
    (pair.copier / FOLDER).symlink_to("/nowhere/at/all")
    assert "is a broken link" in pair.copy().stdout


@pytest.mark.parametrize("name", [FOLDER, SECRETS])
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "behind a link"])
def test_the_root_of_a_volume_is_told_before_anything_is_replaced(pair: Pair, name: str, linked: bool) -> None:
    here = pair.copier / name
    place = here
    if linked:
        place = pair.copier / "volume"
        shutil.move(here, place)
        here.symlink_to(place)
    mounted = subprocess.run(["mount", "--bind", place, place], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        told = untouched(pair, pair.copy)
    finally:
        subprocess.run(["umount", place], check=True)
    assert f"something is mounted at {place}" in told and "nothing was changed here" in told
    assert pair.copy().returncode == 0


# A primary that somebody else commands


def member(name: str, **is_: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.mode = 0o755 if is_.get("type") == tarfile.DIRTYPE else 0o600
    for key, value in is_.items():
        setattr(found, key, value)
    return found


FOLDERS = [(member(name, type=tarfile.DIRTYPE), b"") for name in (FOLDER,)]
KEY, JSON = (member(f"{FOLDER}/pushy_priv.pem"), b"theirs"), (member(SECRETS), b'{"key": "theirs"}')


def lists(paths: str, manifest: str, owners: str) -> list[tuple[tarfile.TarInfo, bytes]]:
    named = {"SHARED": paths, "MANIFEST": manifest, "OWNERS": owners}
    return [(member(name), text.encode()) for name, text in named.items()]


def manifest(pair: Pair, *members: tuple[tarfile.TarInfo, bytes]) -> str:
    """As it would be of what is unpacked of the set."""
    with tempfile.TemporaryDirectory() as work:
        for found, content in members:
            path = Path(work, found.name)
            if found.isdir():
                path.mkdir(parents=True)
            elif found.isreg():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            path.chmod(found.mode)
        command = ["sh", str(pair.copier / "var/lib/chef-rollout/manifest"), FOLDER, SECRETS]
        return subprocess.run(command, cwd=work, check=True, capture_output=True, text=True).stdout


def test_the_list_of_an_archive_is_no_command_line(pair: Pair) -> None:
    """It was given to find(1), which ran what it said, as root."""
    ran = pair.copier / "ran"
    listed = f"{FOLDER}\n-exec touch {ran} ;\n"
    pair.gives(*lists(listed, manifest(pair, *FOLDERS, KEY, JSON), ""), *FOLDERS, KEY, JSON)
    pair.copy()
    assert not ran.exists()


def test_what_was_not_asked_for_is_put_nowhere(pair: Pair) -> None:
    more = [(member("root/.ssh", type=tarfile.DIRTYPE), b""), (member("root/.ssh/authorized_keys"), b"theirs")]
    listed = f"{FOLDER}\n{SECRETS}\nroot/.ssh\n"
    pair.gives(*lists(listed, manifest(pair, *FOLDERS, KEY, JSON), ""), *FOLDERS, KEY, JSON, *more)
    (pair.copier / "root").mkdir()
    done = pair.copy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list((pair.copier / "root").iterdir())
    assert (pair.copier / FOLDER / "pushy_priv.pem").read_text() == "theirs"


def test_only_what_was_asked_for_gets_an_owner(pair: Pair) -> None:
    noted = pair.copier / "noted"
    for name, text in (
        ("chown", f'echo "$@" >> {noted}'),
        ("stat", 'case $* in *%U*) echo x:x ;; *) exec /usr/bin/stat "$@" ;; esac'),
    ):
        (pair.copier / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (pair.copier / "bin" / name).chmod(0o755)
    wrong = ("etc/passwd", "../../passwd", f"{FOLDER}/../passwd", f"{FOLDER}/./pushy_priv.pem", "/etc/passwd", "-R")
    owners = "".join(f"root:root {path}\n" for path in (*wrong, f"{FOLDER}/pushy_priv.pem"))
    owners += f"--reference=/etc/passwd {FOLDER}\n"
    pair.gives(*lists(f"{FOLDER}\n", manifest(pair, *FOLDERS, KEY, JSON), owners), *FOLDERS, KEY, JSON)
    for _ in range(2):
        assert pair.copy().returncode == 0
    assert set(noted.read_text().splitlines()) == {f"root:root {FOLDER}/pushy_priv.pem"}


def test_a_line_of_a_name_is_no_path(pair: Pair) -> None:
    """A primary gave any file of a server to another owner, by the name of a folder that ends a line."""
    noted, victim = pair.copier / "noted", pair.copier / "etc/passwd"
    for name, text in (("chown", f'echo "$@" >> {noted}'), ("getent", ":")):
        pair.put(name, f"#!/bin/sh\n{text}\n")
    folders = [f"{FOLDER}/x\n"]
    for part in victim.parent.parts[1:]:
        folders.append(f"{folders[-1]}/{part}")
    inner = [(member(name, type=tarfile.DIRTYPE), b"") for name in folders]
    inner.append((member(f"{folders[-1]}/{victim.name}"), b"x"))
    listed = manifest(pair, *FOLDERS, KEY, JSON, *inner)
    owners = f"nobody:nogroup {victim}\n"
    pair.gives(*lists(f"{FOLDER}\n", listed, owners), *FOLDERS, KEY, JSON, *inner)
    done = pair.copy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not noted.exists(), noted.read_text()


@pytest.mark.parametrize("owner", ["chef.svc:chef.svc", "svc@corp.example.com:Domain-Users"])
def test_an_owner_may_have_dots_and_a_domain(pair: Pair, owner: str) -> None:
    noted = pair.copier / "noted"
    for name, text in (("chown", f'echo "$@" >> {noted}'), ("getent", ":")):
        pair.put(name, f"#!/bin/sh\n{text}\n")
    owners = f"{owner} {FOLDER}/pushy_priv.pem\n"
    pair.gives(*lists(f"{FOLDER}\n", manifest(pair, *FOLDERS, KEY, JSON), owners), *FOLDERS, KEY, JSON)
    assert pair.copy().returncode == 0
    assert f"{owner} {FOLDER}/pushy_priv.pem" in noted.read_text()


@pytest.mark.parametrize(
    "hostile",
    [
        member(f"{FOLDER}/x", type=tarfile.SYMTYPE, linkname="../passwd"),
        member(f"{FOLDER}/x", type=tarfile.LNKTYPE, linkname="etc/passwd"),
        member(f"{FOLDER}/x", type=tarfile.CHRTYPE, devmajor=1, devminor=1),
        member(FOLDER, type=tarfile.SYMTYPE, linkname="../root"),
    ],
    ids=["a link", "a hard link", "a device", "the folder as a link"],
)
def test_what_is_no_file_and_no_folder_is_refused_before_it_is_unpacked(pair: Pair, hostile: tarfile.TarInfo) -> None:
    pair.gives(*lists(f"{FOLDER}\n", "", ""), *FOLDERS, KEY, JSON, (hostile, b""))
    assert "neither a file nor a directory" in untouched(pair, pair.copy)


def test_what_leads_out_of_the_set_is_not_unpacked_there(pair: Pair) -> None:
    out = [(member(f"{FOLDER}/../../passwd"), b"theirs"), (member(f"{FOLDER}/../passwd"), b"theirs")]
    pair.gives(*lists(f"{FOLDER}\n", manifest(pair, *FOLDERS, KEY, JSON), ""), *FOLDERS, KEY, JSON, *out)
    pair.copy()
    assert (pair.copier / "etc/passwd").read_text() == "system of copier"
