"""A plan as Pulumi resources: a remote command a task, `depends_on` for the order, `triggers` for running again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.model.topology import Server
from chef_push_jobs.runbook.script_context import ScriptContext, ServerIdentity
from chef_push_jobs.runbook.steps import Key, Step, Task, fingerprint, plan

from .component import Component
from .connection import ConnectedServer
from .short_trace import short_trace

LOG_NOTHING = command.remote.Logging.NONE


@dataclass(frozen=True)
class RolloutArgs:
    """All tasks of a runbook, on `servers` by their name; `context` is what their scripts are rendered from.

    `firewall` are the resources that do the step of that name. The first task on a server waits for the one in `after`.
    """

    runbook: str
    steps: Sequence[Step]
    context: ScriptContext
    servers: Mapping[str, ConnectedServer]
    firewall: Sequence[pulumi.CustomResource]
    after: Mapping[str, pulumi.CustomResource]


class Rollout(Component):
    """All tasks of a runbook on a cluster, each named after runbook, step and server."""

    def __init__(
        self, name: str, args: RolloutArgs, opts: pulumi.ResourceOptions | None = None, *, prefix: str | None = None
    ) -> None:
        super().__init__("Rollout", name, {"runbook": args.runbook, "servers": list(args.servers)}, opts, prefix)
        self._runbook, self._servers = args.runbook, args.servers
        self._cluster = args.context
        self._before = args.after
        self._last: dict[str, pulumi.CustomResource] = {}
        self._made: dict[Key, Sequence[pulumi.CustomResource]] = {}
        given = {"firewall": dict.fromkeys(args.servers, args.firewall)}
        given["connect"] = {name: [server.connected] for name, server in args.servers.items()}
        for task in plan(args.steps, args.context.topology):
            if task.step.script is None:
                self._made[task.key] = given[task.step.name][task.server.name]
            else:
                self._last[task.server.name] = made = self._command(task)
                self._made[task.key] = [made]
        self.register_outputs({"tasks": len(self._made)})

    @property
    def last(self) -> Mapping[str, pulumi.CustomResource]:
        """The last task on each server, by its name."""
        return self._last

    def output(self, step: str, choose: Callable[[Sequence[str]], str]) -> pulumi.Output[str]:
        """What `choose` makes of all that the tasks of `step` showed of their logs; its ValueError ends the run."""
        made = [resources[0] for key, resources in self._made.items() if key.step == step]
        shown = [task.stdout for task in made if isinstance(task, command.remote.Command)]

        def chosen(told: Sequence[str]) -> str:
            try:
                return choose(told)
            except ValueError as error:
                raise pulumi.RunError(str(error)) from None

        return pulumi.Output.all(*shown).apply(chosen)

    @short_trace()
    def _command(self, task: Task) -> command.remote.Command:
        step, settings = task.step, self._cluster.settings
        name = f"{self.prefix}{self._runbook}-{task.key}"
        again = [resource.id for key in task.triggered_by for resource in self._made[key]]
        after: list[pulumi.Resource] = [resource for key in task.depends_on for resource in self._made[key]]
        if task.server.name not in self._last and task.server.name in self._before:
            after.append(self._before[task.server.name])
        if (package := step.package(settings)) and package.file:
            after.append(self._upload(task, package.file, scripts.uploaded(package), again))
        limit = settings.timeout(step.name, step.timeout)
        show = f"tail -n {step.tail_lines} {scripts.LOGS}/{self._runbook}-{step.name}.log" if step.tail_lines else None
        return command.remote.Command(
            name,
            connection=self._servers[task.server.name].connection,
            create=scripts.runner(f"{self._runbook}-{step.name}", limit, step.tail_lines),
            update=f"{scripts.NOTHING}; sudo -n {show}" if show else scripts.NOTHING,
            stdin=self._script(step, task.server),
            triggers=[self._fingerprint(task), *again],
            add_previous_output_in_env=False,
            logging=LOG_NOTHING,
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    @short_trace()
    def _upload(
        self, task: Task, file: str, path: str, again: Sequence[pulumi.Output[str]]
    ) -> command.remote.CopyToRemote:
        return command.remote.CopyToRemote(
            f"{self.prefix}{self._runbook}-upload-{task.server.name}",
            connection=self._servers[task.server.name].connection,
            source=pulumi.FileAsset(file),
            remote_path=path,
            triggers=[*again, *self._cluster.settings.repair(f"{self._runbook}-{task.key}")],
            opts=self.child_opts,
        )

    def _script(self, step: Step, server: Server) -> pulumi.Input[str]:
        assert step.script is not None
        script, sources = step.script, step.facts(self._cluster.topology)
        if not sources:
            return script(self._cluster, server)
        names = [source.name for source in sources]

        def render(known: list[ServerIdentity]) -> str:
            facts = dict(zip(names, known, strict=True))
            return script(ScriptContext(self._cluster.topology, self._cluster.settings, facts), server)

        return pulumi.Output.all(*(self._servers[name].facts for name in names)).apply(render)

    def _fingerprint(self, task: Task) -> str:
        """Of what the task does; the machine's id is another trigger."""
        repair = self._cluster.settings.repair(f"{self._runbook}-{task.key}")
        return fingerprint("".join([task.meaning(self._cluster), *repair]))
