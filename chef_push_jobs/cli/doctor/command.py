"""The command line of `chef-push-jobs doctor`."""

from __future__ import annotations

import asyncio
import secrets
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from chef_push_jobs.cli.common import (
    PROBLEMS,
    WELL,
    ConfigFileOption,
    OutputOption,
    StackOption,
    place,
    project_root,
    write,
)
from chef_push_jobs.cli.doctor import diagnosis, probe, report
from chef_push_jobs.cli.doctor.observations import Cloud
from chef_push_jobs.cli.doctor.remediation import Remediation
from chef_push_jobs.config.settings import Settings
from chef_push_jobs.engine import stack_state
from chef_push_jobs.engine.pulumi_cli import Place, Pulumi
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.scripts import uploaded


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


def doctor(
    stack: StackOption = None,
    config_file: ConfigFileOption = None,
    seconds: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="Time limit for one server, in seconds.")
    ] = 30.0,
    form: Annotated[
        Format, typer.Option("--format", help="For the structure of the JSON, see chef_push_jobs/cli/doctor/report.py.")
    ] = Format.TEXT,
    output: OutputOption = None,
) -> int:
    """Find what differs from the stack, and how to fix it.

    Checks all servers and the AWS API, and changes nothing.

    Exit status: 0 no problems in what could be checked; 1 there are problems, each with commands that fix it; 2 nothing
    could be checked.
    """
    pulumi = Pulumi(project_root())
    text, well = asyncio.run(_doctor(pulumi, place(pulumi, stack, config_file), seconds, form))
    write(text, output)
    return WELL if well else PROBLEMS


async def _doctor(pulumi: Pulumi, chosen: Place, seconds: float, form: Format) -> tuple[str, bool]:
    """The report, and whether all is well."""
    # They take longer to import than all else together, and no other subcommand needs them.
    from chef_push_jobs.cli.doctor import cloud, visit  # noqa: PLC0415

    started, nonce = time.monotonic(), secrets.token_hex(32)
    of = await stack_state.read_stack(pulumi, chosen)
    ports = list(push_jobs.ports(of.settings).values())
    files, versions = [push_jobs.SETTINGS_FILE, *probe.CREDENTIALS], _versions(of.settings)
    uploads = [uploaded(package) for package in of.settings.packages if package.file]
    script = probe.script(nonce, files, ports, versions, of.ssh.user, uploads=uploads)
    asked = visit.visit_all(of.targets, of.ssh, script, ports, seconds)
    groups, machines = (list(of.ids(kind).values()) for kind in (diagnosis.GROUP, diagnosis.INSTANCE))
    looked = asyncio.to_thread(cloud.look, of.aws, groups, machines) if groups else _no_cloud()
    visits, found = await asyncio.gather(asked, looked)
    found_all = diagnosis.diagnose(of, visits, found, nonce)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    mending = Remediation(of.place, of.plan, now, found_all.findings, of.project)
    render = report.as_json if form is Format.JSON else report.as_text
    return render(of, found_all, mending, time.monotonic() - started), found_all.well


def _versions(settings: Settings) -> dict[str, str]:
    """Of the stack's packages, where their names tell."""
    packages = zip(probe.PACKAGES, (settings.push_jobs_package, settings.chef_server_package), strict=True)
    return {name: package.version for name, package in packages if package and package.version}


async def _no_cloud() -> Cloud:
    """A cloud that was not asked: existing servers stand behind firewalls that the stack does not manage."""
    return Cloud({}, {})
