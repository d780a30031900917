"""A PostgreSQL server of our own, in a directory that goes with it."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import pytest

_USERS = ("postgres", "nobody")
_START_SECONDS = 30.0
_SHAPE = """
SELECT md5(string_agg(concat(relname, relkind, attname, atttypid, attnotnull), ',' ORDER BY relname, attnum))
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = %s::regnamespace
"""
# The version of the tables and the secret of the hashes are written with the tables.
_DELETE_ROWS = """
SET lock_timeout = '2s';
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'
        AND tablename NOT IN ('d360_schema', 'd360_secret')
    LOOP EXECUTE format('DELETE FROM %I.%I', '{schema}', name); END LOOP;
END $$
"""


class Postgres:
    """
    One server on a Unix socket; it refuses to run as root, so root runs it as somebody else.

    :param programs: The directory of ``initdb`` and ``postgres``.
    :param where: The directory for the data; by default the system's for temporary files.
    :param settings: Further settings of the server, as ``name=value``.
    """

    def __init__(self, programs: Path, where: str | None = None, settings: Sequence[str] = ()) -> None:
        self._programs = programs
        self._settings = settings
        self._numbers = itertools.count(1)
        self._free: list[tuple[str, str]] = []
        self.home = Path(tempfile.mkdtemp(prefix="d360-postgres-", dir=where))
        self._as: dict[str, Any] = {"cwd": self.home, "stdout": subprocess.DEVNULL}
        if os.geteuid() == 0:
            user = next(pwd.getpwnam(name) for name in _USERS if _exists(name))
            os.chown(self.home, user.pw_uid, user.pw_gid)
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self) -> Postgres:
        initdb: list[str | Path] = [
            self._programs / "initdb",
            "-D",
            self.home / "data",
            "-A",
            "trust",
            "-U",
            "d360",
            "-E",
            "UTF8",
        ]
        subprocess.run([*initdb, "--locale=C", "--no-sync"], check=True, **self._as)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        settings = [part for setting in self._settings for part in ("-c", setting)]
        self._log = (self.home / "log").open("ab")
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self.home / "data", "-k", self.home, "-h", "", *settings],
            stderr=self._log,
            **self._as,
        )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._own = psycopg2.connect(host=str(self.home), user="d360", dbname="postgres")
                self._own.autocommit = True
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
            time.sleep(0.05)

    def stop(self) -> None:
        self._own.close()
        self._process.send_signal(signal.SIGINT)  # a fast shutdown: connections are cut
        self._process.wait(_START_SECONDS)
        self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"store{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def new_schema(self) -> str:
        """Create an empty schema in one database for all, and return its URL: much faster than a database."""
        name = f"schema{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url('postgres')}&options=-csearch_path%3D{name}"

    @contextmanager
    def used_schema(self, make_tables: Callable[[str], None]) -> Iterator[str]:
        """
        Yield the URL of a schema with tables without rows.

        To make the tables takes longer than most tests, so one test after the other gets the same.

        :param make_tables: Makes the tables in a new schema.
        """
        url, shape = self._free.pop() if self._free else (self.new_schema(), "")
        name = url.rpartition("%3D")[2]
        if not shape:
            make_tables(url)
            shape = self._shape(name)
        yield url
        try:
            self.execute(_DELETE_ROWS.format(schema=name))
        except psycopg2.errors.LockNotAvailable:
            return  # somebody still uses it
        if self._shape(name) == shape:
            self._free.append((url, shape))

    def _shape(self, schema: str) -> str:
        with self._own.cursor() as cursor:
            cursor.execute(_SHAPE, (schema,))
            return str(cursor.fetchone()[0])

    def url(self, name: str) -> str:
        return f"postgresql://d360@/{name}?host={self.home}"

    def execute(self, statement: str) -> None:
        with self._own.cursor() as cursor:
            cursor.execute(statement)


def find_programs() -> Path | None:
    """Return the directory of the newest PostgreSQL's programs; None without a PostgreSQL."""
    on_path = shutil.which("initdb")
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: _version(place.parent.name), reverse=True
    )
    places += [Path(on_path).parent] if on_path else []
    return next((place for place in places if (place / "initdb").exists()), None)


def serve() -> Iterator[Postgres]:
    """Run a server for the tests of one session; without PostgreSQL, they are skipped."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: run `make system-packages` as root, or install it")
    # It never loses power, lives for minutes, and is in memory, as all files of tests.
    settings = ["fsync=off", "autovacuum=off", "max_wal_size=100MB", "wal_level=minimal", "max_wal_senders=0"]
    with Postgres(programs, settings=settings) as server:
        yield server


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdecimal())


def _exists(name: str) -> bool:
    return name in {user.pw_name for user in pwd.getpwall()}
