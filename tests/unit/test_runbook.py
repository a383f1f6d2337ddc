from __future__ import annotations

import pytest
from hypothesis import given

from chef_push_jobs import scripts
from chef_push_jobs.model.topology import Kind, Topology, numbered, topology
from chef_push_jobs.network.security_groups import ingress_rules
from chef_push_jobs.runbook import chef_server, push_jobs
from chef_push_jobs.runbook.steps import Key, Step, Task, every, everywhere, others, plan, primary, same
from tests.unit.clusters import settings, topologies

RUNBOOKS = [push_jobs.STEPS, chef_server.STEPS]
HA = topology(Kind.HA, numbered(2, 2, "chef.test"))


def keys(tasks: tuple[Task, ...], step: str) -> set[Key]:
    return {task.key for task in tasks if task.key.step == step}


def before(tasks: tuple[Task, ...]) -> dict[Key, set[Key]]:
    """All that is done before each task, however long the way."""
    reached: dict[Key, set[Key]] = {}
    for task in tasks:
        direct = {*task.depends_on, *task.triggered_by}
        reached[task.key] = direct.union(*(reached[key] for key in direct))
    return reached


@given(topologies(most=30))
def test_every_edge_leads_to_an_earlier_task(cluster: Topology) -> None:
    for steps in RUNBOOKS:
        before(plan(steps, cluster))  # a KeyError here is an edge to a later task, and so is every cycle


@given(topologies(most=30))
def test_the_push_jobs_order_is_the_one_of_the_design(cluster: Topology) -> None:
    tasks = plan(push_jobs.STEPS, cluster)
    done = before(tasks)
    primary = cluster.primary.name
    backends = {server.name for server in cluster.backends}
    for key in done:
        server = key.server
        wanted = {
            "connect": set(),
            "install": {Key("connect", server)},
            "configure": {Key("install", server)},
            "reconfigure-primary": {Key("configure", primary), *keys(tasks, "install")},
            "rotate": {Key("reconfigure-primary", primary)},
            "share": {Key("rotate", primary), *keys(tasks, "connect")},
            "copy": {Key("share", primary), Key("install", server)},
            "firewall": set(),
            "reconfigure": {Key("copy", server)},
            "chef-reconfigure": {*keys(tasks, "reconfigure"), *keys(tasks, "rotate")},
            "restart-pushy": {*keys(tasks, "chef-reconfigure"), *keys(tasks, "firewall")},
            "test": {*keys(tasks, "restart-pushy"), *keys(tasks, "firewall")},
        }[key.step]
        assert wanted <= done[key], f"{key} does not wait for {wanted - done[key]}"
        if key.step in ("chef-reconfigure", "restart-pushy") and server != primary:
            assert Key(key.step, primary) in done[key], f"{key} is not one at a time"
        if key.step in ("chef-reconfigure", "restart-pushy", "firewall"):
            assert server in backends, f"{key} is a matter of the backends"


@given(topologies())
def test_each_server_gets_exactly_the_steps_of_its_role(cluster: Topology) -> None:
    own = [task for task in plan(push_jobs.STEPS, cluster) if task.step.script]
    steps = {server.name: [t.step.name for t in own if t.server == server] for server in cluster.servers}
    for frontend in cluster.frontends:
        assert steps[frontend.name] == ["install", "copy", "reconfigure"], "and connect: four tasks a frontend"
    for other in cluster.backends[1:]:
        assert steps[other.name] == ["install", "copy", "reconfigure", "chef-reconfigure", "restart-pushy", "test"]
    shared = ["share"] if cluster.others else []
    first = ["install", "configure", "reconfigure-primary", "rotate", *shared]
    assert steps[cluster.primary.name] == [*first, "chef-reconfigure", "restart-pushy", "test"]


@given(topologies())
def test_tasks_and_edges_are_linear_in_the_servers(cluster: Topology) -> None:
    for steps in RUNBOOKS:
        tasks = plan(steps, cluster)
        edges = sum(len(task.depends_on) + len(task.triggered_by) for task in tasks)
        assert len(tasks) <= 4 * len(cluster.servers) + 10
        assert edges <= 16 * len(cluster.servers) + 24, "an edge from all to all makes the state quadratic (F22)"


@given(topologies(most=20))
def test_push_jobs_ports_are_never_open_on_a_frontend(cluster: Topology) -> None:
    counted = {"backends": str(len(cluster.backends)), "frontends": str(len(cluster.frontends))}
    for rule in ingress_rules(settings(topology=str(cluster.kind), **counted)):
        if rule.port in (10000, 10002, 10003):
            assert rule.group == "backend", f"{rule} opens a push jobs port elsewhere"
            assert rule.source in ("10.1.0.0/24", "frontend"), f"{rule} opens it to others"


def again(changed: str) -> set[str]:
    """All tasks that run again with one, however long the way."""
    found = {changed}
    for task in plan(push_jobs.STEPS, HA):
        if {str(key) for key in task.triggered_by} & found:
            found.add(str(task.key))
    return found - {changed}


def test_a_new_frontend_restarts_nothing() -> None:
    own = {"install-frontend-0", "copy-frontend-0", "reconfigure-frontend-0"}
    assert again("connect-frontend-0") == {*own, "share-backend-0", "test-backend-0", "test-backend-1"}


def test_other_settings_run_everything_from_there_on_but_make_no_new_credentials() -> None:
    unconcerned = {"connect", "firewall", "install", "configure", "rotate"}
    assert again("configure-backend-0") == {
        str(task.key) for task in plan(push_jobs.STEPS, HA) if task.step.name not in unconcerned
    }


def test_the_result_of_the_test_is_the_masters() -> None:
    standby, passed = f"this backend is backup, {scripts.STANDBY}", "7 examples, 0 failures"
    assert scripts.STANDBY in scripts.test().text
    assert push_jobs.tested([passed, standby]) == push_jobs.tested([standby, passed]) == passed


def test_a_cluster_in_which_nobody_was_master_was_not_tested() -> None:
    with pytest.raises(ValueError, match="set reverify to another text"):
        push_jobs.tested([f"this backend is backup, {scripts.STANDBY}"] * 2)


def test_every_line_of_the_seed_is_a_step() -> None:
    assert sorted({step.number for step in push_jobs.STEPS if step.number}) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_edge_from_all_to_all_is_refused() -> None:
    steps = (Step("a", on=everywhere), Step("b", on=others, depends_on=(every("a", "why"),)))
    with pytest.raises(ValueError, match="many-to-many"):
        plan(steps, HA)


def test_an_edge_to_a_later_step_is_refused() -> None:
    with pytest.raises(ValueError, match="no earlier step"):
        plan((Step("a", on=primary, depends_on=(same("b", "why"),)), Step("b", on=primary)), HA)


def test_a_step_stands_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        plan((Step("a", on=primary), Step("a", on=primary)), HA)
