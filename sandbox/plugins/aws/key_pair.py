"""EC2 key pair, from a public key in the program."""

from __future__ import annotations

from sandbox.plugins.aws.api import API, found_tags, retag, specified
from sandbox.plugins.aws.kind import Kind, generated_name
from sandbox.plugins.aws.lookup import described
from sandbox.plugins.framework.table import Call, Input
from sandbox.plugins.framework.values import Values


def make_key(call: Call) -> str:
    given = call.inputs
    answer = API.ec2.import_key_pair(
        KeyName=given["keyName"], PublicKeyMaterial=given["publicKey"].encode(), **specified(call, "key-pair")
    )
    return str(answer["KeyName"])


def change_key(call: Call) -> None:
    retag(call, call.state["keyPairId"])


def find_key(call: Call, identity: str) -> Values | None:
    key = described("describe_key_pairs", "KeyPairs", KeyNames=[identity], IncludePublicKey=True)
    if key is None:
        return None
    public_key = {"publicKey": key["PublicKey"].strip()} if key.get("PublicKey") else {}
    return {
        "arn": API.arn(f"key-pair/{identity}"),
        "keyName": key["KeyName"],
        "keyPairId": key["KeyPairId"],
        "keyType": key.get("KeyType", ""),
        "fingerprint": key["KeyFingerprint"],
        **public_key,
        **found_tags(call, key.get("Tags")),
    }


KEY_PAIR = Kind(
    "aws:ec2/keyPair:KeyPair",
    noun="EC2 Key Pair",
    inputs={
        "keyName": Input(str, default=generated_name, replaces=True),
        "publicKey": Input(str, required=True, replaces=True),
    },
    outputs=("arn", "keyPairId", "keyType", "fingerprint"),
    named="keyName",
    normal={"publicKey": str.strip},
    make=make_key,
    find=find_key,
    change=change_key,
    remove=lambda call: API.ec2.delete_key_pair(KeyName=call.id),
)
