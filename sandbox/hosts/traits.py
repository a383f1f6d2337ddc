"""What servers have that people have set up themselves: traits that a running host can be given.

Each is a script that root runs on the host, once. Leaves out what needs another kernel, mount or package manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


def _start_up(text: str) -> str:
    """bash reads .bashrc also for a command that comes by SSH."""
    return f"printf '%s\\n' {text!r} > /home/{LOGIN_USER}/.bashrc"


def _sshd(*lines: str, replaces: str = "") -> str:
    """`lines` come first, and so have precedence; `replaces` is a keyword whose own line goes."""
    away = f"sed -i '/^{replaces} /d' {_CONFIG}; " if replaces else ""
    text = "\\n".join(lines)
    return f"{away}printf '{text}\\n' | cat - {_CONFIG} > {_CONFIG}.new; mv {_CONFIG}.new {_CONFIG}; {_RELOAD}"


def _sudo(*lines: str) -> str:
    return "printf '" + "\\n".join(lines) + "\\n' > /etc/sudoers.d/zz-trait; chmod 0440 /etc/sudoers.d/zz-trait"


def _host_key(kind: str) -> str:
    return (
        "rm /etc/ssh/ssh_host_*; "
        f"ssh-keygen -q -t {kind} -N '' -f /etc/ssh/ssh_host_{kind}_key; "
        f"sed -i 's|^HostKey .*|HostKey /etc/ssh/ssh_host_{kind}_key|' {_CONFIG}; {_RELOAD}"
    )


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
    "host-key-ecdsa": Trait("host key ECDSA alone", _host_key("ecdsa")),
    "host-key-rsa": Trait("host key RSA alone", _host_key("rsa")),
    "host-key-elsewhere": Trait(
        "host key elsewhere, a stale one in its place",
        "mkdir /etc/keys; ssh-keygen -q -t ed25519 -N '' -f /etc/keys/host; "
        f"sed -i 's|^HostKey .*|HostKey /etc/keys/host|' {_CONFIG}; {_RELOAD}",
    ),
    "root-without-sudo": Trait(
        "the login user is root, and there is no sudo",
        f"install -d -m 0700 /root/.ssh; cp /home/{LOGIN_USER}/.ssh/authorized_keys /root/.ssh/; "
        f"chown root:root /root/.ssh/authorized_keys; rm /usr/bin/sudo; "
        + _sshd("PermitRootLogin prohibit-password", replaces="PermitRootLogin"),
    ),
    "sudo-requiretty": Trait("sudo with requiretty", _sudo("Defaults requiretty")),
    "sudo-use-pty": Trait("sudo with use_pty", _sudo("Defaults use_pty")),
    "sudo-log-output": Trait("sudo with log_output", _sudo("Defaults log_output")),
    "sudo-restricted": Trait(
        "sudo for some commands alone",
        f"rm /etc/sudoers.d/*; echo '{LOGIN_USER} ALL=(root) NOPASSWD: /usr/bin/apt-get' > /etc/sudoers.d/zz-trait",
    ),
    "user-of-a-domain": Trait(
        "a login user with dots and a domain",
        "useradd --badname --create-home --shell /bin/bash --password '*' chef.admin@corp.example; "
        f"cp -a /home/{LOGIN_USER}/.ssh /home/chef.admin@corp.example/; "
        "chown -R chef.admin@corp.example /home/chef.admin@corp.example; "
        r"printf '%s\n' 'chef.admin\@corp.example ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/zz-trait",
    ),
    "keys-elsewhere": Trait(
        "AuthorizedKeysFile elsewhere",
        f"mkdir /etc/ssh/keys; mv /home/{LOGIN_USER}/.ssh/authorized_keys /etc/ssh/keys/{LOGIN_USER}; "
        f"chown root:root /etc/ssh/keys/{LOGIN_USER}; chmod 0644 /etc/ssh/keys/{LOGIN_USER}; "
        + _sshd("AuthorizedKeysFile /etc/ssh/keys/%%u"),
    ),
    "keys-in-two-files": Trait(
        "AuthorizedKeysFile names two", _sshd("AuthorizedKeysFile /etc/ssh/keys/%%u %%h/.ssh/authorized_keys")
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
