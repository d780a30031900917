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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2  # type: ignore[import-untyped]
import pytest

_USERS = ("postgres", "nobody")
_START_SECONDS = 30.0


class Postgres:
    """
    One server on a Unix socket; it refuses to run as root, so root runs it as somebody else.

    :param programs: Where ``initdb`` and ``postgres`` are.
    :param where: In which directory to keep the data; the system's for temporary files by default.
    :param settings: More of its settings.
    """

    def __init__(self, programs: Path, where: str | None = None, settings: Sequence[str] = ()) -> None:
        self._programs = programs
        self._settings = settings
        self._numbers = itertools.count(1)
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
                self._connect("postgres").close()
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
            time.sleep(0.05)

    def stop(self) -> None:
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

    def url(self, name: str) -> str:
        return f"postgresql://d360@/{name}?host={self.home}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        connection = self._connect(database)
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()

    def _connect(self, database: str) -> Any:
        return psycopg2.connect(host=str(self.home), user="d360", dbname=database)


def find_programs() -> Path | None:
    """Find PostgreSQL's programs, newest first; on Debian, root installs them when they are missing."""
    found = _installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        # Without a runlevel, Debian does not start the server that comes with the package.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "postgresql"]):
            subprocess.run(["apt-get", "--quiet", *command], env=environment, check=False)  # noqa: S607
        found = _installed()
    return found


def serve() -> Iterator[Postgres]:
    """Serve for the tests of one session."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed, and only root can do that")
    with Postgres(programs, settings=["fsync=off"]) as server:  # it is never cut off from power here
        yield server


def _installed() -> Path | None:
    on_path = shutil.which("initdb")
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    places += [Path(on_path).parent] if on_path else []
    return next((place for place in places if (place / "initdb").exists()), None)


def _exists(name: str) -> bool:
    return name in {user.pw_name for user in pwd.getpwall()}
