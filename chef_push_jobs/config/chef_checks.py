"""The rules about what goes into chef-server.rb. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from chef_push_jobs.config.parser import Values
from chef_push_jobs.config.stack_config import KEY, KEY_RULE, TEXT, TEXT_RULE
from chef_push_jobs.model.chef_settings import FILE, OWN, OWN_OF_FAILOVER, TABLES, VALUES
from chef_push_jobs.model.problems import Problem, without_use

SETTINGS = "chefServer.settings"
SECRET = re.compile(r"passw(or)?d|passphrase|secret|(^|_)token$")
IN_A_FILE = "put it in a file on the servers, and name that in chefServer.include"


def problems(values: Values, *, runs_its_runbook: bool) -> Iterator[Problem]:
    """`values` are the understood settings of the stack's file."""
    given, include = values.get(SETTINGS), values.get("chefServer.include")
    settings = given if isinstance(given, dict) else {}
    if not runs_its_runbook:
        unused = [*([SETTINGS] if settings else []), *(["chefServer.include"] if include else [])]
        yield from without_use(
            unused, "Chef server on existing servers is not changed unless chefServer.package is set"
        )
    if include == FILE:
        rule = "it must be a different file, which chef-server.rb reads"
        yield Problem(
            "chefServer.include", f"'{include}'", rule, "choose a different file, for example /etc/opscode/own.rb"
        )
    for key, value in settings.items():
        found = next(_name(f"{SETTINGS}.{key}", key, value), None)
        if found:
            yield found
        elif isinstance(value, dict):
            for inner, one in value.items():
                yield from _value(f"{SETTINGS}.{key}.{inner}", inner, one)
        else:
            yield from _value(f"{SETTINGS}.{key}", key, value)
    failover = settings.get("ha") if "highAvailability.provider" in values else None
    for key in OWN_OF_FAILOVER:
        if isinstance(failover, dict) and key in failover:
            yield Problem(f"{SETTINGS}.ha.{key}", "given", "highAvailability sets it", "remove it")


def _name(setting: str, key: str, value: object) -> Iterator[Problem]:
    if key in OWN:
        yield Problem(setting, "given", "the stack sets it itself", "remove it; chefServer.apiFqdn sets the name")
    elif key not in VALUES | TABLES:
        close = difflib.get_close_matches(key, VALUES | TABLES, n=1)
        rule = "chef-server.rb is Ruby code, so only names that Chef server knows are written to it"
        yield Problem(setting, "given", rule, f"write {close[0]}" if close else f"remove it, or {IN_A_FILE}")
    elif key in TABLES and not isinstance(value, dict):
        yield Problem(setting, f"'{value}'", "it must be a table of settings", "put keys and values below it")
    elif key in VALUES and isinstance(value, dict):
        yield Problem(setting, f"{len(value)} entries", "it must be a single value", "write just the value")


def _value(setting: str, key: str, value: object) -> Iterator[Problem]:
    if not re.fullmatch(KEY, key):
        yield Problem(setting, "given", KEY_RULE, "correct it")
    elif SECRET.search(key):
        yield Problem(setting, "given", "secrets must not be in a stack file, a script or the state", IN_A_FILE)
    elif isinstance(value, str) and not re.fullmatch(TEXT, value):
        yield Problem(setting, f"'{value}'", TEXT_RULE, f"remove other characters, or {IN_A_FILE}")
