"""A push jobs client: it asks for its configuration, connects to what it is told, sends heartbeats, and runs jobs.

Source: opscode-pushy-client, pushy_client.rb, protocol_handler.rb, heartbeater.rb, job_runner.rb.
"""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import zmq

from . import push_jobs_messages, rsa
from .api_requests import Api, Refused
from .files import StandinError

RETRY_SECONDS = 1.0
QUIET_SECONDS = 3.0  # nothing at all on the command socket for so long: the connection is no good
POLL_MILLISECONDS = 200


@dataclass
class PushClient:
    """`allowed` is the whitelist: the commands that it runs, by the names that jobs call them; None allows all."""

    api: Api
    org: str
    node: str
    private: str
    allowed: Mapping[str, str] | None = None
    log: Callable[[str], None] = print
    stopping: bool = False

    def __post_init__(self) -> None:
        self._context = zmq.Context.instance()
        self._incarnation = str(uuid.uuid4())
        self._sequence = 0
        self._job: str | None = None
        self._command = ""
        self._options: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._public, self._secret = zmq.curve_keypair()

    def run(self) -> None:
        """Until it is stopped; from the beginning again whenever the server was lost or is another one."""
        while not self.stopping:
            try:
                self._session(self._configuration())
            except (Refused, StandinError, KeyError, ValueError) as error:
                self.log(f"[{self.node}] {error}")
                time.sleep(RETRY_SECONDS)

    def _configuration(self) -> dict[str, Any]:
        path = f"/organizations/{self.org}/pushy/config/{self.node}"
        found = self.api.ask("GET", f"{path}?ccpk={quote(self._public.decode(), safe='')}")
        if not isinstance(found, dict):
            raise StandinError(f"no configuration from {self.api.url}{path}")
        return found

    def _session(self, configuration: dict[str, Any]) -> None:
        """Sockets to one server, until it is lost, is another one, or says nothing on the command socket."""
        told = configuration["push_jobs"]["heartbeat"]
        self._key = rsa.decrypt(self.private, base64.b64decode(configuration["encoded_session_key"]["key"]))
        beats, commands = self._context.socket(zmq.SUB), self._context.socket(zmq.DEALER)
        try:
            self._connect(beats, commands, configuration)
            self.log(f"[{self.node}] listens for heartbeats at {told['out_addr']}, commands at {told['command_addr']}")
            self._serve(beats, commands, configuration)
        finally:
            beats.close(0)
            commands.close(0)

    def _connect(self, beats: Any, commands: Any, configuration: dict[str, Any]) -> None:
        told = configuration["push_jobs"]["heartbeat"]
        if curve := configuration.get("curve_public_key"):
            commands.curve_serverkey = curve.encode()
            commands.curve_publickey, commands.curve_secretkey = self._public, self._secret
        commands.sndhwm = 3
        beats.subscribe(b"")
        beats.connect(told["out_addr"])
        commands.connect(told["command_addr"])

    def _serve(self, beats: Any, commands: Any, configuration: dict[str, Any]) -> None:
        told = configuration["push_jobs"]["heartbeat"]
        public, incarnation = configuration["public_key"], configuration["incarnation_id"]
        interval, missed = float(told["interval"]), int(told["offline_threshold"])
        poller = zmq.Poller()
        poller.register(beats, zmq.POLLIN)
        poller.register(commands, zmq.POLLIN)
        began = heard = time.monotonic()
        due, answered = began, False
        while not self.stopping:
            now = time.monotonic()
            if now >= due:
                due = now + interval
                state = "idle" if self._job is None else "running" if self._process else "committed"
                self._send(commands, {"type": "heartbeat", "job_state": state, "job_id": self._job})
            if now - heard > interval * (missed + 1):
                self.log(f"[{self.node}] the server is gone")
                return
            if not answered and now - began > QUIET_SECONDS:
                self.log(f"[{self.node}] No messages being received on command port. Possible encryption problem?")
                return
            ready = dict(poller.poll(min(POLL_MILLISECONDS, max(0, int((due - now) * 1000)))))
            if beats in ready:
                beat = push_jobs_messages.read(*beats.recv_multipart()[:2], public=public)
                if beat and beat["incarnation_id"] != incarnation:
                    self.log(f"[{self.node}] the server is another one")
                    return
                heard = time.monotonic() if beat else heard
            if commands in ready:
                message = push_jobs_messages.read(*commands.recv_multipart()[:2], public=public, key=self._key)
                if message:
                    answered = True
                    self._handle(commands, message)
            self._finished(commands)

    def _send(self, commands: Any, message: dict[str, Any]) -> None:
        self._sequence += 1
        document = {
            **{"node": self.node, "client": socket.gethostname(), "protocol_version": "2.0", "org": self.org},
            **{"sequence": self._sequence, "incarnation_id": self._incarnation, **message},
        }
        try:
            commands.send_multipart(push_jobs_messages.signed_by_session(document, self._key), zmq.NOBLOCK)
        except zmq.Again:
            self.log(f"[{self.node}] dropped: {message['type']}")

    def _handle(self, commands: Any, message: dict[str, Any]) -> None:
        kind, job = message.get("type"), message.get("job_id")
        if kind == "commit" and job:
            command = str(message.get("command", ""))
            knows = self.allowed is None or command in self.allowed
            ok = knows and self._job in (None, job)
            if ok:
                self._job, self._options = str(job), message
                self._command = command if self.allowed is None else self.allowed[command]
            self._send(commands, {"type": "ack_commit" if ok else "nack_commit", "job_id": job})
        elif kind == "run" and job:
            ok = job == self._job and self._process is None
            self._send(commands, {"type": "ack_run" if ok else "nack_run", "job_id": job})
            if ok:
                self._start()
        elif kind == "abort":
            aborted, self._job = self._job, None
            self._end()
            self._send(commands, {"type": "aborted", "job_id": aborted})

    def _start(self) -> None:
        self.log(f"[{self.node}] runs for job {self._job}: {self._command}")
        environment = self._options.get("env")
        variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})}
        variables.update(CHEF_PUSH_NODE_NAME=self.node, CHEF_PUSH_JOB_ID=str(self._job))
        self._process = subprocess.Popen(
            ["sh", "-c", self._command],
            cwd=self._options.get("dir") or "/",
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def _finished(self, commands: Any) -> None:
        if self._process is None or self._process.poll() is None:
            return
        out, err = (text.decode(errors="replace") for text in self._process.communicate())
        output = {"stdout": out, "stderr": err} if self._options.get("capture_output") else {}
        kind = "failed" if self._process.returncode else "succeeded"
        self.log(f"[{self.node}] job {self._job} {kind}: exit status {self._process.returncode}")
        job, self._job, self._process = self._job, None, None
        self._send(commands, {"type": kind, "job_id": job, **output})

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


def stop_at_signals(client: PushClient) -> None:
    def stop(_number: int, _frame: object) -> None:
        client.stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
