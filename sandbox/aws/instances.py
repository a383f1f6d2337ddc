"""What a change of an instance does to its host: boot, stop, start, reboot or remove it, each in its own thread.

An instance is `pending` until its host answers on the SSH port, and `stopping` until everything in it has ended. One
that cannot boot ends as `terminated` with EC2's reason, `Server.InternalError`.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from moto.ec2.exceptions import EC2ClientError, OperationDisableApiStopNotPermitted, OperationNotPermitted4

from sandbox.aws.amis import LAYERS
from sandbox.aws.host_firewalls import HostFirewalls
from sandbox.aws.moto_wrapping import LOCK
from sandbox.hosts.host import HostSpec

Arguments = Mapping[str, Any]
Changes = list[tuple[Any, Any]]

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
FAILED = ("Server.InternalError: Internal error on launch", "Server.InternalError")
LOG = logging.getLogger("sandbox.aws.api_server")


class Hosts(Protocol):
    """The part of `sandbox.hosts.host.Hosts` that this module uses."""

    def boot(self, spec: HostSpec) -> None: ...

    def terminate(self, host_id: str) -> None: ...

    def stop(self, host_id: str) -> None: ...

    def start(self, host_id: str) -> None: ...

    def reboot(self, host_id: str) -> None: ...

    def take_volume(self, host_id: str, volume: str) -> None: ...


class Instances:
    """moto calls each method with the lock held, from its method with the same name; each returns at once."""

    def __init__(self, hosts: Hosts, filtering: HostFirewalls) -> None:
        self._hosts = hosts
        self._filtering = filtering
        self._threads: dict[str, threading.Thread] = {}  # the last operation in progress for each instance

    def launched(self, backend: Any, arguments: Arguments, reservation: Any) -> None:
        for instance in reservation.instances:
            _set_state(instance, "pending")
            self._filtering.add(instance)
            spec = host_spec(backend, instance)
            self._later(instance, partial(self._boot, instance, spec))

    def terminate(self, backend: Any, arguments: Arguments) -> Changes:
        chosen = backend.get_multi_instances_by_id(arguments["instance_ids"])
        for instance in chosen:
            if instance.disable_api_termination is True:
                raise OperationNotPermitted4(instance.id)
        return [(instance, self._terminate(instance)) for instance in chosen]

    def _terminate(self, instance: Any) -> Any:
        previous = copy.copy(instance._state)
        if instance.state not in ("shutting-down", "terminated"):
            _set_state(instance, "shutting-down")
            self._later(instance, partial(self._remove, instance))
        return previous

    def stop(self, backend: Any, arguments: Arguments) -> Changes:
        chosen = backend.get_multi_instances_by_id(arguments["instance_ids"])
        for instance in chosen:
            if instance.disable_api_stop is True:
                raise OperationDisableApiStopNotPermitted(instance.id)
        return [(instance, self._stop(instance)) for instance in chosen]

    def _stop(self, instance: Any) -> Any:
        previous = copy.copy(instance._state)
        if instance.state == "running":
            _set_state(instance, "stopping")
            self._later(instance, partial(self._shut_down, instance))
        return previous

    def start(self, backend: Any, arguments: Arguments) -> Changes:
        return [(each, self._start(each)) for each in backend.get_multi_instances_by_id(arguments["instance_ids"])]

    def _start(self, instance: Any) -> Any:
        previous = copy.copy(instance._state)
        if instance.state == "running":
            return previous
        if instance.state != "stopped":
            message = f"The instance '{instance.id}' is not in a state from which it can be started."
            raise EC2ClientError("IncorrectInstanceState", message)
        instance.start()
        _set_state(instance, "pending")
        self._later(instance, partial(self._start_again, instance))
        return previous

    def reboot(self, backend: Any, arguments: Arguments) -> list[Any]:
        chosen: list[Any] = backend.get_multi_instances_by_id(arguments["instance_ids"])
        for instance in chosen:
            if instance.state != "running":
                message = f"The instance '{instance.id}' is not in a state from which it can be rebooted."
                raise EC2ClientError("IncorrectInstanceState", message)
            self._later(instance, partial(self._reboot, instance))
        return chosen

    def volume_detached(self, backend: Any, arguments: Arguments, attachment: Any) -> None:
        self._hosts.take_volume(arguments["instance_id"], arguments["volume_id"])

    # The threads' work

    def _boot(self, instance: Any, spec: HostSpec) -> None:
        script = self._filtering.script(instance)
        self._hosts.boot(replace(spec, firewall=script))
        self._filtering.booted(instance.id, script)
        self._filtering.refresh()
        _change_state(instance, "pending", "running")

    def _shut_down(self, instance: Any) -> None:
        self._hosts.stop(instance.id)
        with LOCK.held():
            if instance.state == "stopping":
                instance.stop()
        self._filtering.refresh()

    def _start_again(self, instance: Any) -> None:
        self._filtering.refresh()
        self._hosts.start(instance.id)
        _change_state(instance, "pending", "running")

    def _reboot(self, instance: Any) -> None:
        self._hosts.reboot(instance.id)
        self._filtering.refresh()

    def _remove(self, instance: Any) -> None:
        self._filtering.ending(instance.id)
        self._hosts.terminate(instance.id)
        self._ended(instance)

    def _ended(self, instance: Any) -> None:
        """Frees the address, the interface and the volumes, as EC2 does."""
        self._filtering.remove(instance.id)
        with LOCK.held():
            instance.terminate()
        self._filtering.refresh()

    def _later(self, instance: Any, work: Callable[[], None]) -> None:
        before = self._threads.get(instance.id)
        thread = threading.Thread(target=self._run, args=(instance, work, before), name=instance.id, daemon=True)
        self._threads[instance.id] = thread
        thread.start()

    def _run(self, instance: Any, work: Callable[[], None], before: threading.Thread | None) -> None:
        """Catches everything: a thread that died silently would leave the instance `pending` forever."""
        if before is not None:
            before.join()
        try:
            work()
        except Exception:
            LOG.exception("instance %s failed", instance.id)
            self._failed(instance)

    def _failed(self, instance: Any) -> None:
        try:
            self._hosts.terminate(instance.id)
        except Exception:
            LOG.exception("host of instance %s is not removed", instance.id)
        self._ended(instance)
        instance.state_reason.message, instance.state_reason.code = FAILED
        instance._reason = FAILED[1]


def _set_state(instance: Any, name: str) -> None:
    instance._state.name, instance._state.code = name, CODES[name]


def _change_state(instance: Any, old: str, new: str) -> None:
    """Only from this old state, because the instance may have been terminated meanwhile."""
    with LOCK.held():
        if instance.state == old:
            _set_state(instance, new)


def host_spec(backend: Any, instance: Any) -> HostSpec:
    """The specification of a new instance's host."""
    names = [tag["value"] for tag in instance.get_tags() if tag["key"] == "Name"]
    key = backend.key_pairs[instance.key_name].public_key if instance.key_name else ""
    return HostSpec(
        id=instance.id,
        name=names[0] if names else instance.id,
        address=instance.private_ip,
        prefix=backend.get_subnet(instance.subnet_id).cidr.prefixlen,
        image=LAYERS[instance.image_id],
        authorized_key=key.strip(),
        user_data=instance.user_data.decode() if instance.user_data else "",
    )
