"""python -m chef_push_jobs.cli.doctor [--stack STACK] [--config-file FILE] [--json] [--timeout SECONDS]

Asks all servers of a stack, and the AWS API, whether they are as the stack says, and changes nothing.
Exit status: 0 all is well, 1 there are problems (each with the commands that mend it), 2 it could not begin.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from chef_push_jobs.cli.doctor import cloud, diagnosis, probe, report, visit
from chef_push_jobs.cli.doctor.observations import Cloud
from chef_push_jobs.cli.doctor.remediation import Remediation
from chef_push_jobs.config.settings import Settings, SettingsError
from chef_push_jobs.engine import stack_state
from chef_push_jobs.runbook import push_jobs

SERVER_SECONDS = 30.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m chef_push_jobs.cli.doctor", description=__doc__.split("\n\n", 1)[1]
    )
    parser.add_argument("--stack", help="the stack; by default the selected one")
    parser.add_argument("--config-file", help="its settings, where they are in another place")
    parser.add_argument(
        "--json", action="store_true", help="all of it as JSON; chef_push_jobs/cli/doctor/report.py has the shape"
    )
    parser.add_argument("--timeout", type=float, default=SERVER_SECONDS, help="seconds for one server (30)")
    given = parser.parse_args(arguments)
    file = str(Path(given.config_file).resolve()) if given.config_file else None
    try:
        text, well = asyncio.run(doctor(given.stack, file, given.timeout, as_json=given.json))
    except (stack_state.StackError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0 if well else 1


async def doctor(name: str | None, config_file: str | None, seconds: float, *, as_json: bool) -> tuple[str, bool]:
    """The report, and whether all is well."""
    started, nonce = time.monotonic(), secrets.token_hex(32)
    of = await stack_state.read_stack(name, config_file)
    ports = list(push_jobs.ports(of.settings).values())
    script = probe.script(nonce, [push_jobs.SETTINGS_FILE, *probe.CREDENTIALS], ports, _versions(of.settings))
    asked = visit.visit_all(of.targets, of.ssh, script, ports, seconds)
    groups, machines = (list(of.ids(kind).values()) for kind in (diagnosis.GROUP, diagnosis.INSTANCE))
    looked = asyncio.to_thread(cloud.look, of.aws, groups, machines) if groups else _no_cloud()
    visits, found = await asyncio.gather(asked, looked)
    found_all = diagnosis.diagnose(of, visits, found, nonce)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    mending = Remediation(of.place, of.plan, now, found_all.findings)
    told = report.as_json if as_json else report.as_text
    return told(of, found_all, mending, time.monotonic() - started), found_all.well


def _versions(settings: Settings) -> dict[str, str]:
    """Of the stack's packages, where their names tell."""
    packages = zip(probe.PACKAGES, (settings.push_jobs_package, settings.chef_server_package), strict=True)
    return {name: package.version for name, package in packages if package and package.version}


async def _no_cloud() -> Cloud:
    """Servers that exist already stand behind firewalls that are not the stack's."""
    return Cloud({}, {})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
