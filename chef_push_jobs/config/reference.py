"""docs/settings.md, from the settings themselves: a table per section, then the rules about several settings. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from chef_push_jobs.config.editor_schema import Keys, Schema, resolved
from chef_push_jobs.config.setting_list import Setting, settings
from chef_push_jobs.config.settings import FOR_NEW_MACHINES
from chef_push_jobs.model.flows import RESERVED
from chef_push_jobs.model.topology import SHAPES

HEAD = """# Settings

`chef-push-jobs docs` writes this page from `chef_push_jobs/config/stack_config.py`: make changes there.

The settings of a stack are in `stacks/Pulumi.STACK.yaml` under `config:`, with `{project}:` before each name. Editors
with yaml-language-server complete and check them, using `stacks/schema.json`. To list the settings of a stack and all
mistakes in them:

```sh
export STACK=production
chef-push-jobs check --stack "$STACK"
```

A path like `ssh.user` means the key `user` inside `{project}:ssh`. To set a single one, run
`pulumi config set --path {project}:ssh.user NAME`. Set `ssh.privateKey` in the same way with `--secret`. No other
setting may be a secret, because the others are sent to the servers and to AWS and stored in the state unencrypted.
"""


def render(project: str, keys: Keys, limits: Mapping[str, Mapping[str, int]]) -> str:
    """`limits` are the time limits of each step in seconds, by runbook and step."""
    found = settings(keys)
    lines = [HEAD.format(project=project)]
    for section in dict.fromkeys(one.section for one in found):
        own = [one for one in found if one.section == section]
        lines += _table(section, resolved()["properties"].get(section, {}), own)
    return "\n".join([*lines, *_joined(), *_limits(limits)]) + "\n"


def _table(section: str, schema: Schema, own: Sequence[Setting]) -> Iterator[str]:
    if section:
        yield from (f"## `{section}`", "", str(schema.get("description", "")), "")
    else:
        yield from ("## The stack", "")
    yield from ("| setting | type | default | meaning | rule |", "|---|---|---|---|---|")
    for one in own:
        default = _default(one)
        kind = f"{one.kind}, a secret" if one.secret else one.kind
        yield (
            "| "
            + " | ".join(_cell(text) for text in (f"`{one.path}`", kind, default, one.description, one.rule))
            + " |"
        )
    yield ""


def _default(setting: Setting) -> str:
    if setting.needed:
        return "**required**" if setting.needed == "always" else f"required in `{setting.needed}`"
    if setting.default in (None, "", {}, []):
        return ""
    return f"`{setting.default if isinstance(setting.default, str) else json.dumps(setting.default)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _joined() -> Iterator[str]:
    yield from ("## Topologies, ports and time limits", "", "| topology | servers |", "|---|---|")
    yield from (f"| `{kind}` | {shape} |" for kind, shape in SHAPES.items())
    yield from ("", "These settings only apply to machines that the stack creates, not to existing servers:")
    yield ", ".join(f"`{name}`" for name in FOR_NEW_MACHINES) + "."
    yield from (
        "",
        "Chef server uses these ports itself, so push jobs and SSH cannot:",
        "",
        "| port | used for |",
        "|---|---|",
    )
    yield from (f"| {port} | {reason} |" for port, reason in sorted(RESERVED.items()))


def _limits(limits: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield from ("", "Default time limits of the steps on one server, in seconds (change them with `timeLimits`):", "")
    yield from ("| step | Chef server | push jobs |", "|---|---|---|")
    for step in dict.fromkeys(step for runbook in limits.values() for step in runbook):
        yield f"| `{step}` | " + " | ".join(str(runbook.get(step, "")) for runbook in limits.values()) + " |"
