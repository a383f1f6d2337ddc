"""`ha-backend-ip attach|detach`, for cluster.sh: the backends' address; with the provider aws in the cloud too.

There the data volume moves with it.
"""

from __future__ import annotations

import sys

from . import aws, keepalived, vip
from .chef_server import RUNNING
from .files import StandinError, read_json


def main(arguments: list[str]) -> int:
    chef = read_json(RUNNING)["private_chef"]
    address, device = chef["backend_vips"]["ipaddress"], chef["keepalived"]["vrrp_instance_ipaddress_dev"]
    try:
        machine = aws.Machine.here(chef["ha"]) if keepalived.is_on_aws(chef) else None
        if arguments == ["attach"]:
            if machine:
                machine.take(address)
            vip.attach(address, device)
        elif arguments == ["detach"]:
            vip.detach(address)
            if machine:
                machine.give()
        else:
            raise StandinError("usage: ha-backend-ip attach|detach")
    except StandinError as error:
        print(f"ha-backend-ip: {error}", file=sys.stderr)
        return error.status
    return 0
