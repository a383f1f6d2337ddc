from __future__ import annotations

import pytest
from hypothesis import given

from chef_push_jobs import scripts
from chef_push_jobs.model.topology import Topology
from chef_push_jobs.network.security_groups import ingress_rules
from chef_push_jobs.runbook import push_jobs
from chef_push_jobs.runbook.plan import DEPARTURE_LAST, FILE_FIRST, StackPlan, TaskId, identify, plan
from chef_push_jobs.runbook.stack import load_settings
from chef_push_jobs.runbook.steps import Action, Runbook, Step, every, everywhere, others, primary, same
from tests.unit.clusters import EXISTING, PUSH_JOBS, ROOT, of, raw, settings, stack, topologies

HA = stack()


def task_of(step: str, server: str) -> TaskId:
    return TaskId("push-jobs", step, server)


def all_of(plan: StackPlan, step: TaskId) -> set[TaskId]:
    """The tasks of a step on all its servers."""
    return {task for task in plan.tasks if task[:2] == step[:2]}


def before(plan: StackPlan) -> dict[TaskId, set[TaskId]]:
    """All that is done before each task, however long the way."""
    reached: dict[TaskId, set[TaskId]] = {}
    for task in plan.tasks.values():
        reached[task.id] = set(task.waits_for).union(*(reached[one] for one in task.waits_for))
    return reached


@given(topologies(most=30))
def test_every_edge_leads_to_an_earlier_task(cluster: Topology) -> None:
    before(of(cluster))  # a KeyError here is an edge to a later task, and so is every cycle


@given(topologies(most=30))
def test_the_push_jobs_order_is_the_one_of_the_design(cluster: Topology) -> None:
    plan = of(cluster)
    done = before(plan)
    primary = cluster.primary.name
    backends = {server.name for server in cluster.backends}

    def every(step: str) -> set[TaskId]:
        return all_of(plan, task_of(step, ""))

    connects, firewall = all_of(plan, TaskId("", "connect", "")), all_of(plan, TaskId("", "firewall", ""))
    for key in done:
        server = key.server
        if key.runbook == "chef" or key.is_connect:
            continue
        wanted = {
            "install": {TaskId("", "connect", server)},
            "configure": {task_of("install", server)},
            "reconfigure-primary": {task_of("configure", primary), *every("install")},
            "rotate": {task_of("reconfigure-primary", primary)},
            "share": {task_of("rotate", primary), *connects},
            "copy": {task_of("share", primary), task_of("install", server)},
            "firewall": set(),
            "reconfigure": {task_of("copy", server)},
            "chef-reconfigure": {*every("reconfigure"), *every("rotate")},
            "restart-pushy": {*every("chef-reconfigure"), *firewall},
            "test": {*every("restart-pushy"), *firewall},
            "test-again": every("test"),
        }[key.step]
        assert wanted <= done[key], f"{key} does not wait for {wanted - done[key]}"
        if key.step in ("chef-reconfigure", "restart-pushy") and server != primary:
            assert task_of(key.step, primary) in done[key], f"{key} is not one at a time"
        if key.step in ("chef-reconfigure", "restart-pushy", "firewall"):
            assert server in backends, f"{key} is a matter of the backends"


@given(topologies())
def test_each_server_gets_exactly_the_steps_of_its_role(cluster: Topology) -> None:
    own = list(of(cluster).of("push-jobs"))
    steps = {server.name: [t.step.name for t in own if t.server == server] for server in cluster.servers}
    for frontend in cluster.frontends:
        assert steps[frontend.name] == ["install", "copy", "reconfigure"], "and connect: four tasks a frontend"
    for other in cluster.backends[1:]:
        assert steps[other.name] == ["install", "copy", "reconfigure", "chef-reconfigure", "restart-pushy", "test"]
    shared = ["share"] if cluster.others else []
    first = ["install", "configure", "reconfigure-primary", "rotate", *shared]
    again = ["test-again"] if cluster.backends[1:] else []
    assert steps[cluster.primary.name] == [*first, "chef-reconfigure", "restart-pushy", "test", *again]


