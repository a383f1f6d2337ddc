"""The deploy that pyinfra runs, once for each host; see `pyinfra_.py`."""

from piped import ROUNDS, TOLD, piped
from pyinfra import host

for each in host.loop(ROUNDS):
    task = each["tasks"].get(host.name)
    done = piped(task, name=each["step"], _if=lambda mine=task: mine is not None)
    if task and task["tells"]:
        TOLD[host.name] = done
