"""The EC2 API as chef-ha uses it: the backends' address and the data volume, moved to this machine.

Credentials are those of the machine's role, from its metadata (IMDSv2). The API is asked at the link-local address that
the sandbox's cloud offers; on AWS it has one of its own, and checks the signature that is left out here.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

from .files import StandinError

ADDRESS = "http://169.254.169.254"
SECONDS = 30.0
CREDENTIALS = "iam/security-credentials/"


def _open(method: str, path: str, headers: dict[str, str], form: bytes | None = None) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"{ADDRESS}{path}", data=form, headers=headers, method=method)  # noqa: S310 - http
    with opener.open(request, timeout=SECONDS) as answer:
        return str(answer.read().decode())


def _metadata(path: str) -> str:
    try:
        token = _open("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        return _open("GET", f"/latest/meta-data/{path}", {"X-aws-ec2-metadata-token": token})
    except urllib.error.HTTPError as error:
        raise StandinError(f"metadata {path}: {error.read().decode() or error.reason}") from None
    except OSError as error:
        raise StandinError(f"metadata {path}: {error}") from None


def _ask(action: str, parameters: dict[str, str]) -> ET.Element:
    """One request to the EC2 API; a StandinError is what it refused, and why."""
    role = _metadata(CREDENTIALS)
    keys = json.loads(_metadata(f"{CREDENTIALS}{role}"))
    form = urllib.parse.urlencode({"Action": action, "Version": "2016-11-15", **parameters})
    scope = f"{keys['AccessKeyId']}/{time.strftime('%Y%m%d')}/ec2/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}", "X-Amz-Security-Token": keys["Token"]}
    try:
        answer = _open("POST", "/", headers, form.encode())
    except urllib.error.HTTPError as error:
        raise StandinError(f"{action}: {error.read().decode()}") from None
    except OSError as error:
        raise StandinError(f"{action}: {error}") from None
    return _without_namespaces(ET.fromstring(answer))  # noqa: S314 - the sandbox's own cloud


def _without_namespaces(root: ET.Element) -> ET.Element:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _text(element: ET.Element, path: str) -> str:
    return element.findtext(path) or ""


@dataclass(frozen=True)
class Machine:
    """This machine, by its instance id, and the cluster's data volume."""

    id: str
    volume: str
    device: str

    @classmethod
    def here(cls, ha: dict[str, Any]) -> Machine:
        return cls(_metadata("instance-id"), str(ha["ebs_volume_id"]), str(ha["ebs_device"]))

    def take_address(self, address: str) -> None:
        """Have it, whoever has it: also from a machine that is dead."""
        found = _ask("DescribeInstances", {"InstanceId.1": self.id})
        interface = _text(found, ".//networkInterfaceSet/item/networkInterfaceId")
        moved = {"NetworkInterfaceId": interface, "PrivateIpAddress.1": address, "AllowReassignment": "true"}
        _ask("AssignPrivateIpAddresses", moved)

    def take_volume(self) -> None:
        """Have it, whoever has it: also from a machine that is dead."""
        holder = self._holder()
        if holder == self.id:
            return
        if holder:
            self._detach(holder)
        _ask("AttachVolume", {"VolumeId": self.volume, "InstanceId": self.id, "Device": self.device})

    def has_volume(self) -> bool:
        return self._holder() == self.id

    def give_volume(self) -> None:
        if self._holder() == self.id:
            self._detach(self.id)

    def _detach(self, holder: str) -> None:
        """In a failover both machines ask for it: who comes second is refused, and has what it asked for."""
        try:
            _ask("DetachVolume", {"VolumeId": self.volume, "InstanceId": holder})
        except StandinError:
            if self._holder() == holder:
                raise
        deadline = time.monotonic() + SECONDS
        while self._holder() == holder:
            if time.monotonic() > deadline:
                raise StandinError(f"{self.volume} is not detached from {holder} after {SECONDS:.0f} s")
            time.sleep(0.2)

    def _holder(self) -> str:
        """The machine that the volume is attached to, or nothing."""
        found = _ask("DescribeVolumes", {"VolumeId.1": self.volume})
        return _text(found, ".//attachmentSet/item/instanceId")
