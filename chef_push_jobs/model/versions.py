"""Which versions of push jobs, Chef server and the system work together: two tables. Pure.

They are the source of the checks of a stack's settings (`config/version_checks.py`) and of the tables in docs/chef.md
("Versions"), which names their sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chef_push_jobs.model.packages import Version

LAST = (10**6,)
Words = Sequence[str]


def text(version: Version) -> str:
    return ".".join(map(str, version))


@dataclass(frozen=True)
class Span:
    """Versions from `since` up to, but not including, `before`."""

    since: Version
    before: Version = LAST

    def __contains__(self, version: Version) -> bool:
        return self.since <= version < self.before

    def __str__(self) -> str:
        return f"{text(self.since)} or later" + (f", before {text(self.before)}" if self.before != LAST else "")


@dataclass(frozen=True)
class PushJobsVersions:
    """Versions of push jobs with the same requirements.

    `ubuntu` is given if a package cannot work on any other version. Only for readers: `name`, `systems`, and the notes.
    """

    versions: Span
    name: str
    core: Span
    ha: bool
    systems: str
    core_note: str = ""
    ha_note: str = ""
    broken_core: Version = ()
    files: bool = False  # it reads core's credentials from files, which `insecure_addon_compat` keeps
    ubuntu: Words = ()


PUSH_JOBS = (
    PushJobsVersions(
        Span((1,), (2,)),
        "1.1.6",
        Span((12,), (13,)),
        ha=True,
        systems="upstart or sysvinit: Ubuntu 12.04 and 14.04, RHEL 6 and 7. Its recipe calls `initctl` on every Debian "
        "or Ubuntu, which 16.04 and later lack",
        core_note="The package asks for none. It reads `pivotal.pem` and passwords from files",
        ha_note="the database is set up on the master only",
        broken_core=(12, 11, 0),
        files=True,
        ubuntu=("12.04", "14.04"),
    ),
    PushJobsVersions(
        Span((2,), (2, 2)),
        "2.1.0, 2.1.1",
        Span((12, 6), (13,)),
        ha=True,
        systems="Ubuntu 14.04, 16.04",
        core_note="By Chef's page; the package asks for none",
        ha_note="the standby's reconfigure fails unless its database address is the VIP: "
        "[below](#database-on-every-server)",
        files=True,
    ),
    PushJobsVersions(
        Span((2, 2), (2, 2, 13)),
        "2.2.0 to 2.2.12",
        Span((12, 14)),
        ha=True,
        systems="Ubuntu 14.04, 16.04",
        core_note="The package asks for it from 2.2.1 on",
        ha_note="as 2.1",
    ),
    PushJobsVersions(
        Span((2, 2, 13), (3,)),
        "2.2.13 to 2.2.15",
        Span((12, 18, 1)),
        ha=True,
        systems="Ubuntu 14.04, 16.04, 18.04",
        core_note="The package asks for it. Never released as stable",
        ha_note="as 2.1, and built when enterprise dropped `ha`: [below](#push-jobs-3-knows-no-ha)",
    ),
    PushJobsVersions(
        Span((3,)),
        "3.0.x",
        Span((12, 18, 1)),
        ha=False,
        systems="Ubuntu 16.04, 18.04, 20.04; RHEL 6 to 8",
        core_note="The package asks for it",
        ha_note="[below](#push-jobs-3-knows-no-ha)",
    ),
)

# Settings of push jobs, with the first version in which they have an effect; older versions silently ignore them.
SETTINGS_SINCE = {"server_name_advertised": (2, 1), "max_body_size": (2, 1, 1), "vip": (2, 2, 5)}


@dataclass(frozen=True)
class CoreVersions:
    """Versions of Chef server that support the same: systems by number, `ha`, and whether they ask for the licence."""

    versions: Span
    name: str
    ubuntu: Words
    rhel: Words
    ha: bool = False
    licence: bool = True
    note: str = ""


NO_HA = "reconfigure of an `ha` cluster ends with `DRBD_HA_002`"
CORE = (
    CoreVersions(Span((12,), (12, 7)), "12.2 to 12.6", ("12.04", "14.04"), ("6", "7"), ha=True, licence=False),
    CoreVersions(
        Span((12, 7), (12, 17)),
        "12.7 to 12.16",
        ("12.04", "14.04", "16.04"),
        ("6", "7"),
        ha=True,
        licence=False,
        note="its enterprise cookbook (0.10.1) knows systemd",
    ),
    CoreVersions(Span((12, 17), (12, 19)), "12.17, 12.18", ("14.04", "16.04"), ("6", "7"), ha=True, licence=False),
    CoreVersions(Span((12, 19), (13,)), "12.19", ("14.04", "16.04", "18.04"), ("6", "7"), ha=True, licence=False),
    CoreVersions(Span((13,), (14,)), "13", ("16.04", "18.04"), ("6", "7", "8"), note=NO_HA),
    CoreVersions(
        Span((14,), (15,)),
        "14",
        ("16.04", "18.04", "20.04"),
        ("6", "7", "8"),
        note="Elasticsearch or OpenSearch on 9200 in place of Solr and RabbitMQ",
    ),
    CoreVersions(Span((15,), (16,)), "15", ("18.04", "20.04", "22.04"), ("8", "9"), note="as 14"),
)


def push_jobs(version: Version | None) -> PushJobsVersions | None:
    """What is known about a version of push jobs, or None."""
    return next((row for row in PUSH_JOBS if version and version in row.versions), None)


def core(version: Version | None) -> CoreVersions | None:
    """What is known about a version of Chef server, or None."""
    return next((row for row in CORE if version and version in row.versions), None)


UBUNTU, RHEL = "Ubuntu", "RHEL"
# Names that the vendors give their images: ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*, RHEL-7.9_HVM-*.
IMAGES = ((UBUNTU, re.compile(r"\bubuntu-[a-z]+-(\d\d\.\d\d)-")), (RHEL, re.compile(r"\bRHEL-(\d+)\.")))


def system(image: str) -> tuple[str, str] | None:
    """The system in an image's name, such as `("Ubuntu", "16.04")`, or None."""
    found = ((name, pattern.search(image)) for name, pattern in IMAGES)
    return next(((name, match[1]) for name, match in found if match), None)


