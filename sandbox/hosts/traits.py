"""Properties of servers that people set up themselves; a running host can be given any of these traits.

Each is a script that root runs on the host once. Leaves out what needs another kernel or package manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from sandbox.hosts.host import Hosts
from sandbox.hosts.root_image import LOGIN_USER
from sandbox.processes import SandboxError

# While sshd reads its settings again, it refuses connections for a moment; a new sshd listens from its start.
_LISTENS = "ss -Hltn 'sport = :22' | grep -q ."
_RELOAD = (
    f"kill $(pgrep -o -x sshd); while {_LISTENS}; do sleep 0.05; done; "
    "setsid /usr/sbin/sshd -D -E /var/log/sshd.log > /dev/null 2>&1 < /dev/null & "
    f"until {_LISTENS}; do sleep 0.05; done"
)
_CONFIG = "/etc/ssh/sshd_config"


@dataclass(frozen=True)
class Trait:
    """`title` is for people; `script` gives a host the trait; nothing can be executed in the directory `noexec`."""

    title: str
    script: str = ":"
    noexec: str = ""


def give(hosts: Hosts, host: str, name: str) -> None:
    """Raises KeyError for an unknown trait, SandboxError if a host does not run or does not accept it."""
    trait = TRAITS[name]
    if trait.noexec:
        hosts.forbid_programs(host, trait.noexec)
    done = hosts.exec(host, ["sh", "-ec", trait.script])
    if done.returncode != 0:
        raise SandboxError(f"host {host} did not take the trait {name}: {done.stderr.strip()}")


def _shell(path: str) -> str:
    return f"usermod --shell {path} {LOGIN_USER}"


def _text(*lines: str) -> str:
    return " ".join(["printf", quote("%s\\n"), *map(quote, lines)])


def _start_up(line: str) -> str:
    """bash also reads .bashrc for a command that comes over SSH."""
    return f"{_text(line)} > /home/{LOGIN_USER}/.bashrc"


def _sshd(*lines: str) -> str:
    """`lines` come first, so they take precedence."""
    return f"{_text(*lines)} | cat - {_CONFIG} > {_CONFIG}.new; mv {_CONFIG}.new {_CONFIG}; {_RELOAD}"


def _sudo(line: str) -> str:
    return f"{_text(line)} > /etc/sudoers.d/zz-trait; chmod 0440 /etc/sudoers.d/zz-trait"


def _host_key(kind: str, file: str) -> str:
    """A host key that sshd presents instead of all others."""
    made = f"ssh-keygen -q -t {kind} -N '' -f {file}"
    return f"{made}; sed -i 's|^HostKey .*|HostKey {file}|' {_CONFIG}; {_RELOAD}"


def _sftp(line: str) -> str:
    return f"sed -i 's|^Subsystem.*|{line}|' {_CONFIG}; {_RELOAD}"


_RESOLVER = f"{_text('nameserver 127.0.0.53', 'options timeout:2 attempts:1')} > /etc/resolv.conf"
_SILENT = (
    "nft 'add table inet trait; add chain inet trait in { type filter hook input priority 0; }; "
    "add rule inet trait in udp dport 53 drop'"
)
_LATE = """import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
while True:
    asked, who = s.recvfrom(512)
    time.sleep(1)
    s.sendto(asked[:2] + b"\\x81\\x83" + asked[4:6] + bytes(6) + asked[12:], who)"""

TRAITS: Mapping[str, Trait] = {
    "shell-csh": Trait("login shell csh", _shell("/bin/csh")),
    "shell-tcsh": Trait("login shell tcsh", _shell("/bin/tcsh")),
    "shell-fish": Trait("login shell fish", _shell("/usr/bin/fish")),
    "shell-zsh": Trait("login shell zsh", _shell("/bin/zsh")),
    "shell-dash": Trait("login shell dash", _shell("/bin/dash")),
    "shell-rbash": Trait("login shell rbash", f"ln -sf bash /bin/rbash; {_shell('/bin/rbash')}"),
    "shell-nologin": Trait("login shell nologin", _shell("/usr/sbin/nologin")),
    "start-up-prints": Trait("start-up file that prints", _start_up("echo Welcome; echo ssh-ed25519 yours >&2")),
    "start-up-moves": Trait("start-up file that changes the folder", _start_up("cd /usr")),
    "start-up-fails": Trait("start-up file that fails", _start_up("false; nonsense-of-its-own")),
    "start-up-exits": Trait("start-up file that ends the shell", _start_up("exit 3")),
    "banner": Trait(
        "a banner before the login, and a message of the day",
        "echo 'Authorized use only' | tee /etc/issue.net > /etc/motd; "
        + _sshd("Banner /etc/issue.net", "PrintMotd yes"),
    ),
    "host-key-ecdsa": Trait(
        "host key ECDSA alone", "rm /etc/ssh/ssh_host_*; " + _host_key("ecdsa", "/etc/ssh/ssh_host_ecdsa_key")
    ),
    "host-key-rsa": Trait(
        "host key RSA alone", "rm /etc/ssh/ssh_host_*; " + _host_key("rsa", "/etc/ssh/ssh_host_rsa_key")
    ),
    "host-key-elsewhere": Trait(
        "host key elsewhere, a stale one in its place",
        "mkdir /etc/keys; " + _host_key("ed25519", "/etc/keys/host"),
    ),
    "host-keys-of-each-kind": Trait(
        "host keys ed25519, ECDSA and RSA",
        "ssh-keygen -A > /dev/null; "
        + _sshd(*(f"HostKey /etc/ssh/ssh_host_{kind}_key" for kind in ("rsa", "ecdsa", "ed25519"))),
    ),
    "root-without-sudo": Trait(
        "the login user is root, and there is no sudo",
        f"install -d -m 0700 /root/.ssh; cp /home/{LOGIN_USER}/.ssh/authorized_keys /root/.ssh/; "
        "chown root:root /root/.ssh/authorized_keys; rm /usr/bin/sudo; " + _sshd("PermitRootLogin prohibit-password"),
    ),
    "sudo-requiretty": Trait("sudo with requiretty", _sudo("Defaults requiretty")),
    "sudo-use-pty": Trait("sudo with use_pty", _sudo("Defaults use_pty")),
    "sudo-log-output": Trait("sudo with log_output", _sudo("Defaults log_output")),
    "sudo-restricted": Trait(
        "sudo for some commands alone",
        "rm /etc/sudoers.d/*; " + _sudo(f"{LOGIN_USER} ALL=(root) NOPASSWD: /usr/bin/apt-get"),
    ),
    "user-of-a-domain": Trait(
        "a login user with dots and a domain",
        "useradd --badname --create-home --shell /bin/bash --password '*' chef.admin@corp.example; "
        f"cp -a /home/{LOGIN_USER}/.ssh /home/chef.admin@corp.example/; "
        "chown -R chef.admin@corp.example /home/chef.admin@corp.example; "
        + _sudo(r"chef.admin\@corp.example ALL=(ALL) NOPASSWD: ALL"),
    ),
    "keys-elsewhere": Trait(
        "AuthorizedKeysFile elsewhere",
        f"mkdir /etc/ssh/keys; mv /home/{LOGIN_USER}/.ssh/authorized_keys /etc/ssh/keys/{LOGIN_USER}; "
        f"chown root:root /etc/ssh/keys/{LOGIN_USER}; chmod 0644 /etc/ssh/keys/{LOGIN_USER}; "
        + _sshd("AuthorizedKeysFile /etc/ssh/keys/%u"),
    ),
    "keys-in-two-files": Trait(
        "AuthorizedKeysFile names two", _sshd("AuthorizedKeysFile /etc/ssh/keys/%u %h/.ssh/authorized_keys")
    ),
    "keys-by-command": Trait(
        "keys come from a command alone",
        f"mv /home/{LOGIN_USER}/.ssh/authorized_keys /etc/ssh/all-keys; chmod 0644 /etc/ssh/all-keys; "
        + _sshd(
            "AuthorizedKeysFile none",
            "AuthorizedKeysCommand /bin/cat /etc/ssh/all-keys",
            "AuthorizedKeysCommandUser nobody",
        ),
    ),
    "keys-by-command-too": Trait(
        "keys come from a command (a directory service), and the user has no file yet",
        f"mv /home/{LOGIN_USER}/.ssh/authorized_keys /etc/ssh/all-keys; chmod 0644 /etc/ssh/all-keys; "
        f"rm -r /home/{LOGIN_USER}/.ssh; "
        + _sshd("AuthorizedKeysCommand /bin/cat /etc/ssh/all-keys", "AuthorizedKeysCommandUser nobody"),
    ),
    "operator-left-out": Trait("AllowUsers without the operator's", _sshd("AllowUsers somebody")),
    "operator-alone": Trait(
        "AllowUsers from the operator's network alone",
        _sshd(f"AllowUsers {LOGIN_USER}@10.8.0.0/24"),
    ),
    "sftp-absent": Trait("no SFTP", _sftp("")),
    "sftp-folder": Trait(
        "SFTP begins in another folder", "chmod 0777 /srv; " + _sftp("Subsystem sftp internal-sftp -d /srv")
    ),
    "umask-077": Trait("umask 077", _start_up("umask 077")),
    "no-lang": Trait("LANG unset", "rm -f /etc/default/locale /etc/environment"),
    "no-hosts": Trait(
        "/etc/hosts is empty, and the name resolves to nothing",
        ": > /etc/hosts; hostname nowhere.invalid; if hostname -f 2> /dev/null; then exit 1; fi",
    ),
    "no-perl": Trait("no perl", "rm -f /usr/bin/perl*"),
    "no-curl": Trait("no curl", "rm /usr/bin/curl"),
    "old-ss": Trait(
        "ss of iproute2 4.3, which has no -H",
        "mv /usr/bin/ss /usr/bin/ss-of-now; "
        + _text("#!/bin/sh", 'case $1 in *H*) exit 255 ;; esac; exec /usr/bin/ss-of-now "$@"')
        + " > /usr/bin/ss; chmod 0755 /usr/bin/ss",
    ),
    "var-noexec": Trait("/var is mounted noexec", noexec="/var"),
    "tmp-noexec": Trait("/tmp is mounted noexec", noexec="/tmp"),  # noqa: S108
    "dns-out": Trait("DNS does not answer, and sshd asks it", f"{_RESOLVER}; {_SILENT}; {_sshd('UseDNS yes')}"),
    "dns-slow": Trait(
        "DNS answers late, and sshd asks it",
        f"{_RESOLVER}; setsid python3 -c {quote(_LATE)} > /dev/null 2>&1 < /dev/null & {_sshd('UseDNS yes')}",
    ),
}
