"""SSH public keys as OpenSSH lines, and their fingerprints. Pure."""

from __future__ import annotations

import base64
import hashlib
import re

# A server is identified by the first of these that it has.
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
KIND = rf"({'|'.join(KINDS)})"
# An RSA key of 16384 bits, the longest that OpenSSH makes, has 2,744 characters.
KEY = rf"{KIND} [A-Za-z0-9+/]{{16,2800}}={{0,2}}"
FINGERPRINT = r"SHA256:[A-Za-z0-9+/]{43}"
_PRINTED = re.compile(rf"(?P<key>{KEY})( [ -~]{{0,200}})?")


def printed_keys(output: str) -> list[str]:
    """The public keys in a server's output, without comments. A login shell may print other text before them."""
    found = (_PRINTED.fullmatch(line.rstrip("\r")) for line in output.splitlines())
    return [line["key"] for line in found if line and _content(line["key"])]


def printed_host_keys(output: str) -> list[str]:
    """The host keys in a server's output, the one that identifies it first."""
    return sorted(printed_keys(output), key=lambda key: KINDS.index(key.split()[0]))


def is_whole(key: str) -> bool:
    """Whether a key's content is complete, and of the type that its line names: parts, each after its length."""
    content = _content(key)
    parts: list[bytes] = []
    while len(content) >= 4:
        size = 4 + int.from_bytes(content[:4])
        if size > len(content):
            break
        parts.append(content[4:size])
        content = content[size:]
    return not content and len(parts) > 1 and parts[0] == key.split(maxsplit=1)[0].encode()


def _content(key: str) -> bytes:
    """Empty if it cannot be decoded."""
    text = key.split()[1].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def fingerprint(key: str) -> str:
    """As `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(_content(key)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def is_fingerprint(wanted: str) -> bool:
    return wanted.startswith("SHA256:")


def is_of(wanted: str, key: str) -> bool:
    """Whether `wanted`, a key or a fingerprint, matches `key`."""
    return wanted == (fingerprint(key) if is_fingerprint(wanted) else key)


def known_by(wanted: str) -> str:
    """The fingerprint of a key that is given as a key or as a fingerprint."""
    return wanted if is_fingerprint(wanted) else fingerprint(wanted)
