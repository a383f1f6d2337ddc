"""The first rollout, where nothing is there yet: a fault strikes one step after another, each in the next run.

Each run is a plain `pulumi up`; until Chef server's runbook was struck at its end, without push jobs', which would go
on beside it.

Here packages are really unpacked, and credentials really made, when the fault strikes: where they can be lost or split.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from chef_push_jobs.runbook.plan import TaskId
from tests.faults import cells, snapshot
from tests.faults.brake import Brake, point
from tests.faults.cells import Result
from tests.faults.faults import FAULTS, Fault, Strike
from tests.faults.lane import Lane, lane
from tests.faults.tasks import name

NAME = "first-rollout"
# In an order in which none is done while an earlier one fails.
LINKS = (
    TaskId("chef", "install", "backend-0"),
    TaskId("chef", "configure", "backend-0"),
    TaskId("chef", "reconfigure-primary", "backend-0"),
    TaskId("chef", "share", "backend-0"),
    TaskId("chef", "copy", "backend-1"),
    TaskId("chef", "reconfigure", "backend-1"),
    TaskId("push-jobs", "install", "backend-1"),
    TaskId("push-jobs", "reconfigure-primary", "backend-0"),
    TaskId("push-jobs", "share", "backend-0"),
    TaskId("push-jobs", "copy", "backend-1"),
    TaskId("push-jobs", "reconfigure", "backend-1"),
    TaskId("push-jobs", "chef-reconfigure", "backend-0"),
    TaskId("push-jobs", "restart-pushy", "backend-0"),
)
# Deeper than where a repeated run can be stopped: dpkg at work, a key pair half made.
DEEPER = {"install": ("dpkg", "install.sh"), "reconfigure-primary": ("openssl", "reconfigure")}


def brake(own: Lane, task: TaskId, fault: Fault) -> Brake:
    where = point(task.runbook, task.step)
    command, script = (where.early if fault.early else where.middle), f"{task.log_name}.sh"
    if task.step in DEEPER and not fault.early:
        command, script = DEEPER[task.step]
    return Brake(own.lab, task.server, command, script)


def chain(
    own: Lane, fault: Fault, links: Sequence[TaskId], after: Callable[[Lane, TaskId], None] | None = None
) -> Result:
    """All links in turn, then one undisturbed `pulumi up`. `after` is called when a link's fault is mended."""
    result = Result(NAME, NAME, fault.name)
    own.up("--exclude", "**::chef-install-*", "--exclude-dependents")
    known: dict[str, str] = {}
    for task in links:
        if str(task) in {name(each["urn"]) for each in own.state()["deployment"]["resources"]}:
            result.problems.append(f"{task} was done before its turn")
            continue
        result.problems += [f"{task}: {problem}" for problem in _link(own, task, fault)]
        if after:
            after(own, task)
        now = snapshot.credentials(own.lab, "backend-0")
        changed = [path for path, digest in known.items() if now.get(path) != digest]
        result.problems += [f"{task}: {path} is another now, or lost" for path in changed]
        known |= now
    own.up()
    now = snapshot.credentials(own.lab, "backend-0")
    result.problems += [f"{path} is another at the end" for path, digest in known.items() if now.get(path) != digest]
    own.learn()
    result.problems += [f"left: {line}" for lines in own.baseline.values() for line in lines if _is_left(line)]
    for server in own.servers:
        own.taint(TaskId("", "connect", server))
    own.up()
    result.problems += [f"not as an undisturbed run leaves it: {line}" for line in cells.state_problems(own)]
    return result


def _is_left(line: str) -> bool:
    return line.startswith(("left over:", "still runs:"))


def _link(own: Lane, task: TaskId, fault: Fault) -> list[str]:
    held = brake(own, task, fault)
    if fault.then is not None:
        held.arm(fault.then)
    fault.before(own, task)
    beside = () if task.runbook == "push-jobs" else ("--exclude", "**::push-jobs-*", "--exclude-dependents")
    engine = own.start(*beside)
    try:
        if fault.then is not None:
            held.reached()
        fault.strike(Strike(own, task, held, engine))
        status = engine.wait()
    except BaseException:
        engine.end()
        raise
    finally:
        fault.mend(own, task)
        held.remove()
        own.unlock()
    if fault.fails is not None and (status != 0) != fault.fails:
        return [f"pulumi up ended with status {status}:\n{engine.text[-2000:]}"]
    return []


def run(folder: Path, fault: str, links: Sequence[TaskId] = LINKS) -> Result:
    """On a sandbox of its own."""
    chosen = next(each for each in FAULTS if each.name == fault)
    with lane(folder) as own:
        return chain(own, chosen, links)
