"""Rules about versions: push jobs, Chef server, the topology, the system, and settings that need a version. Pure.

What is not known (None) breaks no rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chef_push_jobs.config.parser import Values
from chef_push_jobs.model.packages import Package, Version, numbers
from chef_push_jobs.model.problems import Problem
from chef_push_jobs.model.topology import Kind
from chef_push_jobs.model.versions import (
    CORE,
    PUSH_JOBS,
    SETTINGS_SINCE,
    UBUNTU,
    CoreVersions,
    PushJobsVersions,
    core,
    push_jobs,
    system,
    text,
)

SEE = "docs/chef.md, Versions"


@dataclass(frozen=True)
class Software:
    """What a stack runs.

    `image` is the image's name, if the image is looked up by name; `balancer` one that is created.
    """

    kind: Kind | None
    push_jobs: Version | None
    core: Version | None
    image: str | None
    reconfigures_core: bool
    balancer: str | None


def version(package: Package | None, given: object) -> Version | None:
    """The version from the package's name, otherwise from the setting."""
    named = package.version if package else None
    return numbers(named or (given if isinstance(given, str) else "")) or None


def given_twice(setting: str, package: Package | None, given: object) -> Iterator[Problem]:
    """A version that is set although the package's name already contains it."""
    if (
        isinstance(given, str)
        and package
        and package.version
        and numbers(package.version)[: len(numbers(given))] != (numbers(given))
    ):
        rule = f"the package's name says {package.version}"
        yield Problem(setting, f"'{given}'", rule, "remove it; it is only for packages whose name contains no version")


def problems(software: Software, values: Values) -> Iterator[Problem]:
    """`values` are the understood settings of the stack's file."""
    core_row, push_jobs_row = core(software.core), push_jobs(software.push_jobs)
    if software.core and push_jobs_row:
        yield from _together(software, software.core, push_jobs_row)
    if software.kind is Kind.HA:
        yield from _ha(software, core_row, push_jobs_row)
    yield from _system(software, core_row, push_jobs_row)
    if core_row and core_row.licence and software.reconfigures_core and values.get("chefServer.acceptLicense") is False:
        rule = "Chef server 13 and later cannot be configured until somebody accepts its licence"
        remedy = "read the licence (https://www.chef.io/end-user-license-agreement), then set it to true"
        yield Problem("chefServer.acceptLicense", f"not given, with Chef server {_text(software.core)}", rule, remedy)
    yield from _settings(software, push_jobs_row, values)
    since = SETTINGS_SINCE["vip"]
    if software.kind is Kind.STANDALONE and software.balancer and software.push_jobs and software.push_jobs < since:
        rule = (
            f"before {text(since)} push jobs sends its clients to apiFqdn, but the load balancer only accepts the "
            "API's traffic"
        )
        given = f"{software.balancer}, for one server with push jobs {_text(software.push_jobs)}"
        remedy = f"choose push jobs {text(since)} or later, or set it to none"
        yield Problem("entry.loadBalancer", given, rule, remedy)


def _together(software: Software, its_core: Version, row: PushJobsVersions) -> Iterator[Problem]:
    given = f"push jobs {_text(software.push_jobs)} with Chef server {text(its_core)}"
    if its_core not in row.core:
        rule = f"push jobs {row.name} needs Chef server {row.core}"
        fits = [each.name for each in PUSH_JOBS if its_core in each.core]
        with_it = f"push jobs {' or '.join(fits)}, or " if fits else ""
        yield Problem("pushJobs.package", given, rule, f"choose {with_it}another Chef server ({SEE})")
    if row.broken_core and its_core[: len(row.broken_core)] == row.broken_core:
        rule = (
            f"push jobs {row.name} cannot connect to {text(row.broken_core)}, which requires a newer TLS than it "
            "supports"
        )
        yield Problem("chefServer.package", given, rule, "choose another Chef server, for example 12.11.1 or 12.19.31")


def _ha(software: Software, core_row: CoreVersions | None, push_jobs_row: PushJobsVersions | None) -> Iterator[Problem]:
    if core_row and not core_row.ha:
        last = [row.name for row in CORE if row.ha][-1]
        rule = f"Chef server supports ha up to {last}: from 13 on, its reconfigure fails"
        remedy = f"choose a chef-server-core up to {last}, or set topology to tier"
        yield Problem("topology", f"ha, with Chef server {_text(software.core)}", rule, remedy)
    if push_jobs_row and not push_jobs_row.ha:
        last = [row.name for row in PUSH_JOBS if row.ha][-2]
        rule = (
            f"push jobs {push_jobs_row.name} does not support ha: it would run on both backends instead of "
            "following the address"
        )
        remedy = f"choose push jobs {last}, or set topology to tier"
        yield Problem("pushJobs.package", f"push jobs {_text(software.push_jobs)} with topology ha", rule, remedy)


def _system(
    software: Software, core_row: CoreVersions | None, push_jobs_row: PushJobsVersions | None
) -> Iterator[Problem]:
    found = system(software.image or "")
    if found is None:
        return
    name, number = found
    by_id = "an image set by id is not checked"
    if core_row and number not in (core_row.ubuntu if name == UBUNTU else core_row.rhel):
        fits = ", ".join(core_row.ubuntu if name == UBUNTU else core_row.rhel)
        rule = f"Chef server {core_row.name} supports {name} {fits}"
        remedy = f"choose an image of one of these, or another Chef server; {by_id}"
        yield Problem("machines.image.name", f"{name} {number}, with Chef server {_text(software.core)}", rule, remedy)
    if push_jobs_row and push_jobs_row.ubuntu and name == UBUNTU and number not in push_jobs_row.ubuntu:
        rule = f"push jobs {push_jobs_row.name} needs upstart, which Ubuntu only has up to {push_jobs_row.ubuntu[-1]}"
        remedy = f"choose a newer push jobs, or an image of Ubuntu {' or '.join(push_jobs_row.ubuntu)}; {by_id}"
        given = f"{name} {number}, with push jobs {_text(software.push_jobs)}"
        yield Problem("machines.image.name", given, rule, remedy)


def _settings(software: Software, row: PushJobsVersions | None, values: Values) -> Iterator[Problem]:
    if row and row.files and _table(values, "chefServer.settings").get("insecure_addon_compat") is False:
        rule = f"push jobs {row.name} reads credentials from files, which Chef server only writes while this is true"
        remedy = "remove it, or choose push jobs 2.2 or later"
        yield Problem("chefServer.settings.insecure_addon_compat", "false", rule, remedy)
    for key, since in SETTINGS_SINCE.items():
        if software.push_jobs and software.push_jobs < since and key in _table(values, "pushJobs.settings"):
            rule = f"push jobs supports it from {text(since)} on, and ignores it in older versions"
            given = f"given for push jobs {text(software.push_jobs)}"
            yield Problem(f"pushJobs.settings.{key}", given, rule, "remove it, or choose a newer package")


def _table(values: Values, setting: str) -> dict[str, object]:
    value = values.get(setting)
    return value if isinstance(value, dict) else {}


def _text(version: Version | None) -> str:
    return text(version or ())
