"""RSA keys and signatures, by the openssl command. Keys reach it through unnamed memory, never by file or argument."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
from contextlib import ExitStack
from pathlib import Path

from .files import StandinError


def hexadecimal(length: int) -> str:
    """`length` random hexadecimal digits."""
    return secrets.token_hex((length + 1) // 2)[:length]


def private_key() -> str:
    """A new RSA key of 2048 bits, PEM as Ruby's OpenSSL writes it."""
    return _openssl(["genrsa", "-traditional", "2048"], b"")


def public_key(private: str) -> str:
    return _openssl(["rsa", "-pubout"], private.encode())


def fingerprint(public: str) -> str:
    return hashlib.sha256(public.strip().encode()).hexdigest()


def sign(private: str, message: bytes) -> str:
    """The RSA signature of SHA-256 over `message`, hexadecimal."""
    return _openssl(["dgst", "-sha256", "-hex", "-sign", "{key}"], message, key=private).rsplit("= ", 1)[1].strip()


def verifies(public: str, message: bytes, signature: str) -> bool:
    try:
        raw = bytes.fromhex(signature)
        _openssl(
            ["dgst", "-sha256", "-verify", "{key}", "-signature", "{signature}"], message, key=public, signature=raw
        )
    except (StandinError, ValueError):
        return False
    return True


def _openssl(arguments: list[str], stdin: bytes, **parameters: str | bytes) -> str:
    """Run openssl; `{name}` in an argument becomes the path of an unnamed file that holds that parameter."""
    with ExitStack() as stack:
        paths = {}
        for name, content in parameters.items():
            handle = os.memfd_create(name)
            stack.callback(os.close, handle)
            os.write(handle, content.encode() if isinstance(content, str) else content)
            paths[name] = f"/proc/self/fd/{handle}"
        command = ["openssl", *(argument.format_map(paths) for argument in arguments)]
        handles = [int(Path(path).name) for path in paths.values()]
        done = subprocess.run(command, input=stdin, capture_output=True, pass_fds=handles, check=False)
    if done.returncode != 0:
        raise StandinError(f"openssl {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()
