"""The limit: executes a work order over one persistent connection per server, without state or engine.

python -m bench.ideal ORDER.json
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncssh

from bench.order import Order, Task, filled, from_json, printed_key
from sandbox.helped import help_if_asked


async def carry_out(order: Order) -> None:
    """Starts each task as soon as its dependencies are done. Raises RuntimeError for a command that fails."""
    connections = dict(zip((s.name for s in order.servers), await asyncio.gather(*_connect(order)), strict=True))
    keys: dict[str, str] = {}
    done = {task.id: asyncio.Event() for task in order.tasks}

    async def run(task: Task) -> None:
        for earlier in task.after:
            await done[earlier].wait()
        result = await connections[task.server].run(task.command, input=filled(task.stdin, keys))
        if result.exit_status != 0:
            raise RuntimeError(f"{task.id}: exit status {result.exit_status}: {result.stderr!r}")
        if task.tells:
            keys[task.server] = printed_key(str(result.stdout))
        done[task.id].set()

    async with asyncio.TaskGroup() as group:
        for task in order.tasks:
            group.create_task(run(task))
    for connection in connections.values():
        connection.close()


def _connect(order: Order) -> list[asyncio.Future[asyncssh.SSHClientConnection]]:
    return [
        asyncio.ensure_future(
            asyncssh.connect(
                server.address, port=order.port, username=order.user, known_hosts=str(order.known_hosts), config=None
            )
        )
        for server in order.servers
    ]


if __name__ == "__main__":
    help_if_asked(__doc__)
    asyncio.run(carry_out(from_json(Path(sys.argv[1]).read_text())))
