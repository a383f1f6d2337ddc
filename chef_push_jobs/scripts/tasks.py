"""The script of each task, with its values; each script's file says what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chef_push_jobs.model.packages import Package
from chef_push_jobs.scripts.commands import MARK
from chef_push_jobs.scripts.rendering import InTurn, Script, in_turn

# The end of the test's log on a backend that is not master.
STANDBY = "not master: nothing was tested here"


def connect(timeout: int, owner: str) -> Script:
    """The first script on a new server, which records its `owner`; `timeout` is in seconds."""
    return _connect(timeout, owner, "", Script("wait-for-first-boot"))


def connect_existing(timeout: int, owner: str, *, fqdn: str = "", reaches_database: bool = False) -> Script:
    """Like `connect`, on an existing server.

    It must call itself `fqdn`, unless that is empty. `reaches_database` is for backends that must reach the master's.
    """
    return _connect(timeout, owner, fqdn, Script("note-running-service", {"reaches_database": _yes(reaches_database)}))


def _connect(timeout: int, owner: str, fqdn: str, first: Script) -> Script:
    preparation = in_turn(first, Script("prepare-server", brings={"manifest": Script("manifest")}))
    brings: Mapping[str, Script | InTurn] = {"runner": Script("task"), "preparation": preparation}
    return Script("connect", {"timeout": str(timeout), "owner": owner, "fqdn": fqdn}, brings)


def uploaded(package: Package) -> str:
    """Where a package file is uploaded to, relative to the login user's home."""
    return f"{MARK}-{package.sha256[:12]}-{package.name}"


def install(package: Package, user: str, *, upgrades: bool = True) -> Script:
    """Installs a package that `user` uploaded or that the server fetches.

    Without `upgrades`, it does not replace an older version that is configured.
    """
    values = {
        "url": package.url or "",
        "file": package.name if package.url else uploaded(package),
        "user": "" if package.url else user,
        "sha256": package.sha256,
        "upgrades": _yes(upgrades),
    }
    return Script(f"install-{package.format}", values)


def require_no_cluster(api_fqdn: str) -> Script:
    return Script("require-no-cluster", {"api_fqdn": api_fqdn})


def require_chef_server() -> Script:
    return Script("require-chef-server")


def compare_credentials(name: str, primary: str, theirs: str) -> Script:
    """`theirs` is the digest that the primary reported of its own credentials."""
    return Script("compare-credentials", {"name": name, "primary": primary, "theirs": theirs})


def configure(path: str, content: str) -> Script:
    return Script("configure", {"path": path, "content": content})


def reconfigure_chef_server(
    *, fails_over: bool = False, primary: bool = False, license_accepted: bool = False, include: str | None = None
) -> Script | InTurn:
    """`fails_over` is for a backend of an ha cluster, which waits for keepalived.

    `primary` is for the bootstrap backend. `include` is the file that chef-server.rb reads.
    """
    reconfigure = Script("reconfigure-chef-server", {"license": _yes(license_accepted), "include": include or ""})
    if not fails_over:
        return reconfigure
    return in_turn(reconfigure, Script("wait-for-keepalived", {"seconds": "10" if primary else "0"}))


def reconfigure_push_jobs() -> Script:
    return Script("reconfigure-push-jobs")


def rotate(wanted: str) -> Script:
    return Script("rotate", {"wanted": wanted})


def share(user: str, readers: Sequence[tuple[str, str]]) -> Script:
    """`readers` are the other servers: address and public key."""
    lines = "\n".join(f"{address} {key}" for address, key in readers)
    return Script("share", {"user": user, "readers": lines}, {"shared_files": Script("shared-files")})


def copy(what: str, user: str, port: int, address: str, host_key: str) -> Script:
    """`what` is `chef` or `push-jobs`; the rest is how to reach the primary."""
    return Script("copy", {"what": what, "user": user, "address": address, "port": str(port), "host_key": host_key})


def restart_pushy(ports: Iterable[int], *, unless_fresh: bool = False) -> Script:
    return Script("restart-pushy", {"ports": _words(ports), "unless_fresh": _yes(unless_fresh)})


def test(heartbeat_port: int, command_port: int, mode: str = "suite", asked: str = "") -> Script:
    """`mode` is `suite` or `status`. A different text in `asked` runs a suite again that has passed."""
    ports = {"heartbeat_port": str(heartbeat_port), "command_port": str(command_port)}
    return Script("test", {**ports, "mode": mode, "asked": asked})


def serves(part: str, seconds: int) -> Script:
    """`part` is `frontend`, `backend`, or `master` for a backend that must be the master."""
    return Script("serves", {"part": part, "seconds": str(seconds)})


def give_way(do: str) -> Script:
    """`do` is `stop` or `start`, for keepalived."""
    return Script("give-way", {"do": do})


def uninstall(owner: str) -> Script:
    return Script("uninstall", {"owner": owner})


def check_firewall(ports: Iterable[int]) -> Script:
    return Script("check-firewall", {"ports": _words(ports)})


def require_lvm() -> Script:
    return Script("require-lvm")


def name_device(volume: str, device: str) -> Script:
    return Script("name-device", {"serial": volume.replace("-", ""), "link": device.removeprefix("/dev/")})


def prepare_volume(device: str, vip: str) -> Script:
    return Script("prepare-volume", {"device": device, "vip": vip})


def probe(
    nonce: str,
    files: Iterable[str],
    ports: Iterable[int],
    versions: Mapping[str, str],
    user: str,
    *,
    uploads: Iterable[str] = (),
) -> Script:
    """What doctor asks; `versions` are the stack's, by package, empty if it wants none.

    `uploads` are the names of the package files that belong in the home of `user`.
    """
    packages = "\n".join(f"{name} {version}".strip() for name, version in versions.items())
    values = {"nonce": nonce, "packages": packages, "files": "\n".join(files), "ports": _words(ports), "user": user}
    values["uploads"] = " ".join(uploads)
    return Script("probe", values)


def _words(ports: Iterable[int]) -> str:
    return " ".join(str(port) for port in ports)


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"
