"""What the scripts have in common: their places on a server, files that are written whole, scripts in turn."""

from __future__ import annotations

HOME = "/var/lib/chef-rollout"
LOGS = "/var/log/chef-rollout"
RUNNER = f"{HOME}/task"
SHARER = f"{HOME}/shared-files"
MARK = "chef-rollout"


def executable(path: str, content: str) -> list[str]:
    return file(path, content, "0700")


def file(path: str, content: str, mode: str) -> list[str]:
    """Lines that write `content` to `path` at once or not at all."""
    return [
        f"cat > {path}.new <<'END-OF-FILE'",
        content.rstrip("\n"),
        "END-OF-FILE",
        f"chmod {mode} {path}.new",
        f"mv {path}.new {path}",
    ]


def in_turn(*scripts: str) -> str:
    """One script of several: each may end itself, and the next one comes only if it went well."""
    if len(scripts) == 1:
        return scripts[0]
    return "\n".join(["set -eu", *(f"(\n{script})" for script in scripts), ""])
