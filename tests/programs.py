"""
Python programs in processes of their own, forked from one that has imported Airflow: to import it takes longer than most of them run.

What was imported knows the ``AIRFLOW_HOME`` of this process, so a program with another one begins with a new
interpreter. A test of what a new interpreter imports starts one with ``subprocess`` instead.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import runpy
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.preloaded"])
_MOST_SECONDS = 180.0


class Ended(NamedTuple):
    """How a program ended, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Program:
    """
    A program that runs.

    :ivar stdin: What it reads, as a text file; close it, and the program reads the end.
    :ivar stdout: What it writes, as a text file, which ends with the program.
    :param arguments: As Python takes them: ``-c`` and code, or ``-m`` and a module, and what it finds in ``sys.argv``.
    :param environment: The whole environment; by default that of this process.
    :param folder: Where it runs; by default a test's process and its programs are in the same folder.
    """

    def __init__(
        self, *arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        stdin, self._write_end = _FORKS.Pipe(duplex=False)
        self._read_end, stdout = _FORKS.Pipe(duplex=False)
        self._errors = tempfile.NamedTemporaryFile("r", prefix="stderr-")  # noqa: SIM115 - closed by end()
        given = (arguments, dict(environment or os.environ), str(folder or Path.cwd()))
        self._process = _FORKS.Process(target=_run, args=(*given, stdin, stdout, self._errors.name))
        self._process.start()
        stdin.close()
        stdout.close()
        self.stdin = os.fdopen(os.dup(self._write_end.fileno()), "w")
        self._write_end.close()
        self.stdout = os.fdopen(os.dup(self._read_end.fileno()))
        self._read_end.close()

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._process.exitcode

    def kill(self) -> None:
        """Kill it with -9, and wait for its end."""
        self._process.kill()
        self._process.join()

    def stop(self) -> int:
        """Ask it to end with SIGTERM, and return how it did."""
        self._process.terminate()
        return self.wait()

    def wait(self, seconds: float = _MOST_SECONDS) -> int:
        """
        Wait for its end, and return how it was.

        :raises TimeoutError: It took too long, and is killed.
        """
        self._process.join(seconds)
        if self._process.exitcode is None:
            self.kill()
            raise TimeoutError(f"it still ran after {seconds:g} s")
        return self._process.exitcode

    def end(self, seconds: float = _MOST_SECONDS) -> Ended:
        """
        Close its input, and wait for its end.

        :raises TimeoutError: It took too long, and is killed.
        """
        deadline = time.monotonic() + seconds
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        watchdog = threading.Timer(seconds, self._process.kill)
        watchdog.start()
        with self.stdout, self._errors:
            stdout = self.stdout.read()
            returncode = self.wait(seconds)
            watchdog.cancel()
            errors = self._errors.read()
        if time.monotonic() >= deadline:
            raise TimeoutError(f"it still ran after {seconds:g} s: {errors[-2000:]}")
        return Ended(returncode, stdout, errors)


def preload(module: str) -> None:
    """Fork from a process that has imported this module instead; to be called before the first program starts."""
    _FORKS.set_forkserver_preload([module])


def run(*arguments: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Ended:
    """Run a program to its end; arguments as for :class:`Program`."""
    return Program(*arguments, environment=environment, folder=folder).end()


def _run(
    arguments: tuple[str, ...],
    environment: dict[str, str],
    folder: str,
    stdin: Connection,
    stdout: Connection,
    errors: str,
) -> None:
    imported_for = os.environ.get("AIRFLOW_HOME")
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for end, standard in ((stdin, 0), (stdout, 1)):
        os.dup2(end.fileno(), standard)
        end.close()
    with Path(errors).open("ab") as file:
        os.dup2(file.fileno(), 2)
    if environment.get("AIRFLOW_HOME") != imported_for:
        os.execve(sys.executable, [sys.executable, *arguments], environment)  # noqa: S606
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))  # multiprocessing had closed it
    how, what, *rest = arguments
    sys.argv = [how if how == "-c" else what, *rest]
    if how == "-c":
        exec(compile(what, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102
    else:
        runpy.run_module(what, run_name="__main__", alter_sys=True)