@given(topologies())
def test_tasks_and_edges_are_linear_in_the_servers(cluster: Topology) -> None:
    tasks = of(cluster).tasks.values()
    edges = sum(len(task.depends_on) + len(task.triggered_by) for task in tasks)
    assert len(tasks) <= 7 * len(cluster.servers) + 20
    assert edges <= 29 * len(cluster.servers) + 48, "an edge from all to all makes the state quadratic"


@given(topologies(most=20))
def test_push_jobs_ports_are_never_open_on_a_frontend(cluster: Topology) -> None:
    counted = {"backends": str(len(cluster.backends)), "frontends": str(len(cluster.frontends))}
    for rule in ingress_rules(settings(topology=str(cluster.kind), **counted)):
        if rule.port in (10000, 10002, 10003):
            assert rule.group == "backend", f"{rule} opens a push jobs port elsewhere"
            assert rule.source in ("10.1.0.0/24", "frontend"), f"{rule} opens it to others"


def again(changed: str) -> set[str]:
    """All tasks that run again with one, however long the way."""
    return {str(task) for task in HA.following([identify(changed)]) if task.runbook != "chef"}


def test_a_new_frontend_restarts_nothing() -> None:
    own = {f"{step}-frontend-0" for step in ("install", "copy", "reconfigure")}
    assert again("connect-frontend-0") == {
        f"push-jobs-{task}"
        for task in (*own, "share-backend-0", "test-backend-0", "test-backend-1", "test-again-backend-0")
    }


def test_other_settings_run_everything_from_there_on_but_make_no_new_credentials() -> None:
    unconcerned = {"install", "configure", "rotate"}
    assert again("push-jobs-configure-backend-0") == {
        str(task) for task in HA.of("push-jobs") if task.step.name not in unconcerned
    }


def test_the_result_of_the_test_is_the_masters() -> None:
    standby, passed = f"this backend is backup, {scripts.STANDBY}", "92 examples, 0 failures"
    assert scripts.STANDBY in scripts.test(10000, 10003).text
    assert push_jobs.tested([passed, standby]) == push_jobs.tested([standby, passed]) == passed


def test_a_cluster_in_which_nobody_was_master_was_not_tested() -> None:
    with pytest.raises(ValueError, match="change reverify"):
        push_jobs.tested([f"this backend is backup, {scripts.STANDBY}"] * 2)


def test_every_line_of_the_seed_is_a_step() -> None:
    assert sorted({step.number for step in push_jobs.STEPS if step.number}) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_edge_from_all_to_all_is_refused() -> None:
    steps = (Step("a", on=everywhere), Step("b", on=others, depends_on=(every("a", "why"),)))
    with pytest.raises(ValueError, match="many-to-many"):
        refused(*steps)


def test_an_edge_to_a_later_step_is_refused() -> None:
    with pytest.raises(ValueError, match="no earlier step"):
        refused(Step("a", on=primary, depends_on=(same("b", "why"),)), Step("b", on=primary))


def test_a_step_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        refused(Step("a", on=primary), Step("a", on=primary))


def test_a_runbook_uploads_one_package() -> None:
    steps = (Step(name, on=primary, package=lambda settings: settings.push_jobs_package) for name in "ab")
    with pytest.raises(ValueError, match="steps a and b of runbook r both bring a package"):
        refused(*steps)


@given(topologies(most=30))
def test_a_task_is_found_by_its_name_and_known_by_it_without_the_plan(cluster: Topology) -> None:
    plan = of(cluster)
    for task in plan.tasks.values():
        assert plan.find(str(task)) is task
        assert identify(str(task)) == task.id


