"""RSA with PKCS#1 v1.5 padding, as Chef's protocols use it: they sign bare bytes and digests, and encrypt session keys.

By OpenSSL's library, because its command would be started for each request. Keys are made by that: `keys.py`.
"""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import hashlib
import secrets
from dataclasses import dataclass
from functools import lru_cache

from .files import StandinError

INTEGER, BITS, SEQUENCE = 0x02, 0x03, 0x30
DIGEST_INFO = {  # RFC 8017, 9.2
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
}


@dataclass(frozen=True)
class Key:
    """`d` is 0 in a public key."""

    n: int
    e: int
    d: int

    @property
    def size(self) -> int:
        return (self.n.bit_length() + 7) // 8


@lru_cache(maxsize=256)
def key(pem: str) -> Key:
    """Of a private key (PKCS#1 or #8) or a public one (PKCS#1 or SubjectPublicKeyInfo). Raises StandinError."""
    lines = pem.strip().splitlines()
    try:
        kind, body = lines[0].strip("-"), base64.b64decode("".join(lines[1:-1]))
        numbers = _integers(_inner(body, kind))
    except (IndexError, ValueError) as error:
        raise StandinError(f"no RSA key in PEM: {error}") from None
    return Key(numbers[1], numbers[2], numbers[3]) if "PRIVATE" in kind else Key(numbers[0], numbers[1], 0)


def _inner(der: bytes, kind: str) -> bytes:
    """The sequence of integers, taken out of the wrapping that names the algorithm."""
    if kind in ("BEGIN RSA PRIVATE KEY", "BEGIN RSA PUBLIC KEY"):
        return der
    fields = _items(_items(der)[0][1])
    wrapped = fields[1] if kind == "BEGIN PUBLIC KEY" else fields[2]
    return wrapped[1][1:] if wrapped[0] == BITS else wrapped[1]


def _integers(der: bytes) -> list[int]:
    return [int.from_bytes(value, "big") for tag, value in _items(_items(der)[0][1]) if tag == INTEGER]


def _items(der: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(der[at : at + count], "big"), at + count
        found.append((tag, der[at : at + length]))
        at += length
    return found


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
    for name in ("BN_new", "BN_CTX_new", "BN_bin2bn"):
        getattr(library, name).restype = ctypes.c_void_p
    return library


def _power(base: int, exponent: int, modulus: int) -> int:
    """Python's own pow takes 30 times as long."""
    library, made = _library(), []

    def number(value: int) -> ctypes.c_void_p:
        raw = value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")
        made.append(ctypes.c_void_p(library.BN_bin2bn(raw, len(raw), None)))
        return made[-1]

    context, result = ctypes.c_void_p(library.BN_CTX_new()), number(0)
    library.BN_mod_exp(result, number(base), number(exponent), number(modulus), context)
    size = (modulus.bit_length() + 7) // 8
    raw = ctypes.create_string_buffer(size)
    library.BN_bn2binpad(result, raw, size)
    for each in made:
        library.BN_clear_free(each)
    library.BN_CTX_free(context)
    return int.from_bytes(raw.raw, "big")


def sign(private: str, data: bytes) -> bytes:
    """Bare bytes, as OpenSSL's private_encrypt."""
    own = key(private)
    padded = b"\x00\x01" + b"\xff" * (own.size - 3 - len(data)) + b"\x00" + data
    return _power(int.from_bytes(padded, "big"), own.d, own.n).to_bytes(own.size, "big")


def recover(public: str, signature: bytes) -> bytes:
    """The bytes that were signed; nothing where it is no signature of this key."""
    theirs = key(public)
    padded = _power(int.from_bytes(signature, "big"), theirs.e, theirs.n).to_bytes(theirs.size, "big")
    filler, found, data = padded[2:].partition(b"\x00")
    return data if found and padded[:2] == b"\x00\x01" and not filler.strip(b"\xff") else b""


def sign_digest(private: str, message: bytes, name: str = "sha1") -> bytes:
    return sign(private, DIGEST_INFO[name] + hashlib.new(name, message).digest())


def encrypt(public: str, data: bytes) -> bytes:
    theirs = key(public)
    filler = bytes(secrets.randbelow(255) + 1 for _ in range(theirs.size - 3 - len(data)))
    padded = b"\x00\x02" + filler + b"\x00" + data
    return _power(int.from_bytes(padded, "big"), theirs.e, theirs.n).to_bytes(theirs.size, "big")


def decrypt(private: str, data: bytes) -> bytes:
    own = key(private)
    padded = _power(int.from_bytes(data, "big"), own.d, own.n).to_bytes(own.size, "big")
    return padded[2:].partition(b"\x00")[2]
