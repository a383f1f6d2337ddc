"""The policies as Pulumi sees them: the thin shell around rules.py, run by the engine.

Run by path, so it adds the repository's root, which contains its rules and the settings, to the import path.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.policy import _PolicyAnalyzerServicer as AnalyzerServicer
from pulumi_policy.proxy import UnknownValueError

from policy.known import PORTS, Known, known
from policy.resources import UNKNOWN, Resource
from policy.rules import POLICIES, Policy

SETTINGS: dict[str, str] = {}  # the stack's own, without the project's prefix
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}


def _plain(value: Any) -> Any:
    """Without the wrapper that raises an error if a value is unknown."""
    if isinstance(value, Mapping):
        return {key: _read(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_read(value, number) for number in range(len(value))]
    return value


def _read(values: Any, key: object) -> Any:
    try:
        return _plain(values[key])
    except UnknownValueError:
        return UNKNOWN


def _configure_stack(servicer: Any, request: Any, context: Any, keep: Any = AnalyzerServicer.ConfigureStack) -> Any:
    """The engine sends the stack's configuration here. pulumi-policy only keeps its tags.

    For the rest it reads a variable that the engine no longer sets.
    """
    prefix = f"{request.project}:"
    SETTINGS.update({key.removeprefix(prefix): text for key, text in request.config.items() if key.startswith(prefix)})
    _known_once.cache_clear()
    return keep(servicer, request, context)


def _known(pack: Mapping[str, Any]) -> Known:
    return _known_once(tuple(sorted(pack.items())))


@cache
def _known_once(pack: tuple[tuple[str, Any], ...]) -> Known:
    return known(SETTINGS, dict(pack))


def _of_resource(policy: Policy) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        assert policy.resource is not None
        resource = Resource(args.resource_type, args.name, args.urn, _plain(args.props))
        for violation in policy.resource(resource, _known(args.get_config())):
            report(str(violation), violation.urn)

    return ResourceValidationPolicy(policy.name, policy.description, validate, config_schema=_schema(policy))


def _of_stack(policy: Policy) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        assert policy.stack is not None
        resources = [
            Resource(
                each.resource_type,
                each.name,
                each.urn,
                _plain(each.props),
                {name: [other.urn for other in others] for name, others in each.property_dependencies.items()},
            )
            for each in args.resources
        ]
        for violation in policy.stack(resources, _known(args.get_config())):
            report(str(violation), violation.urn)

    return StackValidationPolicy(policy.name, policy.description, validate, config_schema=_schema(policy))


def _schema(policy: Policy) -> PolicyConfigSchema | None:
    return PolicyConfigSchema({name: dict(PORT) for name in PORTS}) if policy.uses_ports else None


AnalyzerServicer.ConfigureStack = _configure_stack
PolicyPack(
    "chef-push-jobs",
    [_of_resource(policy) if policy.resource else _of_stack(policy) for policy in POLICIES],
    EnforcementLevel.MANDATORY,
)
