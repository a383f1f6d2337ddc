"""RSA keys, made by the openssl command; and random passwords."""

from __future__ import annotations

import secrets
import subprocess

from .files import StandinError


def hexadecimal(length: int) -> str:
    """`length` random hexadecimal digits."""
    return secrets.token_hex((length + 1) // 2)[:length]


def private_key() -> str:
    """A new RSA key of 2048 bits, PEM as Ruby's OpenSSL writes it."""
    return _openssl(["genrsa", "-traditional", "2048"], "")


def public_key(private: str) -> str:
    return _openssl(["rsa", "-pubout"], private)


def _openssl(arguments: list[str], stdin: str) -> str:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StandinError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
