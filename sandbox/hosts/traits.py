"""What servers have that people have set up themselves: traits that a running host can be given.

Each is a script that root runs on the host, once. Leaves out what needs another kernel, mount or package manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from sandbox.hosts.root_image import LOGIN_USER

# A sshd that reads its settings again turns connections away for a moment: a new one, and it listens.
_LISTENS = "ss -Hltn 'sport = :22' | grep -q ."
_RELOAD = (
    f"kill $(pgrep -o -x sshd); while {_LISTENS}; do sleep 0.05; done; "
    "setsid /usr/sbin/sshd -D -E /var/log/sshd.log > /dev/null 2>&1 < /dev/null & "
    f"until {_LISTENS}; do sleep 0.05; done"
)
_CONFIG = "/etc/ssh/sshd_config"


@dataclass(frozen=True)
class Trait:
    """`title` is for people; `script` makes a host of it."""

    title: str
    script: str


def _shell(path: str) -> str:
    return f"usermod --shell {path} {LOGIN_USER}"


def _text(*lines: str) -> str:
    return " ".join(["printf", quote("%s\\n"), *map(quote, lines)])


def _start_up(line: str) -> str:
    """bash reads .bashrc also for a command that comes by SSH."""
    return f"{_text(line)} > /home/{LOGIN_USER}/.bashrc"


def _sshd(*lines: str) -> str:
    """`lines` come first, and so have precedence."""
    return f"{_text(*lines)} | cat - {_CONFIG} > {_CONFIG}.new; mv {_CONFIG}.new {_CONFIG}; {_RELOAD}"


def _sudo(line: str) -> str:
    return f"{_text(line)} > /etc/sudoers.d/zz-trait; chmod 0440 /etc/sudoers.d/zz-trait"


def _host_key(kind: str, file: str) -> str:
    """One that sshd shows in place of all others."""
    made = f"ssh-keygen -q -t {kind} -N '' -f {file}"
    return f"{made}; sed -i 's|^HostKey .*|HostKey {file}|' {_CONFIG}; {_RELOAD}"


TRAITS: Mapping[str, Trait] = {
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
        "a banner before the login", "echo 'Authorized use only' > /etc/issue.net; " + _sshd("Banner /etc/issue.net")
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
    "operator-alone": Trait(
        "AllowUsers from the operator's network alone",
        _sshd(f"AllowUsers {LOGIN_USER}@10.8.0.0/24"),
    ),
    "umask-077": Trait("umask 077", _start_up("umask 077")),
    "no-hosts": Trait(
        "/etc/hosts is empty, and the name resolves to nothing", ": > /etc/hosts; hostname nowhere.invalid"
    ),
    "no-perl": Trait("no perl", "rm -f /usr/bin/perl*"),
}
