"""PostgreSQL as Chef's cookbooks set it up: its cluster, users with passwords, databases.

The superuser of the cluster is the system user of the same name, by the local socket; others come by TCP with a
password. Sources: private-chef cookbook, recipes/postgresql.rb, libraries/ec_postgres.rb, providers/pg_user.rb.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2 import sql

from .files import StandinError, directory, write

SUPERUSER = "opscode-pgsql"
SOCKETS = "/run/postgresql"
TEMPLATE = "/usr/lib/chef-sandbox/postgresql"  # an empty cluster, made with the system of the hosts
RUN = """#!/bin/sh
exec 2>&1
install -d -o {user} {sockets}
{check}
exec chpst -P -L {data}/mounted.lock -U {user} -u {user} /opt/opscode/embedded/bin/postgres -D {data}
"""
# In ha: where the volume is no more, the data must be left alone.
CHECK = "/opt/opscode/embedded/bin/ha_backend_storage status || exit 1"
TERM = """#!/bin/sh
# Clients that stay connected do not hold it up.
exec /opt/opscode/embedded/bin/sv int /opt/opscode/service/postgresql
"""
CONFIGURATION = """# Small, and without care for the disk: hosts of the sandbox have none.
listen_addresses = '{listen}'
port = {port}
unix_socket_directories = '{sockets}'
max_connections = 100
password_encryption = md5
shared_buffers = 16MB
fsync = off
full_page_writes = off
synchronous_commit = off
jit = off
autovacuum = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 32MB
min_wal_size = 2MB
dynamic_shared_memory_type = mmap
log_destination = stderr
logging_collector = off
lc_messages = C
"""
SECONDS = 20.0


def account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SUPERUSER)
    except KeyError:
        raise StandinError(f"there is no user {SUPERUSER}") from None


def make_cluster(data: str) -> None:
    """The empty cluster in `data`, unless one is there: whole or not at all."""
    if os.path.exists(f"{data}/PG_VERSION"):
        return
    new, owner = f"{data}.new", account()
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(os.path.dirname(data), exist_ok=True)
    shutil.copytree(TEMPLATE, new, symlinks=True)
    for folder, _, files in os.walk(new):
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        os.chmod(folder, 0o700)
        for file in files:
            os.chown(os.path.join(folder, file), owner.pw_uid, owner.pw_gid)
    shutil.rmtree(data, ignore_errors=True)
    os.rename(new, data)


def configure(data: str, *, listen: str, port: int, networks: list[str]) -> bool:
    """Whether its settings are new."""
    access = [f"local all {SUPERUSER} peer", f"host all {SUPERUSER} samehost md5"]
    access += [f"host all all {network} md5" for network in networks]
    settings = CONFIGURATION.format(listen=listen, port=port, sockets=SOCKETS)
    changed = write(f"{data}/postgresql.conf", settings, 0o644, SUPERUSER)
    return write(f"{data}/pg_hba.conf", "".join(f"{line}\n" for line in access), 0o644, SUPERUSER) or changed


def prepare_directories(home: str, place: str) -> None:
    for path in (home, place):
        directory(path, 0o750, SUPERUSER, SUPERUSER)


@contextmanager
def local(database: str = "postgres") -> Iterator[Any]:
    """A connection as the superuser by the local socket. Raises StandinError."""
    with _as_superuser():
        connection = _connect(f"the socket in {SOCKETS}", host=SOCKETS, dbname=database, user=SUPERUSER)
    with _closing(connection) as cursor:
        yield cursor


@contextmanager
def remote(host: str, port: int, user: str, password: str, database: str) -> Iterator[Any]:
    """A connection by TCP. Raises StandinError."""
    connection = _connect(f"{host}:{port}", host=host, port=port, user=user, password=password, dbname=database)
    with _closing(connection) as cursor:
        yield cursor


@contextmanager
def _closing(connection: Any) -> Iterator[Any]:
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    except psycopg2.Error as error:
        raise StandinError(f"{type(error).__name__}: {str(error).strip()}") from None
    finally:
        connection.close()


def _connect(where: str, **options: Any) -> Any:
    try:
        return psycopg2.connect(connect_timeout=5, **options)
    except psycopg2.Error as error:
        raise StandinError(f"PG::ConnectionBad: {where}: {str(error).strip()}") from None


@contextmanager
def _as_superuser() -> Iterator[None]:
    """The socket's other end looks at the effective user."""
    os.seteuid(account().pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def wait() -> None:
    """Until it answers. Raises StandinError where it does not in time."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with local():
                return
        except StandinError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def hashed(user: str, password: str) -> str:
    """As pg_shadow has it."""
    return "md5" + hashlib.md5((password + user).encode()).hexdigest()  # noqa: S324 - PostgreSQL's own


def ensure_user(cursor: Any, user: str, password: str, *, superuser: bool) -> None:
    """Make the user, or give it this password and these rights."""
    cursor.execute("SELECT passwd, usesuper FROM pg_shadow WHERE usename = %s", (user,))
    found = cursor.fetchone()
    rights = sql.SQL("SUPERUSER" if superuser else "NOSUPERUSER")
    verb = sql.SQL("CREATE USER" if found is None else "ALTER USER")
    if found is None or found != (hashed(user, password), superuser):
        statement = sql.SQL("{} {} WITH {} ENCRYPTED PASSWORD {}")
        cursor.execute(statement.format(verb, sql.Identifier(user), rights, sql.Literal(password)))


def user_exists(cursor: Any, user: str) -> bool:
    cursor.execute("SELECT FROM pg_shadow WHERE usename = %s", (user,))
    return bool(cursor.rowcount)


def ensure_database(cursor: Any, name: str, owner: str | None = None) -> None:
    cursor.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
    if cursor.rowcount == 0:
        owned = sql.SQL(" WITH OWNER {}").format(sql.Identifier(owner)) if owner else sql.SQL("")
        cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)) + owned)
