"""The resource types of pulumi-command 1.2.1, and what create, update and delete run.

Local commands and CopyFile, which is deprecated, are refused.
"""

from __future__ import annotations

import secrets
import sys
from types import ModuleType

from sandbox.plugins.framework.table import Call, Failure, Input, Plugin, ResourceType
from sandbox.plugins.framework.values import Archive, Asset, Values, same

SERVER = {
    "host": Input(str, required=True),
    "port": Input(float, default=22),
    "user": Input(str, default="root"),
    "password": Input(str, secret=True),
    "privateKey": Input(str, secret=True),
    "privateKeyPassword": Input(str, secret=True),
    "agentSocketPath": Input(str),
    "dialErrorLimit": Input(int, default=10),
    "perDialTimeout": Input(int, default=15),
    "hostKey": Input(str),
}
CONNECTION = Input(dict, required=True, secret=True, fields=SERVER | {"proxy": Input(dict, fields=SERVER)})
TRIGGERS = Input(list, replaces=True)
SHOWN = {  # for `logging`; any other word is also accepted, and logs nothing
    "stdout": frozenset({"stdout"}),
    "stderr": frozenset({"stderr"}),
    "stdoutAndStderr": frozenset({"stdout", "stderr"}),
    "none": frozenset[str](),
}


def ssh_loop() -> ModuleType:
    """`ssh_loop.py`, imported with the first connection: most runs need none, and the import takes 0.5 s."""
    from sandbox.plugins.command import ssh_loop as module  # noqa: PLC0415 - see above

    return module


def run(call: Call, command: str, inputs: Values, previous: Values) -> Values:
    """Runs one of the resource's commands with these inputs; returns the outputs."""
    carried: dict[str, str] = {}
    if inputs.get("addPreviousOutputInEnv", True):
        names = {"PULUMI_COMMAND_STDOUT": "stdout", "PULUMI_COMMAND_STDERR": "stderr"}
        carried = {variable: previous[name] for variable, name in names.items() if previous.get(name)}
    execution = ssh_loop().Execution(
        command=command,
        stdin=inputs.get("stdin", ""),
        environment=inputs.get("environment", {}),
        optional_environment=carried,
        shown=SHOWN.get(inputs.get("logging", "stdoutAndStderr"), frozenset()),
    )
    stdout, stderr = ssh_loop().execute(call, inputs["connection"], execution)
    return {"stdout": stdout.removesuffix("\n"), "stderr": stderr.removesuffix("\n")}


def new_id(name: str) -> str:
    return name + secrets.token_hex(4)


def create_command(call: Call) -> tuple[str, Values]:
    outputs: Values = {"stdout": "", "stderr": ""}
    if call.inputs.get("create") is not None:
        outputs = run(call, call.inputs["create"], call.inputs, {})
    return new_id(call.name), outputs


def update_command(call: Call) -> Values:
    command = call.inputs.get("update", call.inputs.get("create"))
    return {} if command is None else run(call, command, call.inputs, call.state)


def delete_command(call: Call) -> None:
    if call.state.get("delete") is not None:
        run(call, call.state["delete"], call.state, call.state)


def create_copy(call: Call) -> tuple[str, Values]:
    copy(call)
    return new_id(""), {}


def update_copy(call: Call) -> Values:
    if not all(same(call.inputs[key], call.state.get(key)) for key in ("source", "remotePath")):
        copy(call)
    return {}


def copy(call: Call) -> None:
    ssh_loop().copy(call, call.inputs["connection"], call.inputs["source"], call.inputs["remotePath"])


def check_copy(values: Values) -> list[Failure]:
    match values["source"]:
        case Asset(uri=None) | Archive(uri=None, assets=None):
            return []
        case Asset():
            return [Failure("asset", "asset must be a path-based file asset or a text asset")]
        case Archive():
            return [Failure("archive", "archive must be a path to a file or directory")]
    # As in 1.2.1, an asset that is only known after a preview is refused in the preview.
    return [Failure("asset", "either asset or archive must be set")]


RESOURCES = (
    ResourceType(
        "command:remote:Command",
        inputs={
            "connection": CONNECTION,
            "create": Input(str),
            "update": Input(str),
            "delete": Input(str),
            "triggers": TRIGGERS,
            "environment": Input(dict, each=Input(str)),
            "stdin": Input(str),
            "logging": Input(str),
            "addPreviousOutputInEnv": Input(bool),
        },
        outputs=("stdout", "stderr"),
        volatile=("stdout", "stderr"),
        create=create_command,
        update=update_command,
        delete=delete_command,
        nested_replaces=False,  # a change inside triggers is an update here: the SDK asks for the replacement
        preview_id=new_id,  # as in the official one: a preview's id is known, and differs in the run
    ),
    ResourceType(
        "command:remote:CopyToRemote",
        inputs={
            "connection": CONNECTION,
            "source": Input((Asset, Archive), required=True),
            "remotePath": Input(str, required=True),
            "triggers": TRIGGERS,
        },
        create=create_copy,
        update=update_copy,
        check=check_copy,
        nested_replaces=False,
    ),
)
REFUSED = {
    "command:local:Command": "it would run on this machine; use command:remote:Command",
    "command:local:run": "it would run on this machine; use command:remote:Command",
    "command:remote:CopyFile": "it is deprecated; use command:remote:CopyToRemote",
}


def cancel() -> None:
    if "sandbox.plugins.command.ssh_loop" in sys.modules:
        ssh_loop().cancel()


def explain(error: Exception) -> str | None:
    """The message for an error of the network; None for a bug in this plugin."""
    return str(error) if isinstance(error, ssh_loop().DIAL_ERRORS) else None


PLUGIN = Plugin(
    name="command",
    version="1.2.1",
    resources=RESOURCES,
    refused=REFUSED,
    handshake=False,
    cancel=cancel,
    explain=explain,
)
