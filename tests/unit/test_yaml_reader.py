"""Whatever a stack file holds is understood or refused in three lines, in bounded time, and never a traceback."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from chef_push_jobs.config import stack_files, yaml_reader
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.config.stack_files import StackFileError
from chef_push_jobs.config.yaml_reader import YamlError
from chef_push_jobs.runbook.stack import load_stack
from sandbox.paths import CLONE

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
SECONDS = 5.0

# As the engine reads them.
UNDERSTOOD = [
    (b"a: yes", {"a": "yes"}),
    (b"a: true", {"a": True}),
    (b"a: 010", {"a": 8}),
    (b"a: 0x1f", {"a": 31}),
    (b"a: 1_000", {"a": 1000}),
    (b"a: 1.5", {"a": 1.5}),
    (b"a: 2026-11-26", {"a": "2026-11-26 00:00:00 +0000 UTC"}),
    (b"a: ~", {"a": None}),
    (b"\xef\xbb\xbfa: b", {"a": "b"}),
    (b"", None),
    (b"a: &x {b: c}\nd: {<<: *x, e: f}", {"a": {"b": "c"}, "d": {"b": "c", "e": "f"}}),
]

REFUSED = [
    (b"a: !!int x", "line 1: !!int x"),
    (b"a: !!float x", "line 1: !!float x"),
    (b"a: !!int [1]", "line 1: !!int of a list or a section"),
    (b"a: !!float {b: c}", "line 1: !!float of a list or a section"),
    (b"a: !!bool [true]", "line 1: !!bool of a list or a section"),
    (b"a: !!timestamp []", "line 1: !!timestamp of a list or a section"),
    (b"a: !!binary [x]", "line 1: !!binary of a list or a section"),
    (b"'': a\n'': b", "line 1: key , twice"),
    (b"a: !!bool x", "line 1: !!bool x"),
    (b"a: .inf", "line 1: .inf"),
    (b'a: "\\ud800"', r"line 1: '\ud800'"),
    (b'"\\udfff": b', r"line 1: '\udfff'"),
    (b'a: ["\\ud83d\\ude00"]', r"line 1: '\ud83d\ude00'"),  # the engine takes no pairs either
    (b'a: "\\U00110000"', "an escape of no character"),
    (b'a: "\\UFFFFFFFF"', "an escape of no character"),
    (b"a: !!python/object:os.system x", "line 1: could not determine a constructor"),
    (b"a: &a [*a]", "line 1: a value that contains itself"),
    (b"a: b\na: c", "line 1: key a, twice"),
    (b"[a]: b", "line 1: a key that is a list or a section"),
    (b"a: [", "line 1: "),
    (b"a: b\nb: \xff", "line 2: a byte that is not UTF-8 (0xff)"),
    (b"a: \x00", ""),
    (b"a: " + b"[" * 60 + b"]" * 60, "line 1: nested too deeply"),
    (b"a: " + b"[" * 100_000, ""),
    (BOMB.encode(), "too many values"),
    (b"a: " + b"x" * 2_000_000, "2000003 bytes"),
]


@pytest.mark.parametrize(("content", "found"), UNDERSTOOD)
def test_a_value_is_what_the_engine_takes_it_for(content: bytes, found: object) -> None:
    assert yaml_reader.read(content) == found


@pytest.mark.parametrize(("content", "what"), REFUSED, ids=range(len(REFUSED)))
def test_what_nobody_could_mean_is_refused_with_rule_and_remedy_in_bounded_time(content: bytes, what: str) -> None:
    begun = time.process_time()
    with pytest.raises(YamlError) as refused:
        yaml_reader.read(content)
    assert time.process_time() - begun < SECONDS
    told = str(refused.value)
    assert what in told
    assert [line.split()[0] for line in told.splitlines()[-2:]] == ["Rule:", "Do:"]


def test_many_keys_of_one_section_take_no_longer_than_as_many_sections() -> None:
    def seconds(dash: str) -> float:
        begun = time.process_time()
        yaml_reader.read("".join(f"{dash}k{number}: 1\n" for number in range(20_000)).encode())
        return time.process_time() - begun

    assert seconds("") < 2 * seconds("- ")


def test_a_number_of_5000_digits_is_refused_in_few_words() -> None:
    with pytest.raises(YamlError) as refused:
        yaml_reader.read(b"a: " + b"9" * 5000)
    assert f"line 1: {'9' * 60}… (5000 letters)\n" in str(refused.value)


@pytest.mark.parametrize("content", ["config: x", "config: [a]", "config: {1: b}", "x", "- a", "config: {topology: [}"])
def test_a_file_of_another_shape_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    with pytest.raises(StackFileError, match=r"Pulumi\.s"):
        stack_files.read_configuration("s", _project(tmp_path, content))


def test_a_key_without_a_namespace_is_the_projects_own_as_it_is_to_the_engine(tmp_path: Path) -> None:
    root = _project(tmp_path, "config:\n  topology: ha\n  chef-push-jobs:domain: chef.test\n")
    assert dict(stack_files.read_configuration("s", root).own) == {"topology": "ha", "domain": "chef.test"}


def test_a_private_key_in_clear_text_is_refused_and_not_shown(tmp_path: Path) -> None:
    told = str(_problems(tmp_path, "  chef-push-jobs:ssh:\n    privateKey: very-secret"))
    assert "ssh.privateKey: a secret, in clear text" in told
    assert "very-secret" not in told


def test_another_secret_beside_it_hides_no_private_key_in_clear_text(tmp_path: Path) -> None:
    told = str(_problems(tmp_path, "  chef-push-jobs:ssh:\n    user: {secure: abc}\n    privateKey: very-secret"))
    assert "ssh.privateKey: a secret, in clear text" in told
    assert "ssh.user: a secret" in told


def test_a_password_in_a_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    url = "https://user:very-secret@packages.test/opscode-push-jobs-server_2.2.8-1_amd64.deb"
    told = str(_problems(tmp_path, f"  chef-push-jobs:pushJobs:\n    package:\n      url: {url}"))
    assert "pushJobs.package.url: a URL with a password" in told
    assert "very-secret" not in told


def test_stack_files_that_were_damaged_at_random_are_read_or_refused() -> None:
    chance = random.Random(20261126)  # noqa: S311 - the same damage each time
    files = [path.read_bytes() for path in sorted((CLONE / "stacks").glob("Pulumi.*.yaml"))]
    pieces = [b"\xff", b"\x00", b"&a [*a]", b"!!int x", b"{", b"]", b"'", b"- ", b": ", b"\t", b"2026-11-26", b"<<: 1"]
    for _ in range(300):
        content = bytearray(chance.choice(files))
        for _ in range(chance.randint(1, 6)):
            at, piece = chance.randrange(len(content)), chance.choice(pieces)
            content[at : at + chance.choice((0, 0, 1, 20))] = piece
        try:
            yaml_reader.read(bytes(content))
        except YamlError as error:
            assert "Rule:" in str(error)


def _project(folder: Path, content: str) -> Path:
    (folder / "stacks").mkdir()
    (folder / "Pulumi.yaml").write_text("name: chef-push-jobs\nruntime: python\nstackConfigDir: stacks\n")
    (folder / "stacks" / "Pulumi.s.yaml").write_text(content)
    return folder


def _problems(folder: Path, line: str) -> SettingsError:
    root = _project(folder, f"config:\n  chef-push-jobs:topology: ha\n{line}\n")
    with pytest.raises(SettingsError) as refused:
        load_stack(stack_files.read_configuration("s", root), root, files=False)
    return refused.value