def test_a_name_is_the_plans_before_it_is_the_tables() -> None:
    """`chef-reconfigure-primary-a` is a step of the primary, or `reconfigure` on a server of such a name."""
    servers = [
        {"name": name, "fqdn": f"{name}.test", "role": role}
        for name, role in (("a", "backend"), ("primary-b", "frontend"))
    ]
    plan = stack(topology="tier", servers=servers, domain=None, backends=None, frontends=None)
    assert plan.identify("chef-reconfigure-primary-b") == TaskId("chef", "reconfigure", "primary-b")
    assert plan.identify("chef-reconfigure-primary-a") == TaskId("chef", "reconfigure-primary", "a")
    assert plan.identify("connect-gone") == TaskId("", "connect", "gone")
    assert plan.identify("backup") == TaskId("", "backup", "")


def test_what_a_task_runs_again_with_is_what_the_edges_say_with_their_reasons() -> None:
    test = HA.tasks[task_of("test", "backend-1")]
    reasons = {str(one): [edge.reason for edge in edges] for one, edges in test.triggered_by.items()}
    assert reasons["push-jobs-share-backend-0"] == ["a changed set of servers is tested"]
    first = HA.tasks[task_of("install", "frontend-1")]
    (edge,) = first.depends_on[TaskId("chef", "install", "frontend-1")]
    assert edge.title == "chef install"


def test_whichever_backend_is_lost_while_it_is_tested_the_other_is_asked_after_that() -> None:
    first, second = (HA.tasks[task_of("test", f"backend-{number}")] for number in (0, 1))
    again = HA.tasks[task_of("test-again", "backend-0")]
    for earlier, later in ((first, second), (second, again)):
        assert earlier.id in later.depends_on
        assert earlier.id in later.triggered_by
    assert not [task for task in stack(**EXISTING).tasks if task.step == "test-again"], "nobody else can become master"


def test_servers_that_exist_have_checks_and_departures_and_the_first_task_waits_for_its_servers_departure() -> None:
    plan = stack(**EXISTING, uninstallOnDestroy="true", timeLimits={"connect": 5, "install": 7})
    kinds = {str(task): (task.action, task.timeout) for task in plan.tasks.values()}
    assert kinds["connect-backend-0"] == (Action.COMMAND, 5)
    assert kinds["firewall-backend-0"] == (Action.COMMAND, 900)
    assert kinds["uninstall-frontend-0"] == (Action.DEPARTURE, 900)
    assert kinds["push-jobs-install-backend-0"] == (Action.COMMAND, 7)
    assert plan.runbooks == ("push-jobs",)
    first = plan.tasks[task_of("install", "backend-0")]
    assert first.depends_on[TaskId("", "uninstall", "backend-0")] == (DEPARTURE_LAST,)
    assert not any(task.action is Action.DEPARTURE for task in HA.tasks.values())
    assert HA.tasks[TaskId("", "firewall", "backend-0")].action is Action.RULES


def test_a_packages_file_is_sent_first_where_it_is_one_and_again_when_its_task_runs_again() -> None:
    given = raw({"pushJobs": {"package": {"file": f"here/{PUSH_JOBS}"}}})
    plan = load_settings(given, ROOT, files=False)
    install, sent = task_of("install", "backend-1"), task_of("upload", "backend-1")
    assert plan.tasks[install].depends_on[sent] == (FILE_FIRST,)
    assert plan.tasks[sent].action is Action.UPLOAD
    assert plan.tasks[sent].uploads_for == install
    assert plan.tasks[sent].triggered_by == plan.tasks[install].triggered_by
    assert list(plan.tasks).index(sent) == list(plan.tasks).index(install) - 1
    assert not [task for task in plan.of("chef") if task.action is Action.UPLOAD], "its package is in the image"
    assert task_of("upload", "backend-1") not in HA.tasks, "servers fetch it from its URL"


def refused(*steps: Step) -> None:
    plan(HA.settings, [Runbook("r", steps)])
