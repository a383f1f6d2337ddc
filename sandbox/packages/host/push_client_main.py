"""`pushy-client -c /etc/chef/push-jobs-client.rb`: runs until it is ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from . import chef_client_config
from .files import StandinError
from .push_client import PushClient, stop_at_signals


def log(message: str) -> None:
    print(f"[{time.strftime('%Y-%m-%dT%H:%M:%S+00:00', time.gmtime())}] INFO: {message}", flush=True)


def main(arguments: Sequence[str]) -> int:
    if list(arguments[:1]) != ["-c"] or len(arguments) != 2:
        print("usage: pushy-client -c FILE", file=sys.stderr)
        return 2
    try:
        config = chef_client_config.read(arguments[1])
    except StandinError as error:
        print(f"FATAL: {error}", file=sys.stderr)
        return 1
    client = PushClient(config.api(), config.org, config.name, config.private, config.whitelist, log=log)
    stop_at_signals(client)
    client.run()
    return 0
