"""Checks before pulumi-command dials: is there a key to log in with, who answers, and do we get in?"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pulumi

from chef_push_jobs import scripts
from chef_push_jobs.engine import first_contact
from chef_push_jobs.engine.first_contact import NoKey, NotThere, OtherKey, TurnedAway
from chef_push_jobs.model.shown import visible
from chef_push_jobs.model.ssh_keys import fingerprint, printed_keys

from .deferred import plain
from .host_keys import COMMANDS, changed_key
from .rolling import machines_settled

# The first attempts fail on any server that boots; report only what lasts longer.
PATIENCE = 3
_WAITING: set[asyncio.Task[None]] = set()


def look_before_dialling(*, boots: bool) -> None:
    """Applies to all remote commands that are created after this call.

    It refuses at once what no later attempt would change; the plugin would dial again and again without giving a
    reason. Before that, it waits for machines that stop for a change. Deletions are left to the plugin, because the old
    resource of a replaced task has the old key. `boots` says that the stack creates machines: during their first boot,
    they may refuse us for a while.
    """
    pulumi.runtime.register_stack_transformation(with_look(boots=boots))


def with_look(prefix: str = "", *, boots: bool) -> pulumi.ResourceTransformation:
    """Hooks remote commands. A hook's name must be unique in a program; `prefix` is that of the cluster's names."""

    async def check(args: pulumi.ResourceHookArgs) -> None:
        await _check(args, boots=boots)

    hook = pulumi.ResourceHook(f"{prefix}before-dialling", check)
    binding = pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
    hooked = pulumi.ResourceOptions(hooks=binding)

    def add(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if args.type_ not in COMMANDS:
            return None
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, hooked))

    return add


def warn_without_agent(private_key: object) -> None:
    """Called before machines are created, which takes minutes. A run that connects to no server needs no agent."""
    if private_key is None and not pulumi.runtime.is_dry_run() and (why := first_contact.agent_trouble()):
        pulumi.log.warn(f"{why}: every task on a server will be refused\n{KEY_NEEDED}")


async def _check(args: pulumi.ResourceHookArgs, *, boots: bool = False) -> None:
    await machines_settled()
    inputs = args.new_inputs or {}
    connection = await plain(inputs.get("connection"))
    if connection is None:
        return
    pinned = connection.get("hostKey")
    before = printed_keys(str(await plain((args.old_outputs or {}).get("stdout"))))
    if pinned and len(before) == 2 and before[0] != pinned:
        # A key that an older version printed before the copy key, because it could not keep it anywhere else.
        raise ValueError(changed_key(args.name, fingerprint(before[0]), fingerprint(pinned)))
    try:
        await first_contact.contact(connection)
    except OtherKey as found:
        raise ValueError(changed_key(f"{args.name} ({found.host})", found.pinned, found.shown)) from None
    except NoKey as why:
        raise ValueError(f"{args.name}: {why}\n{KEY_NEEDED}") from None
    except TurnedAway as turned:
        if turned.on_the_way or not (boots and inputs.get("create") == scripts.HOST_KEY):
            raise ValueError(turned_away(args.name, turned)) from None
        _wait(args, connection)
    except NotThere:
        _wait(args, connection)


KEY_NEEDED = (
    "Rule: servers are logged in to with the keys of an SSH agent, or with ssh.privateKey of the settings.\n"
    'Do:   start one if there is none (eval "$(ssh-agent)"), give it the key (ssh-add FILE), run pulumi up again.'
)


def turned_away(task: str, turned: TurnedAway) -> str:
    user = "ssh.proxy.user" if turned.on_the_way else "ssh.user"
    return (
        f"{task} ({turned.host}): {turned}\n"
        f"Rule: the user {turned.user} ({user}) is there, and lets in one of the agent's keys (ssh-add -l), or "
        "ssh.privateKey.\n"
        f"Do:   see sshd's log there. Likely another user (ubuntu, ec2-user, rocky, …), another key, more keys in the "
        "agent than sshd tries (6), or AllowUsers and the like."
    )


def _wait(args: pulumi.ResourceHookArgs, connection: dict[str, Any]) -> None:
    """While the plugin dials, shows next to the resource why the last attempt failed."""
    resource = cast(pulumi.Resource, SimpleNamespace(urn=pulumi.Output.from_input(args.urn)))

    def tell(why: Exception, number: int) -> None:
        text = turned_away(args.name, why) if isinstance(why, TurnedAway) else f"{args.name}: {why}"
        lasting = number == PATIENCE
        say = pulumi.log.warn if lasting and isinstance(why, TurnedAway) else pulumi.log.info
        say(
            visible(f"{text}\nIt is dialled again." if lasting else f"{text}: dialled again"),
            resource,
            None,
            not lasting,
        )

    task = asyncio.ensure_future(first_contact.attempts(connection, tell))
    # When the run ends, the last one may still sleep.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    _WAITING.add(task)
    task.add_done_callback(_WAITING.discard)
