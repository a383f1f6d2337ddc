"""What installing a package does by what is there already: the script with stand-ins of dpkg's commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts
from chef_push_jobs.model.packages import Package

COMMANDS = {
    # An uploaded file holds its package and version.
    "dpkg-deb": '[ "$3" = Package ] && cut -d " " -f 1 "$2" || cut -d " " -f 2 "$2"',
    "dpkg-query": 'cat "$DISK/status" 2> /dev/null',
    "dpkg": """case $1 in
  --compare-versions) [ "$(printf '%s\\n' "$2" "$4" | sort -V | head -n 1)" = "$2" ] && [ "$2" != "$4" ] ;;
  --set-selections) cat > "$DISK/selections" ;;
  *) cp "$2" "$DISK/installed" ;;
esac""",
    "sha256sum": "cat > /dev/null",
    "rpm": """case $*/$1 in
  -qp*NAME*) cut -d " " -f 1 "$4" ;;
  -qp*) cut -d " " -f 2 "$4" ;;
  */-q) [ -e "$DISK/status" ] && for one in $(cat "$DISK/status"); do
    printf "$(printf %s "$3" | sed 's/%{[^n]*}/%s/')" "$one"
  done ;;
  *) cp "$3" "$DISK/installed" ;;
esac""",
    "getent": 'echo "u:x:1:1::$DISK/home:/bin/sh"',
}


def install(
    disk: Path, version: str, status: str = "", others: tuple[str, ...] = (), file: str = "push_1_amd64.deb"
) -> tuple[int, str]:
    """The exit status and what was installed; `others` are files that were uploaded before, as `package version`."""
    for folder in ("bin", "home", "work"):
        (disk / folder).mkdir()
    for name, text in COMMANDS.items():
        (disk / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (disk / "bin" / name).chmod(0o755)
    if status:
        (disk / "status").write_text(status)
    package = Package(file, "a" * 64, file=file)
    (disk / "home" / scripts.uploaded(package)).write_text(f"push {version}\n")
    for number, content in enumerate(others):
        (disk / "home" / f"chef-rollout-{number:012}-x.deb").write_text(f"{content}\n")
    script = scripts.install(package, "u").text.replace(scripts.HOME, str(disk / "work"))
    script = script.replace("/var/lib/dpkg", str(disk / "work"))
    environment = {**os.environ, "PATH": f"{disk}/bin:{os.environ['PATH']}", "DISK": str(disk)}
    done = subprocess.run(["sh"], input=script, text=True, env=environment, capture_output=True, check=False)
    installed = disk / "installed"
    return done.returncode, installed.read_text().split()[1] if installed.exists() else ""


@pytest.mark.parametrize(
    ("status", "version", "installs"),
    [
        ("", "1.1", True),
        ("install ok installed 1.0", "1.1", True),
        ("install ok installed 1.2", "1.1", False),
        ("hold ok installed 1.0", "1.1", True),
        ("hold ok installed 1.2", "1.1", False),
        ("hold ok half-configured 1.2", "1.1", True),
        ("install ok triggers-pending 1.2", "1.1", False),
        ("install ok half-configured 1.2", "1.1", True),
        ("install ok unpacked 1.2", "1.1", True),
        ("install reinstreq half-installed 1.2", "1.1", True),
        ("deinstall ok config-files 1.2", "1.1", True),
    ],
)
def test_a_version_is_never_replaced_by_an_older_one_but_where_it_was_not_configured_to_its_end(
    tmp_path: Path, status: str, version: str, installs: bool
) -> None:
    assert install(tmp_path, version, status) == ((0, version) if installs else (1, ""))


@pytest.mark.parametrize("wanted", ["install", "hold", "deinstall"])
def test_a_version_that_is_there_is_not_installed_again(tmp_path: Path, wanted: str) -> None:
    assert install(tmp_path, "1.1", f"{wanted} ok installed 1.1") == (0, "")


def test_a_package_that_is_on_hold_stays_on_hold(tmp_path: Path) -> None:
    assert install(tmp_path, "1.1", "hold ok installed 1.0") == (0, "1.1")
    assert (tmp_path / "selections").read_text() == "push hold\n"


@pytest.mark.parametrize(
    ("status", "version", "installs"),
    [
        ("", "1.1-1", True),
        ("1.0-1", "1.1-1", True),
        ("1.1-1", "1.1-1", None),
        ("1.2-1", "1.1-1", False),
        ("1.0-1 1.1-1", "1.1-1", True),
        ("1.1-1 1.0-1", "1.1-1", True),
        ("1.0-1 1.2-1", "1.1-1", False),
    ],
)
def test_an_rpm_of_which_two_versions_are_there_since_an_upgrade_was_interrupted_is_installed_again(
    tmp_path: Path, status: str, version: str, installs: bool | None
) -> None:
    is_ = install(tmp_path, version, status, file="push-1.x86_64.rpm")
    assert is_ == {True: (0, version), False: (1, ""), None: (0, "")}[installs]


def test_what_older_versions_of_a_package_left_goes_once_the_new_one_is_installed(tmp_path: Path) -> None:
    assert install(tmp_path, "1.1", "", ("push 1.0", "core 12.0")) == (0, "1.1")
    left = [file.read_text().strip() for file in sorted((tmp_path / "home").iterdir())]
    assert sorted(left) == ["core 12.0", "push 1.1"]
