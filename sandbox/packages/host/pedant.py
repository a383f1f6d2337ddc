"""`opscode-push-jobs-server-ctl test`: a smoke test by real connections, with a summary as rspec prints it.

Where the service should run, its ports are tried on this host and through the vip; elsewhere through the vip alone (a
frontend reaches only the API port). Each answer must be proven with the credentials that lie on this host: a server
with others than the primary's fails. The real test (oc-pushy-pedant) works through nginx and the Chef API: left out.
"""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import chef_server, keepalived, keys
from .files import StandinError, read_json
from .push_jobs import RUNNING, SERVICE
from .push_jobs_config import Generation
from .push_jobs_credentials import Credentials, load
from .push_jobs_service import PORTS

SECONDS = 5.0


@dataclass(frozen=True)
class Example:
    name: str
    run: Callable[[], None]


def hello(address: str, port: object, nonce: str) -> dict[str, Any]:
    """The service's greeting; StandinError when there is none."""
    try:
        with socket.create_connection((address, int(str(port))), timeout=SECONDS) as connection:
            connection.sendall(f"HELLO {nonce}\n".encode())
            with connection.makefile("r", encoding="utf-8") as answers:
                greeting = json.loads(answers.readline())
    except (OSError, ValueError) as error:
        raise StandinError(f"no answer from {address}:{port}: {error}") from None
    if not isinstance(greeting, dict) or greeting.get("service") != SERVICE:
        raise StandinError(f"what answers at {address}:{port} is not {SERVICE}")
    return greeting


def check_greeting(address: str, port: object, name: str, local: Credentials) -> None:
    nonce = keys.hexadecimal(32)
    greeting = hello(address, port, nonce)
    fingerprint = keys.fingerprint(local.public)
    if greeting["fingerprint"] != fingerprint:
        raise StandinError(
            f"{greeting['host']} at {address}:{port} holds other credentials than this host: "
            f"fingerprint {greeting['fingerprint'][:16]}…, here {fingerprint[:16]}…"
        )
    if not keys.verifies(local.public, f"{nonce}:{name}".encode(), greeting["signature"]):
        raise StandinError(f"{greeting['host']} at {address}:{port} cannot prove that it holds the private key")


def check_api(address: str, pushy: dict[str, Any], local: Credentials) -> None:
    """The ports that clients are told must be the configured ones, the key that they are told must be ours."""
    url = f"http://{address}:{pushy['api_port']}/organizations/pedant/pushy/config/pedant"
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=SECONDS) as answer:
            config = json.load(answer)
        heartbeat = config["push_jobs"]["heartbeat"]
        told = [heartbeat[name].rsplit(":", 1)[1] for name in ("out_addr", "command_addr")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StandinError(f"no configuration from {url}: {error}") from None
    if told != [str(pushy["server_heartbeat_port"]), str(pushy["command_port"])]:
        raise StandinError(f"{url} tells clients the ports {told}, this host's settings say otherwise")
    if keys.fingerprint(config["public_key"]) != keys.fingerprint(local.public):
        raise StandinError(f"{url} tells clients another public key than the one on this host")


def check_pair(local: Credentials) -> None:
    if not keys.verifies(local.public, b"pair", keys.sign(local.private, b"pair")):
        raise StandinError("the public key of this host does not belong to its private key")


def examples(pushy: dict[str, Any], role: str | None, local: Credentials, *, runs_here: bool) -> list[Example]:
    found = [Example("credentials: the key pair of this host belongs together", partial(check_pair, local))]
    for address in ["127.0.0.1"] * runs_here + [pushy["vip"]]:
        for name in ("heartbeat", "command") if role != "frontend" else ():
            port = pushy[PORTS[name]]
            title = f"{name} port {port} of {address} proves this host's credentials"
            found.append(Example(title, partial(check_greeting, address, port, name, local)))
        title = f"config endpoint of {address} tells clients the configured ports and key"
        found.append(Example(title, partial(check_api, address, pushy, local)))
    return found


def test(kind: Generation) -> int:
    """Run the examples; 0 when all pass, 1 otherwise."""
    chef = chef_server.running_config()
    if chef is None or not os.path.exists(RUNNING):
        raise StandinError(f"{RUNNING} is missing: run opscode-push-jobs-server-ctl reconfigure first")
    pushy, start = read_json(RUNNING)["pushy"][SERVICE], time.monotonic()
    local = load(shared=kind.shared_secrets)
    runs_here = pushy["enable"] and keepalived.is_data_master(chef["private_chef"])
    print("Starting Pedant Run (stand-in)\n", flush=True)
    chosen = examples(pushy, chef["private_chef"]["role"], local, runs_here=runs_here)
    failures = []
    for example in chosen:
        try:
            example.run()
        except StandinError as error:
            failures.append((example.name, str(error)))
        print(f"  {example.name}{' (FAILED)' if failures and failures[-1][0] == example.name else ''}", flush=True)
    if failures:
        print("\nFailures:")
    for number, (name, message) in enumerate(failures, 1):
        print(f"\n  {number}) {name}\n     Failure/Error: {message}")
    print(f"\nFinished in {time.monotonic() - start:.2f} seconds")
    print(f"{len(chosen)} examples, {len(failures)} failure{'' if len(failures) == 1 else 's'}")
    return 1 if failures else 0
