"""What chef-ha's stand-in does where both machines act at once."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from sandbox.packages.host import aws
from sandbox.packages.host.files import StandinError

OWN = "i-own"


def ec2(refusal: str, holder_after: str) -> Callable[[str, dict[str, str]], ET.Element]:
    """An EC2 that refuses to detach the volume from this machine, and who has it then."""
    holder = [OWN]

    def ask(action: str, parameters: dict[str, str]) -> ET.Element:
        if action == "DetachVolume":
            holder[0] = holder_after
            raise StandinError(refusal)
        found = ET.Element("DescribeVolumesResponse")
        item = ET.SubElement(ET.SubElement(found, "attachmentSet"), "item")
        ET.SubElement(item, "instanceId").text = holder[0]
        return found

    return ask


@pytest.mark.parametrize("other", ["", "i-other"], ids=["nobody-has-it-yet", "the-new-master-has-it"])
def test_who_gives_the_volume_up_is_content_where_the_new_master_was_faster(
    monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setattr(aws, "_ask", ec2("Volume 'vol-1' is in the 'available' state.", other))
    aws.Machine(OWN, "vol-1", "/dev/xvdf").give_volume()


def test_a_refusal_is_told_where_the_volume_is_still_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "_ask", ec2("UnauthorizedOperation", OWN))
    with pytest.raises(StandinError, match="UnauthorizedOperation"):
        aws.Machine(OWN, "vol-1", "/dev/xvdf").give_volume()
