"""The whole cluster as one component, for other programs: in Python by import, in every language by `provider/`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from chef_push_jobs.config.package_schema import OUTPUTS, TOKEN
from chef_push_jobs.config.settings import SettingsError
from chef_push_jobs.runbook.plan import StackPlan
from chef_push_jobs.runbook.stack import load_settings

from .assembly import assemble


class ChefPushJobsCluster(pulumi.ComponentResource):
    """A Chef server cluster with push jobs; one in a stack, since its servers are named by their role.

    `args` are the settings of a stack file, by the same names, with the same rules and messages. They are plain
    values: they decide what is made. `servers` by name, `ports` and `test` are what the program's own stack exports.
    """

    servers: pulumi.Output[dict[str, dict[str, str]]]
    ports: pulumi.Output[dict[str, int]]
    test: pulumi.Output[str]
    # These only where the settings ask for such.
    entry: pulumi.Output[dict[str, str]]
    bastion: pulumi.Output[dict[str, Any]]
    vip: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: Mapping[str, object],
        opts: pulumi.ResourceOptions | None = None,
        *,
        root: Path | None = None,
    ) -> None:
        """Paths in `args` are relative to `root`, the program's folder. Raises pulumi.RunError with every problem."""
        plan = plan_of(args, root or Path.cwd())
        super().__init__(TOKEN, name, None, opts)
        self.outputs = assemble(plan, pulumi.ResourceOptions(parent=self))
        assert self.outputs.keys() <= OUTPUTS.keys(), "an output is documented in schema.py"
        for output, value in self.outputs.items():
            setattr(self, output, pulumi.Output.from_input(value))
        self.register_outputs(self.outputs)


def plan_of(args: Mapping[str, object], root: Path) -> StackPlan:
    """Of the checked settings. Raises pulumi.RunError, which is shown without a stack trace, with every problem."""
    late = [name for name, value in args.items() if isinstance(value, pulumi.Output)]
    if late:
        raise pulumi.RunError(
            f"{', '.join(late)}: a secret, or known only once something is made\n"
            "     Rule: settings are plain values: they decide what is made.\n"
            "     Do:   give a plain value; a private key is best left to the ssh-agent."
        )
    given = {name: _plain(value) for name, value in args.items() if value is not None}
    raw = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    try:
        return load_settings(raw, root)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def _plain(value: object) -> object:
    """Whole numbers as such, which the engine's protocol has none of; without what is not given."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
