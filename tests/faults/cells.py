"""A cell: one fault strikes one task of a cluster that is up; plain `pulumi up` mends all of it, or the cell fails."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from chef_push_jobs import scripts
from chef_push_jobs.runbook.plan import TaskId
from sandbox.operator.engine import kept
from tests.faults import snapshot
from tests.faults.brake import Brake, Then, point
from tests.faults.faults import Fault, Strike
from tests.faults.lane import Engine, Lane, until_gone

SERVICES_SECONDS = 10.0


@dataclass
class Result:
    """`problems` is empty where the cell recovered. `seconds` are the disturbed run's and the next one's."""

    task: str
    step: str
    fault: str
    problems: list[str] = field(default_factory=list)
    seconds: tuple[float, float] = (0.0, 0.0)
    seen: str = ""


def applies(task: TaskId, fault: Fault) -> bool:
    """A hanging upload has no end but the operator's Ctrl-C, which is a fault of its own."""
    return not (task.step == "upload" and fault.then is Then.HANG)


def run(lane: Lane, task: TaskId, fault: Fault) -> Result:
    result = Result(str(task), task.step, fault.name)
    where = point(task.runbook, task.step)
    brake = Brake(lane.lab, task.server, where.early if fault.early else where.middle, f"{task.log_name}.sh")
    lane.taint(task)
    history = lane.history()
    if fault.then is not None:
        brake.arm(fault.then)
    fault.before(lane, task)
    begun = time.monotonic()
    engine = lane.start()
    try:
        if fault.then is not None:
            brake.reached()
        fault.strike(Strike(lane, task, brake, engine))
        status = engine.wait()
    except BaseException:
        engine.end()
        lane.unlock()  # the next cell has this stack too
        raise
    finally:
        fault.mend(lane, task)
        brake.remove()
    disturbed = time.monotonic() - begun
    result.seen = engine.text
    result.problems += _outcome(task, fault, status, engine)
    if fault.name != "engine" or all_stand_ins(lane):  # the official ones live on for minutes, and do no harm
        result.problems += [f"still runs after the engine: {process}" for process in until_gone(engine.children)]
    result.problems += _dependents(lane, task, history, status)
    if fault.name == "interrupt" and task.step != "upload" and not lane.recorded(task):  # the brake fails an upload
        result.problems.append("the task that ran at Ctrl-C has ended, and is not recorded")
    if lane.unlock() and fault.name != "engine":
        result.problems.append("the stack stayed locked")
    begun = time.monotonic()
    again = lane.start()
    if again.wait() != 0:
        result.problems.append(f"plain pulumi up did not mend it:\n{again.text[-3000:]}")
    result.seconds = (disturbed, time.monotonic() - begun)
    result.problems += state_problems(lane)
    if fault.name == "engine":
        result.problems += _pending_operations(lane)
    return result


def all_stand_ins(lane: Lane) -> bool:
    return all(each.stand_in for each in kept(lane.sandbox.run / "home").plugins)


def _outcome(task: TaskId, fault: Fault, status: int, engine: Engine) -> list[str]:
    found = []
    if fault.fails is not None and (status != 0) != fault.fails:
        found.append(f"pulumi up ended with status {status}:\n{engine.text[-2000:]}")
    if fault.says and task.runbook and task.step != "upload" and fault.says not in engine.text:
        found.append(f"the operator does not see {fault.says!r}:\n{engine.text[-2000:]}")
    if "Traceback" in engine.text or "goroutine " in engine.text:
        found.append(f"a stack trace for the operator:\n{engine.text[-2000:]}")
    return found


def _pending_operations(lane: Lane) -> list[str]:
    """Those that the command of docs/state.md does not remove."""
    lane.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    pending = lane.state()["deployment"].get("pending_operations", [])
    return [f"still pending after a refresh: {each['resource']['urn']}" for each in pending]


def _dependents(lane: Lane, task: TaskId, before: dict[str, list[str]], status: int) -> list[str]:
    """Where the run failed, nothing that depends on the task may have begun: asked of the servers themselves."""
    if status == 0:
        return []
    after = {(each.server, each.log_name) for each in lane.plan if str(each) in lane.after[str(task)]}
    found = []
    for server, lines in lane.history().items():
        for line in lines[len(before[server]) :]:
            _, name, what = line.split(" ", 2)
            if what == "begins" and (server, name) in after:
                found.append(f"{name} ran on {server} although {task} had failed")
    return found


def state_problems(lane: Lane) -> list[str]:
    """What is not as an undisturbed rollout left it."""
    lane.return_mastership()
    tested = lane.lab.shell(lane.master, f"sh {scripts.HOME}/push-jobs-test.sh")
    found = [] if tested.returncode == 0 else [f"the test fails: {tested.stdout[-500:]}"]
    found += _differences(lane)
    digests = {server: snapshot.credentials(lane.lab, server) for server in lane.servers}
    if len({str(each) for each in digests.values()}) != 1 or len(digests[lane.master]) != 3:
        found.append(f"the credentials are lost or split: {digests}")
    return found


def _differences(lane: Lane) -> list[str]:
    """Those that stay: services that have just been started take a moment to listen."""
    deadline = time.monotonic() + SERVICES_SECONDS
    while (found := snapshot.differences(lane.baseline, snapshot.take(lane.lab, lane.servers))) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.5)
    return found
