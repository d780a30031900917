"""The file of a SQLite store: who may read it, whether it is still the same, and what if it is damaged."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

log = logging.getLogger(__name__)

_SUFFIXES = ("", "-wal", "-shm", "-journal")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DamagedFileError(Exception):
    """The file is not the database any more that was opened."""


class SqliteFile:
    """
    A database file with the files that SQLite keeps beside it.

    Never open an existing database file except through SQLite: closing it would drop the locks that SQLite
    holds in this process.

    :param path: The database file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._verified: tuple[int, int] | None = None  # size and time of change
        self._without_log: tuple[int, ...] | None = None  # the file that lost its -wal

    def prepare(self) -> None:
        """
        Create the file if it is missing, and let nobody but its owner read it: it holds people's messages.

        :raises OSError: The directory is missing, or the file belongs to somebody else and can be read by
            others.
        """
        if not Path(self.path).exists() and any(
            Path(self.path + suffix).exists() for suffix in _SUFFIXES[1:]
        ):
            self._set_leftovers_aside()
        self._create()
        for file in (Path(self.path + suffix) for suffix in _SUFFIXES):
            with suppress(FileNotFoundError):
                mode = stat.S_IMODE(file.stat().st_mode)
                if mode & _OTHERS:
                    file.chmod(0o600)
                    log.warning("Other users could read the store's file %s; its mode was %o", file, mode)

    def _set_leftovers_aside(self) -> None:
        """
        Rename what SQLite kept beside a database that was removed, and create the file.

        SQLite would write the old log into the new file. It would also shorten the old index, which ends
        processes that still use it (SIGBUS).
        """
        with self._locked_directory():
            if Path(self.path).exists():
                return
            aside = self._rename("left", _SUFFIXES[1:])
            self._create()
        log.warning(
            "The store's file %s was removed without its -wal: that is now %s-wal, and a new store begins. "
            "Always move or remove both.",
            self.path,
            aside,
        )

    def _create(self) -> None:
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def identity(self) -> tuple[int, ...]:
        """Return numbers that change when one of the files is removed or replaced."""
        return tuple(number for suffix in _SUFFIXES[:3] for number in _identity(self.path + suffix))

    @property
    def lost_log(self) -> bool:
        """Whether the ``-wal`` of this very file was removed while it was in use."""
        return self._without_log is not None and self._without_log == _identity(self.path)

    def discard_stale_index(self, identity: tuple[int, ...]) -> None:
        """
        Remove ``-shm`` if only ``-wal`` was removed: it is an index of what is not there any more.

        Connections that others in this process left open may keep the index in use, so that every query ends
        in an I/O error. :meth:`set_aside_if_damaged` then takes the file for damaged.

        :param identity: Of the files when they were opened.
        """
        with self._locked_directory():
            current = self.identity()
            if current[:2] == identity[:2] and current[2:4] != identity[2:4]:
                self._without_log = identity[:2]
                if current[4:] == identity[4:]:
                    Path(f"{self.path}-shm").unlink(missing_ok=True)

    def verify(self, *, always: bool = False) -> None:
        """
        Make sure that a new connection finds the store's tables, if the file was changed since last time.

        A connection that is open already may go on with pages in its memory, while the file is truncated
        or overwritten, and report commits that nobody can read.

        :param always: Do so even if size and time of change are the same.
        :raises DamagedFileError: The file is no database any more.
        :raises sqlite3.OperationalError: It is locked, or a table is missing.
        """
        file = os.stat(self.path)  # noqa: PTH116 - after each transaction, so it must be fast
        state = file.st_size, file.st_mtime_ns
        if state == self._verified and not always:
            return
        shrank = self._verified is not None and file.st_size < self._verified[0]
        damage = None
        try:
            with closing(sqlite3.connect(self.path, timeout=1.0)) as connection:
                connection.execute("SELECT count(*) FROM d360_schema").fetchone()
                if shrank:  # by VACUUM, or because it was truncated
                    _require_whole(connection)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            damage = str(error)
        if damage is not None:
            raise DamagedFileError(damage)
        self._verified = state

    def set_aside_if_damaged(self, identity: tuple[int, ...]) -> bool:
        """
        Rename the files of a damaged database, so that a new one can be made.

        :param identity: Of the files when they were opened.
        :return: False if the damaged file is another one, which this process never opened.
        """
        with self._locked_directory():
            if not self._is_damaged():  # another thread or process has recovered it
                return True
            if _identity(self.path) != identity[:2]:
                return False
            aside = self._rename("damaged", _SUFFIXES)
            self._verified = None
        log.error(
            "The store's file %s is no database any more: it was truncated or overwritten. It is now %s, and "
            'a new one is made. What it held is lost, unless "sqlite3 FILE .recover" finds it.',
            self.path,
            aside,
        )
        return True

    @contextmanager
    def _locked_directory(self) -> Iterator[None]:
        """Let one process at a time remove or rename files, so that none removes what another has made."""
        directory = os.open(Path(self.path).parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    def _is_damaged(self) -> bool:
        try:
            with closing(sqlite3.connect(self.path, timeout=1.0)) as connection:
                _require_whole(connection)
        except sqlite3.OperationalError as error:
            return "disk I/O error" in str(error) and self.lost_log
        except (sqlite3.DatabaseError, DamagedFileError):
            return True
        return False

    def _rename(self, why: str, suffixes: Sequence[str]) -> str:
        """Rename files, the database last, and return the new path without a suffix."""
        aside = f"{self.path}.{why}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"
        for suffix in reversed(suffixes):
            with suppress(FileNotFoundError):
                Path(self.path + suffix).rename(aside + suffix)
        return aside


def _require_whole(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise DamagedFileError("pages are missing or overwritten")


def _identity(path: str) -> tuple[int, int]:
    try:
        file = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return (0, 0)
    return file.st_dev, file.st_ino
