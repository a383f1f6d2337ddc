"""A runbook's tasks as Pulumi resources: a remote command for each task.

`depends_on` defines the order, `triggers` what runs again. The plan defines the tasks and their edges.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

from chef_push_jobs import scripts
from chef_push_jobs.runbook.plan import PlannedTask, StackPlan, TaskId
from chef_push_jobs.runbook.script_context import ScriptContext, ServerIdentity
from chef_push_jobs.runbook.steps import Action

from .component import Component
from .connection import ConnectedServer
from .program_end import Refused
from .short_trace import short_trace
from .triggers import kept, triggers

LOG_NOTHING = command.remote.Logging.NONE
Resources = Mapping[TaskId, Sequence[pulumi.CustomResource]]


@dataclass(frozen=True)
class RolloutArgs:
    """A runbook of a plan, on `servers` by name. `made` are the resources of tasks that were created before.

    Tasks of the servers themselves are created with the first runbook, unless something else creates them.
    """

    runbook: str
    plan: StackPlan
    servers: Mapping[str, ConnectedServer]
    made: Resources


class Rollout(Component):
    """All tasks of a runbook. `made` are the resources of its tasks, and those from before."""

    made: Resources

    def __init__(
        self, name: str, args: RolloutArgs, opts: pulumi.ResourceOptions | None = None, *, prefix: str | None = None
    ) -> None:
        super().__init__("Rollout", name, {"runbook": args.runbook, "servers": list(args.servers)}, opts, prefix)
        self._plan, self._servers, self._made = args.plan, args.servers, dict(args.made)
        own = (task for task in args.plan.of("") if task.id not in args.made)
        tasks = [*own, *args.plan.of(args.runbook)]
        for task in tasks:
            make = self._upload if task.action is Action.UPLOAD else self._command
            self._made[task.id] = [make(task)]
        self.made = self._made
        self.register_outputs({"tasks": len(tasks)})

    def output(self, steps: Collection[str], choose: Callable[[Sequence[str]], str]) -> pulumi.Output[str]:
        """The result of `choose` for the last log lines of all tasks of `steps`; its ValueError ends the run."""
        made = [self._made[task.id][0] for task in self._plan.tasks.values() if task.id.step in steps]
        printed = [task.stdout for task in made if isinstance(task, command.remote.Command)]

        def chosen(shown: Sequence[str]) -> str:
            try:
                return choose(shown)
            except ValueError as error:
                raise Refused(str(error)) from None

        return pulumi.Output.all(*printed).apply(chosen)

    @short_trace()
    def _command(self, task: PlannedTask) -> command.remote.Command:
        lines = task.step.tail_lines
        script = self._script(task)
        depends_on = [resource for task_id in task.depends_on for resource in self._made[task_id]]
        repair = self._plan.settings.repair(str(task))
        show = f"tail -n {lines} {scripts.LOGS}/{task.id.log_name}.log" if lines else None
        return command.remote.Command(
            f"{self.prefix}{task}",
            connection=self._servers[task.server.name].connection,
            create=script.apply(task.command) if isinstance(script, pulumi.Output) else task.command(script),
            update=f"{scripts.NOTHING}; {scripts.as_root(show)}" if show else scripts.NOTHING,
            stdin=script,
            triggers=triggers(repair, task.fingerprint(self._plan.context), *self._again(task)),
            add_previous_output_in_env=False,
            logging=LOG_NOTHING,
            opts=pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self, depends_on=depends_on), kept(repair)),
        )

    @short_trace()
    def _upload(self, task: PlannedTask) -> command.remote.CopyToRemote:
        assert task.package is not None
        assert task.package.file is not None
        repair = self._plan.settings.repair(str(task.uploads_for))
        return command.remote.CopyToRemote(
            f"{self.prefix}{task}",
            connection=self._servers[task.server.name].connection,
            source=pulumi.FileAsset(task.package.file),
            remote_path=scripts.uploaded(task.package),
            triggers=triggers(repair, *self._again(task)),
            opts=pulumi.ResourceOptions.merge(self.child_opts, kept(repair)),
        )

    def _again(self, task: PlannedTask) -> list[pulumi.Output[str]]:
        return [resource.id for task_id in task.triggered_by for resource in self._made[task_id]]

    def _script(self, task: PlannedTask) -> str | pulumi.Output[str]:
        plan = self._plan
        names = [source.name for source in task.step.facts(plan.topology)]
        if not names:
            return task.script(plan.context).text

        def render(known: list[ServerIdentity]) -> str:
            return task.script(ScriptContext(plan.topology, plan.settings, dict(zip(names, known, strict=True)))).text

        return pulumi.Output.all(*(self._servers[name].facts for name in names)).apply(render)
