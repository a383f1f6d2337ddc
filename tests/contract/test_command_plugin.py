"""The contract of the command plugin, over real SSH."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import grpc  # type: ignore[import-untyped]  # publishes no types
import pytest
from pulumi.runtime.proto import provider_pb2

from sandbox.operator import plugins
from tests import under_test
from tests.contract.conftest import COMMAND_PLUGIN
from tests.contract.plugin import (
    LOGGED_ERROR,
    LOGGED_INFO,
    LOGGED_WARNING,
    UNKNOWN,
    PluginUnderTest,
    Refused,
    archive,
    asset,
    is_secret,
    secret,
)
from tests.contract.ssh_server import SshServer, free_port, is_running, make_key, wait_until

stand_in_only = under_test.stand_in_only(plugins.COMMAND)
COMMAND = "remote:Command"
COPY = "remote:CopyToRemote"
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(plugin: PluginUnderTest, ssh: SshServer) -> Run:
    """Create a command on the server, from inputs in short; its outputs."""

    def create(command: str, connection: dict[str, object] | None = None, **inputs: object) -> dict[str, Any]:
        where = ssh.connection() if connection is None else connection
        return plugin.create(COMMAND, plugin.checked(COMMAND, {"connection": where, "create": command, **inputs}))[1]

    return create


class TestRunning:
    def test_output_comes_back_without_its_last_newline(self, run: Run) -> None:
        outputs = run("printf 'one\\ntwo\\n\\n'; printf 'three\\n' >&2")
        assert outputs["stdout"] == "one\ntwo\n", "one newline is cut off, and only one"
        assert outputs["stderr"] == "three"

    def test_the_id_is_the_name_and_eight_random_digits(self, plugin: PluginUnderTest, ssh: SshServer) -> None:
        inputs = plugin.checked(COMMAND, {"connection": ssh.connection(), "create": "true"})
        ids = {plugin.create(COMMAND, inputs, name="web")[0] for _ in range(2)}
        assert len(ids) == 2
        assert all(re.fullmatch("web[0-9a-f]{8}", id) for id in ids), ids

    def test_a_failure_tells_status_command_and_all_output(self, run: Run) -> None:
        with pytest.raises(Refused) as refused:
            run('echo out; echo "err" >&2; exit 3')
        message = refused.value.message
        assert 'Process exited with status 3: running "echo out; echo \\"err\\" >&2; exit 3":\n' in message
        assert sorted(message.strip().split("\n")[1:]) == ["err", "out"]
        assert "Traceback" not in message

    def test_death_by_a_signal_tells_the_signal(self, run: Run) -> None:
        with pytest.raises(Refused, match=r"Process exited with status 137 from signal KILL"):
            run("kill -9 $$")

    def test_standard_input_is_passed_and_then_ends(self, run: Run) -> None:
        assert run("cat; echo end", stdin="given ")["stdout"] == "given end"

    def test_without_standard_input_the_command_reads_none(self, run: Run) -> None:
        assert run("cat; echo end")["stdout"] == "end"

    def test_nothing_is_run_without_a_create_command(self, plugin: PluginUnderTest, ssh: SshServer) -> None:
        inputs = plugin.checked(COMMAND, {"connection": ssh.connection(), "delete": "false"})
        _, outputs = plugin.create(COMMAND, inputs)
        assert outputs["stdout"] == outputs["stderr"] == ""
        assert ssh.logins == 0, "no connection for no command"

    def test_each_command_has_a_connection_of_its_own(self, run: Run, ssh: SshServer) -> None:
        for _ in range(3):
            run("true")
        assert ssh.logins == 3

    def test_many_run_at_once(self, run: Run) -> None:
        started = time.monotonic()
        with ThreadPoolExecutor(24) as pool:
            results = list(pool.map(lambda n: run(f"sleep 1; echo {n}")["stdout"], range(24)))
        assert results == [str(n) for n in range(24)]
        assert time.monotonic() - started < 15, "one after the other they take 24 s"


class TestEnvironment:
    def test_a_variable_that_sshd_does_not_accept_is_an_error(self, plugin: PluginUnderTest, run: Run) -> None:
        with pytest.raises(Refused, match='could not set environment variable "GREETING": ssh: setenv failed'):
            run("true", environment={"GREETING": "hello"})
        assert any("AcceptEnv" in message for message in plugin.engine.messages(LOGGED_ERROR))

    def test_a_variable_that_sshd_accepts_is_set(self, run: Run, ssh: SshServer) -> None:
        ssh.stop()
        ssh.extra = "AcceptEnv GREETING"
        ssh.start()
        assert run("echo $GREETING", environment={"GREETING": "hello 'you'"})["stdout"] == "hello 'you'"

    @pytest.fixture
    def accepting(self, ssh: SshServer) -> SshServer:
        ssh.stop()
        ssh.extra = "AcceptEnv PULUMI_COMMAND_*"
        ssh.start()
        return ssh

    def test_an_update_finds_the_last_output_in_its_environment(
        self, plugin: PluginUnderTest, accepting: SshServer
    ) -> None:
        show = "echo now; echo ${PULUMI_COMMAND_STDOUT-nothing}${PULUMI_COMMAND_STDERR-} >&2"
        inputs = plugin.checked(COMMAND, {"connection": accepting.connection(), "create": show})
        _, state = plugin.create(COMMAND, inputs)
        assert state["stderr"] == "nothing"
        assert plugin.update(COMMAND, state, inputs)["stderr"] == "nownothing"

    def test_the_last_output_can_be_left_out(self, plugin: PluginUnderTest, accepting: SshServer) -> None:
        show = {"create": "echo now; echo ${PULUMI_COMMAND_STDOUT-nothing} >&2", "addPreviousOutputInEnv": False}
        inputs = plugin.checked(COMMAND, {"connection": accepting.connection(), **show})
        _, state = plugin.create(COMMAND, inputs)
        assert plugin.update(COMMAND, state, inputs)["stderr"] == "nothing"

    def test_a_last_output_that_sshd_does_not_accept_is_a_warning(
        self, plugin: PluginUnderTest, ssh: SshServer
    ) -> None:
        inputs = plugin.checked(COMMAND, {"connection": ssh.connection(), "create": "echo one"})
        _, state = plugin.create(COMMAND, inputs)
        assert plugin.update(COMMAND, state, inputs)["stdout"] == "one"
        assert any("PULUMI_COMMAND_STDOUT" in message for message in plugin.engine.messages(LOGGED_WARNING))


class TestLogging:
    @pytest.mark.parametrize(
        ("logging", "shown"),
        [
            ({}, ["err", "out"]),
            ({"logging": "stdoutAndStderr"}, ["err", "out"]),
            ({"logging": "stdout"}, ["out"]),
            ({"logging": "stderr"}, ["err"]),
            ({"logging": "none"}, []),
        ],
    )
    def test_output_is_shown_as_logging_says(
        self, own_plugin: PluginUnderTest, ssh: SshServer, logging: dict[str, object], shown: list[str]
    ) -> None:
        inputs = {"connection": ssh.connection(), "create": "echo out; echo err >&2", **logging}
        own_plugin.create(COMMAND, own_plugin.checked(COMMAND, inputs))
        lines = [line for line in own_plugin.engine.lines if line.severity == LOGGED_INFO]
        assert sorted(line.message for line in lines) == shown
        assert all(line.ephemeral and line.urn.endswith("::it") for line in lines), "beside the resource, not kept"

    def test_another_word_for_logging_is_accepted_and_shows_nothing(
        self, own_plugin: PluginUnderTest, ssh: SshServer
    ) -> None:
        inputs = {"connection": ssh.connection(), "create": "echo out; echo err >&2", "logging": "loud"}
        outputs = own_plugin.create(COMMAND, own_plugin.checked(COMMAND, inputs))[1]
        assert outputs["stdout"] == "out"
        assert own_plugin.engine.messages(LOGGED_INFO) == []

    @stand_in_only
    def test_a_shown_line_of_more_than_64_kib_fails_where_the_official_plugin_hangs(self, run: Run) -> None:
        with pytest.raises(Refused, match=r"64 KiB"):
            run("head -c 70000 /dev/zero | tr '\\0' x")

    def test_a_long_line_that_is_not_shown_is_fine(self, run: Run) -> None:
        assert run("head -c 70000 /dev/zero | tr '\\0' x", logging="none")["stdout"] == "x" * 70000


class TestHostKeys:
    def test_the_pinned_key_is_accepted(self, run: Run, ssh: SshServer) -> None:
        assert run("echo in", ssh.connection(hostKey=ssh.host_key))["stdout"] == "in"

    def test_another_key_of_the_same_type_is_refused(self, run: Run, ssh: SshServer, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        other = (tmp_path / "other.pub").read_text()
        with pytest.raises(Refused, match=r"handshake failed: ssh: host key mismatch"):
            run("true", ssh.connection(hostKey=other, dialErrorLimit=0))
        assert ssh.logins == 0, "nothing is sent to a server that is not the one"

    def test_another_type_of_key_is_not_even_asked_for(self, run: Run, ssh: SshServer, tmp_path: Path) -> None:
        make_key(tmp_path / "other", "-t", "ecdsa", "-N", "")
        other = (tmp_path / "other.pub").read_text()
        with pytest.raises(Refused, match=r"handshake failed: .*host key"):
            run("true", ssh.connection(hostKey=other, dialErrorLimit=0))

    def test_a_pinned_rsa_key_is_asked_for_only_in_the_way_that_servers_no_longer_have(
        self, run: Run, ssh: SshServer
    ) -> None:
        ssh.stop()
        (ssh.directory / "host_key").unlink()
        make_key(ssh.directory / "host_key", "-t", "rsa", "-N", "")
        ssh.start()
        with pytest.raises(Refused, match=r"handshake failed: .*host key"):
            run("true", ssh.connection(hostKey=ssh.host_key, dialErrorLimit=0))
        assert run("echo in")["stdout"] == "in", "unpinned, every algorithm is offered"

    def test_something_that_is_no_key_is_refused(self, run: Run, ssh: SshServer) -> None:
        with pytest.raises(Refused, match=r"failed to parse host key"):
            run("true", ssh.connection(hostKey="nonsense"))

    def test_without_a_pinned_key_any_is_accepted(self, run: Run, ssh: SshServer) -> None:
        assert run("echo in", ssh.connection())["stdout"] == "in"


class TestAuthentication:
    @pytest.fixture
    def agent(self, ssh: SshServer, tmp_path: Path) -> Iterator[str]:
        socket = str(tmp_path / "agent")
        process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        environment = {**os.environ, "SSH_AUTH_SOCK": socket}
        unreachable = 2
        asked = ["ssh-add", "-l"]
        wait_until(
            lambda: subprocess.run(asked, capture_output=True, check=False, env=environment).returncode != unreachable,
            5,
            "the agent listens",
        )
        subprocess.run(["ssh-add", "-q", ssh.directory / "user_key"], check=True, env=environment)
        yield socket
        process.kill()
        process.wait()

    def test_a_key_in_the_named_agent_is_used(self, run: Run, ssh: SshServer, agent: str) -> None:
        assert run("echo in", ssh.connection(privateKey=None, agentSocketPath=agent))["stdout"] == "in"

    def test_a_key_in_the_agent_of_the_environment_is_used(self, ssh: SshServer, agent: str) -> None:
        plugin = PluginUnderTest(COMMAND_PLUGIN, "command", {"SSH_AUTH_SOCK": agent})
        try:
            inputs = {"connection": ssh.connection(privateKey=None), "create": "echo in"}
            assert plugin.create(COMMAND, plugin.checked(COMMAND, inputs))[1]["stdout"] == "in"
        finally:
            plugin.stop()

    def test_with_a_private_key_the_agents_keys_are_not_tried(
        self, run: Run, ssh: SshServer, agent: str, tmp_path: Path
    ) -> None:
        make_key(tmp_path / "stranger")
        stranger = (tmp_path / "stranger").read_text()
        with pytest.raises(Refused, match=r"unable to authenticate"):
            run("true", ssh.connection(privateKey=stranger, agentSocketPath=agent, dialErrorLimit=0))

    def test_an_agent_that_is_not_there_is_an_error_at_once(self, run: Run, ssh: SshServer, tmp_path: Path) -> None:
        started = time.monotonic()
        with pytest.raises(Refused, match=r"dial unix .*/gone: connect: no such file or directory"):
            run("true", ssh.connection(agentSocketPath=str(tmp_path / "gone")))
        assert time.monotonic() - started < 3, "no retries for what is wrong here"

    def test_an_encrypted_private_key_needs_its_passphrase(self, run: Run, ssh: SshServer) -> None:
        (ssh.directory / "user_key").unlink()
        make_key(ssh.directory / "user_key", "-t", "rsa", "-m", "PEM", "-N", "open sesame")
        assert run("echo in", ssh.connection(privateKeyPassword="open sesame"))["stdout"] == "in"
        for wrong in ("wrong", None):
            with pytest.raises(Refused):
                run("true", ssh.connection(privateKeyPassword=wrong))

    def test_a_private_key_that_is_none_is_refused_without_showing_it(self, run: Run, ssh: SshServer) -> None:
        with pytest.raises(Refused) as refused:
            run("true", ssh.connection(privateKey="not-a-key-but-secret"))
        assert "not-a-key-but-secret" not in refused.value.message

    def test_keys_in_the_operators_home_are_not_tried(self, ssh: SshServer, tmp_path: Path) -> None:
        (tmp_path / ".ssh").mkdir()
        connection = ssh.connection(privateKey=None, dialErrorLimit=0)
        (ssh.directory / "user_key").rename(tmp_path / ".ssh" / "id_ed25519")
        plugin = PluginUnderTest(COMMAND_PLUGIN, "command", {"HOME": str(tmp_path)})
        try:
            inputs = {"connection": connection, "create": "true"}
            with pytest.raises(Refused, match=r"unable to authenticate"):
                plugin.create(COMMAND, plugin.checked(COMMAND, inputs))
        finally:
            plugin.stop()


class TestDialling:
    @pytest.mark.parametrize(("limit", "shown"), [(None, "Dial 1/10"), (-1, "Dial 1/inf")])
    def test_dialling_is_repeated_until_the_server_appears(
        self, own_plugin: PluginUnderTest, ssh: SshServer, limit: int | None, shown: str
    ) -> None:
        ssh.stop()
        inputs = {"connection": ssh.connection(dialErrorLimit=limit), "create": "echo in"}
        with ThreadPoolExecutor() as pool:
            running = pool.submit(own_plugin.create, COMMAND, own_plugin.checked(COMMAND, inputs))
            told = own_plugin.engine.messages
            wait_until(lambda: f"{shown} failed: retrying" in told(LOGGED_INFO), 10, "the first failure is told")
            ssh.start()
            assert running.result(20)[1]["stdout"] == "in"

    def test_dialling_ends_after_the_limit_with_growing_delays(self, run: Run, ssh: SshServer) -> None:
        ssh.stop()
        started = time.monotonic()
        with pytest.raises(Refused, match=r"after 4 failed attempts: dial tcp .*: connect: connection refused"):
            run("true", ssh.connection(dialErrorLimit=4))
        assert 0.1 + 0.15 + 0.225 + 0.337 < time.monotonic() - started < 5

    def test_a_custom_timeout_ends_dialling(self, plugin: PluginUnderTest, ssh: SshServer) -> None:
        ssh.stop()
        inputs = plugin.checked(COMMAND, {"connection": ssh.connection(dialErrorLimit=-1), "create": "true"})
        with pytest.raises(Refused, match=r"context deadline exceeded"):
            plugin.create(COMMAND, inputs, timeout=1)

    def test_a_proxy_is_dialled_first(self, run: Run, ssh: SshServer, bastion: SshServer) -> None:
        proxy = bastion.connection(hostKey=bastion.host_key)
        assert run("echo in", ssh.connection(hostKey=ssh.host_key, proxy=proxy))["stdout"] == "in"
        assert bastion.logins == ssh.logins == 1

    def test_a_proxy_with_another_host_key_is_refused(self, run: Run, ssh: SshServer, bastion: SshServer) -> None:
        proxy = bastion.connection(hostKey=ssh.host_key, dialErrorLimit=0)
        with pytest.raises(Refused, match=r"proxy: .*host key mismatch"):
            run("true", ssh.connection(proxy=proxy))
        assert ssh.logins == 0

    def test_a_server_that_the_proxy_cannot_reach_is_an_error(
        self, run: Run, ssh: SshServer, bastion: SshServer
    ) -> None:
        connection = ssh.connection(port=free_port(), dialErrorLimit=1, proxy=bastion.connection())
        with pytest.raises(Refused, match=r"proxy: after 1 failed attempts: ssh: rejected: connect failed"):
            run("true", connection)


class TestInputs:
    def test_defaults_of_a_connection_are_filled_in(self, plugin: PluginUnderTest) -> None:
        inputs = plugin.checked(COMMAND, {"connection": {"host": "h", "proxy": {"host": "p"}}, "create": "true"})
        defaults = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}
        assert inputs["connection"]["value"] == {"host": "h", **defaults, "proxy": {"host": "p", **defaults}}

    def test_a_connection_is_needed(self, plugin: PluginUnderTest) -> None:
        assert "connection" in [failure.property for failure in plugin.check(COMMAND, {"create": "true"}).failures]

    def test_a_value_of_the_wrong_kind_is_refused(self, plugin: PluginUnderTest) -> None:
        failures = plugin.check(COMMAND, {"connection": {"host": "h"}, "create": [1]}).failures
        assert [failure.property for failure in failures] == ["create"]

    @stand_in_only
    @pytest.mark.parametrize(
        ("inputs", "name"),
        [
            ({"connection": {"host": "h"}, "interpreter": ["sh"]}, "interpreter"),
            ({"connection": {"host": "h", "jump": "j"}}, "connection.jump"),
            ({"connection": {"host": "h", "proxy": {"host": "p", "proxy": {}}}}, "connection.proxy.proxy"),
        ],
    )
    def test_an_unknown_property_is_refused_by_name(
        self, plugin: PluginUnderTest, inputs: dict[str, object], name: str
    ) -> None:
        (failure,) = plugin.check(COMMAND, inputs).failures
        assert failure.property == name
        assert "not implemented" in failure.reason

    @stand_in_only
    @pytest.mark.parametrize("token", ["local:Command", "remote:CopyFile"])
    def test_a_type_that_is_not_implemented_is_refused_with_a_way_out(
        self, plugin: PluginUnderTest, token: str
    ) -> None:
        with pytest.raises(Refused, match=r"does not implement the resource type .*; use command:remote:"):
            plugin.check(token, {})

    @stand_in_only
    def test_a_function_that_is_not_implemented_is_refused(self, plugin: PluginUnderTest) -> None:
        with pytest.raises(Refused, match=r"does not implement the function command:local:run"):
            plugin.invoke("local:run", {"command": "true"})


class TestSecrets:
    def test_the_connection_is_a_secret_input_and_output(self, plugin: PluginUnderTest, ssh: SshServer) -> None:
        inputs = plugin.checked(COMMAND, {"connection": ssh.connection(), "create": "true"})
        assert is_secret(inputs["connection"])
        assert is_secret(plugin.create(COMMAND, inputs)[1]["connection"])

    def test_what_was_a_secret_stays_one_and_nothing_else_becomes_one(
        self, plugin: PluginUnderTest, ssh: SshServer
    ) -> None:
        secrets = {"create": secret("cat"), "stdin": secret("hidden"), "triggers": ["open", secret("hidden")]}
        outputs = plugin.create(COMMAND, plugin.checked(COMMAND, {"connection": ssh.connection(), **secrets}))[1]
        assert is_secret(outputs["create"])
        assert is_secret(outputs["stdin"])
        assert outputs["triggers"][0] == "open"
        assert is_secret(outputs["triggers"][1])
        assert outputs["stdout"] == "hidden", "outputs are secret only by additionalSecretOutputs"


class TestUpdating:
    @pytest.fixture
    def state(self, plugin: PluginUnderTest, ssh: SshServer) -> dict[str, Any]:
        inputs = {"connection": ssh.connection(), "create": "echo created", "delete": "echo deleted"}
        return plugin.create(COMMAND, plugin.checked(COMMAND, inputs))[1]

    def updated(self, plugin: PluginUnderTest, state: dict[str, Any], **news: object) -> str:
        inputs = {"connection": state["connection"], **news}
        return str(plugin.update(COMMAND, state, plugin.checked(COMMAND, inputs))["stdout"])

    def test_an_update_runs_update(self, plugin: PluginUnderTest, state: dict[str, Any]) -> None:
        assert self.updated(plugin, state, create="echo created", update="echo updated") == "updated"

    def test_an_update_without_update_runs_create_again(self, plugin: PluginUnderTest, state: dict[str, Any]) -> None:
        assert self.updated(plugin, state, create="echo again") == "again"

    def test_an_update_with_neither_runs_nothing_and_keeps_the_output(
        self, plugin: PluginUnderTest, ssh: SshServer, state: dict[str, Any]
    ) -> None:
        before = ssh.logins
        assert self.updated(plugin, state, delete="true") == "created"
        assert ssh.logins == before

    def test_delete_runs_delete(self, plugin: PluginUnderTest, state: dict[str, Any], tmp_path: Path) -> None:
        plugin.delete(COMMAND, {**state, "delete": f"touch {tmp_path}/gone"})
        assert (tmp_path / "gone").exists()

    def test_delete_without_delete_does_nothing(
        self, plugin: PluginUnderTest, ssh: SshServer, state: dict[str, Any]
    ) -> None:
        before = ssh.logins
        plugin.delete(COMMAND, {key: value for key, value in state.items() if key != "delete"})
        assert ssh.logins == before

    def test_reading_echoes_the_state_and_makes_no_connection(
        self, plugin: PluginUnderTest, ssh: SshServer, state: dict[str, Any]
    ) -> None:
        before = ssh.logins
        inputs = {key: value for key, value in state.items() if key not in ("stdout", "stderr")}
        answer = plugin.read(COMMAND, "it", state, inputs)
        assert answer.id == "it"
        assert dict(answer.properties)["stdout"] == "created"
        assert ssh.logins == before


class TestDiffs:
    BASE: ClassVar = {"connection": secret({"host": "h", "port": 22.0}), "create": "c", "triggers": ["a", "b"]}

    def kinds(self, plugin: PluginUnderTest, **news: object) -> dict[str, str]:
        answer = plugin.diff(COMMAND, self.BASE, {**self.BASE, **news})
        return {path: type(diff).Kind.Name(diff.kind) for path, diff in answer.detailedDiff.items()}

    @pytest.mark.parametrize(
        ("news", "kinds"),
        [
            ({}, {}),
            ({"create": "d"}, {"create": "UPDATE"}),
            ({"update": "u"}, {"update": "ADD"}),
            ({"connection": secret({"host": "h", "port": 23.0})}, {"connection": "UPDATE"}),
            # A change within triggers is an update here; the SDK's replace_on_changes makes the engine replace.
            ({"triggers": ["a", "c"]}, {"triggers[1]": "UPDATE"}),
            ({"triggers": ["a"]}, {"triggers[1]": "DELETE"}),
            ({"triggers": ["a", "b", "c"]}, {"triggers[2]": "ADD"}),
            ({"triggers": ["a", UNKNOWN]}, {"triggers[1]": "UPDATE"}),
            ({"triggers": UNKNOWN}, {"triggers": "UPDATE_REPLACE"}),
            ({"triggers": None}, {"triggers": "DELETE_REPLACE"}),
        ],
    )
    def test_a_changed_input_is_an_update_or_a_replacement(
        self, plugin: PluginUnderTest, news: dict[str, object], kinds: dict[str, str]
    ) -> None:
        assert self.kinds(plugin, **news) == kinds

    def test_new_triggers_replace(self, plugin: PluginUnderTest) -> None:
        without = {key: value for key, value in self.BASE.items() if key != "triggers"}
        assert list(plugin.diff(COMMAND, without, self.BASE).replaces) == ["triggers"]

    def test_no_difference_is_said_to_be_none(self, plugin: PluginUnderTest) -> None:
        answer = plugin.diff(COMMAND, self.BASE, self.BASE)
        assert answer.changes == type(answer).DIFF_NONE


class TestPreviews:
    INPUTS: ClassVar = {"connection": secret({"host": "h"}), "create": "c", "triggers": ["a"]}
    STATE: ClassVar = {**INPUTS, "stdout": "out", "stderr": ""}

    def test_the_outputs_of_a_create_are_unknown_and_its_inputs_known(self, plugin: PluginUnderTest) -> None:
        _, outputs = plugin.create(COMMAND, self.INPUTS, preview=True)
        assert (outputs["stdout"], outputs["stderr"]) == (UNKNOWN, UNKNOWN)
        assert (outputs["create"], outputs["triggers"]) == ("c", ["a"])

    def test_a_create_with_unknown_inputs_can_be_previewed(self, plugin: PluginUnderTest) -> None:
        inputs = {"connection": secret(UNKNOWN), "create": UNKNOWN, "triggers": UNKNOWN}
        checked = plugin.checked(COMMAND, inputs)
        _, outputs = plugin.create(COMMAND, checked, preview=True)
        assert (outputs["create"], outputs["triggers"]) == (UNKNOWN, UNKNOWN)

    @pytest.mark.parametrize(
        ("news", "stdout"),
        [
            ({}, "out"),
            ({"create": "d"}, UNKNOWN),
            ({"triggers": ["b"]}, UNKNOWN),
            ({"connection": secret({"host": "other"})}, UNKNOWN),
            ({"create": UNKNOWN}, UNKNOWN),
        ],
    )
    def test_the_outputs_of_an_update_are_unknown_when_an_input_changes(
        self, plugin: PluginUnderTest, news: dict[str, object], stdout: str
    ) -> None:
        previewed = plugin.update(COMMAND, self.STATE, {**self.INPUTS, **news}, preview=True)
        assert (previewed["stdout"], previewed["stderr"]) == (stdout, "" if stdout == "out" else UNKNOWN)

    def test_a_preview_makes_no_connection(self, plugin: PluginUnderTest, ssh: SshServer) -> None:
        inputs = plugin.checked(COMMAND, {"connection": ssh.connection(), "create": "true"})
        plugin.create(COMMAND, inputs, preview=True)
        plugin.update(COMMAND, {**inputs, "stdout": "", "stderr": ""}, {**inputs, "create": "false"}, preview=True)
        assert ssh.logins == 0


class TestCopying:
    @pytest.fixture
    def here(self, tmp_path: Path) -> Path:
        here = tmp_path / "here"
        (here / "sub").mkdir(parents=True)
        (here / "a.bin").write_bytes(bytes(range(256)) * 1000)
        (here / "sub" / "b.txt").write_text("b")
        return here

    @pytest.fixture
    def copy(self, plugin: PluginUnderTest, ssh: SshServer) -> Callable[[dict[str, object], object], dict[str, Any]]:
        def create(source: dict[str, object], target: object) -> dict[str, Any]:
            inputs = {"connection": ssh.connection(), "source": source, "remotePath": str(target)}
            return plugin.create(COPY, plugin.checked(COPY, inputs))[1]

        return create

    def test_a_text_becomes_a_file_and_its_directories(self, copy: Any, tmp_path: Path) -> None:
        copy(asset(text="hello\n"), tmp_path / "x" / "y" / "t")
        assert (tmp_path / "x" / "y" / "t").read_text() == "hello\n"

    def test_a_text_cannot_become_a_directory(self, copy: Any, tmp_path: Path) -> None:
        with pytest.raises(Refused, match=rf"remote path {tmp_path} is a directory"):
            copy(asset(text="hello"), tmp_path)

    def test_a_file_overwrites_a_file(self, copy: Any, here: Path, tmp_path: Path) -> None:
        (tmp_path / "t").write_text("longer than it will be" * 100_000)
        copy(asset(path=str(here / "a.bin")), tmp_path / "t")
        assert (tmp_path / "t").read_bytes() == (here / "a.bin").read_bytes()

    def test_a_file_goes_into_a_directory_that_exists(self, copy: Any, here: Path, tmp_path: Path) -> None:
        (tmp_path / "there").mkdir()
        copy(asset(path=str(here / "sub" / "b.txt")), tmp_path / "there")
        assert (tmp_path / "there" / "b.txt").read_text() == "b"

    @pytest.mark.parametrize(("slash", "placed"), [("", "there/here/sub/b.txt"), ("/", "there/sub/b.txt")])
    def test_a_directory_goes_into_the_target_and_with_a_slash_its_content(
        self, copy: Any, here: Path, tmp_path: Path, slash: str, placed: str
    ) -> None:
        copy(archive(path=f"{here}{slash}"), tmp_path / "there")
        assert (tmp_path / placed).read_text() == "b"

    def test_a_directory_cannot_replace_a_file(self, copy: Any, here: Path, tmp_path: Path) -> None:
        (tmp_path / "there").write_text("")
        with pytest.raises(Refused):
            copy(archive(path=str(here)), tmp_path / "there")

    def test_a_target_below_a_file_is_an_error(self, copy: Any, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(Refused, match=r"file/t\b"):
            copy(asset(text="hello"), tmp_path / "file" / "t")

    def test_a_file_that_is_not_here_is_an_error(self, copy: Any, tmp_path: Path) -> None:
        with pytest.raises(Refused, match=r"[Nn]o such file"):
            copy(asset(path=str(tmp_path / "none")), tmp_path / "t")

    @pytest.mark.parametrize(
        ("source", "name"),
        [(asset(uri="https://example.com/x"), "asset"), (archive(assets={}), "archive"), (UNKNOWN, "asset")],
    )
    def test_a_source_that_is_no_path_and_no_text_is_refused(
        self, plugin: PluginUnderTest, source: object, name: str
    ) -> None:
        inputs = {"connection": {"host": "h"}, "source": source, "remotePath": "/t"}
        assert [failure.property for failure in plugin.check(COPY, inputs).failures] == [name]

    def test_an_update_copies_only_what_is_another_source_or_target(
        self, plugin: PluginUnderTest, ssh: SshServer, copy: Any, tmp_path: Path
    ) -> None:
        state = copy(asset(text="one", hash="1" * 64), tmp_path / "t")
        before = ssh.logins
        same = {**state, "connection": secret({**state["connection"]["value"], "dialErrorLimit": 3})}
        plugin.update(COPY, state, same)
        assert ssh.logins == before, "another connection is no reason to copy"
        plugin.update(COPY, state, {**same, "source": asset(text="two", hash="2" * 64)})
        assert (tmp_path / "t").read_text() == "two"

    def test_the_source_comes_back_as_it_was(self, copy: Any, tmp_path: Path) -> None:
        source = asset(text="hello")
        kept = copy(source, tmp_path / "t")["source"]
        assert {key: value for key, value in kept.items() if value} == source, "what is empty may be left out"


class TestEnding:
    def test_cancel_ends_dialling(self, own_plugin: PluginUnderTest, ssh: SshServer) -> None:
        ssh.stop()
        inputs = own_plugin.checked(COMMAND, {"connection": ssh.connection(dialErrorLimit=-1), "create": "true"})
        with ThreadPoolExecutor() as pool:
            running = pool.submit(own_plugin.create, COMMAND, inputs)
            wait_until(lambda: bool(own_plugin.engine.messages()), 10, "it dials")
            own_plugin.cancel()
            with pytest.raises(Refused, match=r"context canceled"):
                running.result(20)

    def test_cancel_lets_a_running_command_end_and_its_outputs_come_back(
        self, own_plugin: PluginUnderTest, ssh: SshServer, tmp_path: Path
    ) -> None:
        command = f"touch {tmp_path}/runs; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo done"
        inputs = own_plugin.checked(COMMAND, {"connection": ssh.connection(), "create": command})
        with ThreadPoolExecutor() as pool:
            running = pool.submit(own_plugin.create, COMMAND, inputs)
            wait_until((tmp_path / "runs").exists, 10, "the command runs")
            own_plugin.cancel()
            (tmp_path / "go").touch()
            assert running.result(20)[1]["stdout"] == "done"

    def test_it_ends_when_the_engine_interrupts_it(self, own_plugin: PluginUnderTest) -> None:
        started = time.monotonic()
        own_plugin.stop()
        assert own_plugin.process.returncode is not None
        assert time.monotonic() - started < 2, "the engine would wait for 5 s, at the end of every run"

    @stand_in_only
    @pytest.mark.parametrize("address", ["", "127.0.0.1:1"])
    def test_without_an_engine_it_lives_until_its_health_check_and_for_ever_where_none_was_named(
        self, address: str
    ) -> None:
        """The official plugin checks every five minutes, which no test waits for."""
        process = subprocess.Popen(
            [COMMAND_PLUGIN, *([address] if address else [])],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "SANDBOX_HEALTH_CHECK": "1"},
        )
        try:
            assert process.stdout is not None
            assert int(process.stdout.readline()) > 0
            if address:
                assert process.wait(20) == 1
            else:
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(3)
        finally:
            process.kill()
            process.wait()

    @stand_in_only
    def test_a_killed_engine_is_not_noticed_before_the_health_check(self, tmp_path: Path) -> None:
        engine = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(60)"
        parent = subprocess.Popen(
            [sys.executable, "-c", engine, COMMAND_PLUGIN, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True
        )
        assert parent.stdout is not None
        plugin, port = int(parent.stdout.readline()), int(parent.stdout.readline())
        assert port > 0
        parent.kill()
        parent.wait()
        time.sleep(1)
        try:
            assert is_running(plugin)
        finally:
            os.kill(plugin, signal.SIGKILL)


def test_it_has_no_handshake_and_the_engine_names_itself_by_the_command_line(own_plugin: PluginUnderTest) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        own_plugin.stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:1"), timeout=10)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
