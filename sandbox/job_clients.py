"""Push jobs clients on the sandbox's client hosts, and jobs on them: what an operator sets up after a rollout.

`chef-server-ctl` on a server creates an organization and a user; `knife` and the client on the client hosts do the
rest, through https://api_fqdn and the ports that the firewalls open. Safe to repeat.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.hosts.host import Hosts, HostStatus
from sandbox.paths import Sandbox
from sandbox.processes import SandboxError

NODES = ("client-0", "client-1")
ORG, USER = "sandbox", "operator"
COMMAND = "hostname"
PACKAGE = "push-jobs-client_*.deb"
RUNNING = "/etc/opscode/chef-server-running.json"
CONNECT_SECONDS = 30.0
KNIFE = 'chef_server_url "{url}"\nnode_name "{name}"\nclient_key "/root/.chef/{name}.pem"\n'
CLIENT = 'chef_server_url "{url}"\nnode_name "{name}"\nclient_key "/etc/chef/client.pem"\nwhitelist({{{whitelist}}})\n'

Say = Callable[[str], None]


def run_job(sandbox: Sandbox, command: str, say: Say) -> None:
    """Sets up all clients and runs a command on them as a job. Raises SandboxError unless it ran on all of them."""
    hosts = Hosts(sandbox)
    server, url = _server(hosts)
    with ThreadPoolExecutor() as pool:
        making = pool.submit(_user_key, hosts, server)
        list(pool.map(lambda node: _install(sandbox, hosts, node), NODES))
        user_key = making.result()
    _write(hosts, NODES[0], f"/root/.chef/{USER}.pem", user_key)
    _write(hosts, NODES[0], "/root/.chef/knife.rb", KNIFE.format(url=url, name=USER))

    def bring(node: str) -> None:
        _register(hosts, node)
        _start(hosts, node, url, command)

    with ThreadPoolExecutor() as pool:
        list(pool.map(bring, NODES))
    _connected(hosts)
    say(_output(hosts, NODES[0], ["knife", "job", "start", "--capture", command, *NODES]).strip())
    say(f"a job ran on {' and '.join(NODES)}, which reached push jobs by {url}")


def _server(hosts: Hosts) -> tuple[str, str]:
    """A server that runs the API, and the organization's URL."""
    candidates = [status for status in hosts.list() if status.state == "running" and status.id not in NODES]
    for status in sorted(candidates, key=_preference):
        told = hosts.exec(status.id, ["cat", RUNNING])
        if told.returncode == 0:
            name = json.loads(told.stdout)["private_chef"]["lb"]["api_fqdn"]
            return status.id, f"https://{name}/organizations/{ORG}"
    raise SandboxError("no server of the sandbox has Chef server configured; scripts/up brings a stack up")


def _preference(status: HostStatus) -> tuple[bool, str]:
    return not status.name.startswith("frontend"), status.name


def _user_key(hosts: Hosts, server: str) -> str:
    """If the user's key is not available any more, creates the organization and its user again."""
    kept = hosts.exec(NODES[0], ["cat", f"/root/.chef/{USER}.pem"])
    known = _output(hosts, server, ["chef-server-ctl", "org-list"]).split()
    if kept.returncode == 0 and ORG in known:
        return kept.stdout
    if ORG in known:
        _output(hosts, server, ["chef-server-ctl", "org-delete", ORG, "-y"])
    if USER in _output(hosts, server, ["chef-server-ctl", "user-list"]).split():
        _output(hosts, server, ["chef-server-ctl", "user-delete", USER, "-y"])
    created = ["chef-server-ctl", "user-create", USER, "Sandbox", "Operator", f"{USER}@example.com", "secret"]
    key = _output(hosts, server, created)
    _output(hosts, server, ["chef-server-ctl", "org-create", ORG, "The sandbox", "--association_user", USER])
    return key


def _install(sandbox: Sandbox, hosts: Hosts, node: str) -> None:
    (package,) = sandbox.packages.glob(PACKAGE)
    _write(hosts, node, f"/root/{package.name}", package.read_bytes())
    version = package.name.split("_")[1]
    unless = f"[ \"$(dpkg-query -W -f '${{Version}}' push-jobs-client 2>/dev/null)\" = {version} ]"
    _output(
        hosts, node, ["sh", "-c", f"{unless} || dpkg --install /root/{package.name}; mkdir -p /etc/chef /root/.chef"]
    )


def _register(hosts: Hosts, node: str) -> None:
    """Creates the node's client, unless the server knows one with the same key."""
    known = hosts.exec(node, ["cat", "/etc/chef/client.pem"])
    made = hosts.exec(NODES[0], ["knife", "client", "create", node, "-f", f"/root/.chef/{node}.pem"])
    if made.returncode == 0:
        _write(hosts, node, "/etc/chef/client.pem", _output(hosts, NODES[0], ["cat", f"/root/.chef/{node}.pem"]))
    elif known.returncode or "already exists" not in made.stderr:
        raise SandboxError(f"no client for {node}: {made.stderr.strip()}")


def _start(hosts: Hosts, node: str, url: str, command: str) -> None:
    """Starts it with settings that allow the command; a client that already runs with them continues."""
    quoted = command.replace("\\", "\\\\").replace('"', '\\"')
    settings = CLIENT.format(url=url, name=node, whitelist=f'"{quoted}" => "{quoted}"')
    there = hosts.exec(node, ["cat", "/etc/chef/push-jobs-client.rb"])
    running = hosts.exec(node, ["pgrep", "-f", "pushy-client -c"]).returncode == 0
    if there.stdout != settings or not running:
        _write(hosts, node, "/etc/chef/push-jobs-client.rb", settings)
        _output(hosts, node, ["/opt/push-jobs-client/bin/start"])


def _connected(hosts: Hosts) -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        told = hosts.exec(NODES[0], ["knife", "node", "status"])
        available = {line.split("\t")[0] for line in told.stdout.splitlines() if line.endswith("\tavailable")}
        if available >= set(NODES):
            return
        if time.monotonic() > deadline:
            missing = sorted(set(NODES) - available)
            said = _output(hosts, missing[0], ["tail", "-n", "5", "/var/log/push-jobs-client.log"])
            raise SandboxError(
                f"{' and '.join(missing)} did not get to push jobs: {told.stderr.strip()}\n{said}"
                "Rule: clients reach https://api_fqdn, and the heartbeat and command port of the backends.\n"
                "Do:   see python -m sandbox exec client-0 -- tail -f /var/log/push-jobs-client.log"
            )
        time.sleep(0.2)


def _write(hosts: Hosts, host: str, path: str, content: str | bytes) -> None:
    folder = Path(path).parent
    done = hosts.exec(
        host,
        ["sh", "-c", f"umask 077; mkdir -p {folder}; cat >{path}.new; mv {path}.new {path}"],
        input=content if isinstance(content, bytes) else content.encode(),
        text=False,
    )
    if done.returncode:
        raise SandboxError(f"{host}: {path} is not written: {done.stderr!r}")


def _output(hosts: Hosts, host: str, argv: Sequence[str]) -> str:
    done = hosts.exec(host, argv)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise SandboxError(f"{host}: {' '.join(argv[:3])}: exit status {done.returncode}:\n{said}")
    return str(done.stdout)
