"""A picture of a plan as JSON, for programs. Pure.

The shape, on one object:
    stack, topology   their names
    lanes    [{"name": that of its first server, "title": …, "servers": [name, …]}]
    steps    [{"name": unique, "runbook": "chef", "push-jobs" or "" for connect, "step": …,
             "number": line of docs/runbook.md or null,
             "reasons": [{"after": waits for it, "again": runs again with it, "step": …, "servers": …, "text": …}]}]
    tasks    [{"step": name, "lane": name, "changed": runs in the pending preview; null if there is none}]
    links    [{"from": {"step": …, "lane": …}, "to": {…}, "after": …, "again": …, "reasons": [text, …]}]
"""

from __future__ import annotations

import json

from chef_push_jobs.cli.plan.picture import Picture
from chef_push_jobs.runbook.plan import TaskId


def render(picture: Picture) -> str:
    order = {row.name: at for at, row in enumerate(picture.rows)}
    lanes = {lane.name: at for at, lane in enumerate(picture.lanes)}
    tasks = sorted(picture.tasks, key=lambda key: (order[key.log_name], lanes[key.server]))
    document = {
        "stack": picture.stack,
        "topology": picture.kind,
        "lanes": [{"name": lane.name, "title": lane.title, "servers": lane.servers} for lane in picture.lanes],
        "steps": [
            {
                "name": row.name,
                "runbook": row.runbook,
                "step": row.step,
                "number": row.number,
                "reasons": [
                    {"after": one.waits, "again": one.reruns, "step": one.step, "servers": one.where, "text": one.text}
                    for one in row.reasons
                ],
            }
            for row in picture.rows
        ],
        "tasks": [
            {**_place(key), "changed": None if picture.changed is None else key in picture.changed} for key in tasks
        ],
        "links": [
            {
                "from": _place(link.source),
                "to": _place(link.target),
                "after": link.waits,
                "again": link.reruns,
                "reasons": link.reasons,
            }
            for link in picture.links
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _place(key: TaskId) -> dict[str, str]:
    return {"step": key.log_name, "lane": key.server}