def push_jobs_table() -> str:
    """A Markdown table."""
    rows = (
        (
            row.name,
            _sentences(_core(row), row.core_note, "`insecure_addon_compat` must stay true" if row.files else ""),
            row.systems,
            _yes(row.ha, row.ha_note),
        )
        for row in PUSH_JOBS
    )
    return _table(("Push jobs", "Core that it needs", "Systems", "In an `ha` cluster"), rows)


def core_table() -> str:
    """A Markdown table."""
    rows = (
        (
            row.name,
            ", ".join(row.ubuntu),
            ", ".join(row.rhel),
            _yes(row.ha, "with [a provider](#ha-providers)" if row.ha else ""),
            "must be accepted" if row.licence else "",
            row.note,
        )
        for row in CORE
    )
    return _table(("Core", "Ubuntu", "RHEL", "`ha`", "Licence", "Note"), rows)


def _core(row: PushJobsVersions) -> str:
    return f"{row.core}" + (f", but not {text(row.broken_core)}" if row.broken_core else "")


def _yes(condition: bool, note: str) -> str:
    return ("yes" if condition else "no") + (f": {note}" if note else "")


def _sentences(*parts: str) -> str:
    return ". ".join(part for part in parts if part)


def _table(head: Words, rows: Iterable[Words]) -> str:
    lines = ("| " + " | ".join(cells) + " |" for cells in (head, *rows))
    return "\n".join([next(lines), "|" + "---|" * len(head), *lines])
