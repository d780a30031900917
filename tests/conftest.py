"""Where tests run: on this machine alone, with an Airflow home of their own."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import sys
import tempfile

_home = tempfile.mkdtemp(prefix="airflow-tests-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)

# Airflow reads these when it is imported, so they stand here and not in a fixture.
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]
os.environ["AIRFLOW_HOME"] = _home
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"


def _stay_on_this_machine(event: str, arguments: tuple[object, ...]) -> None:
    """Answer as a machine without network would, whatever a test tries to reach."""
    if event == "socket.getaddrinfo" and not _is_loopback(arguments[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"tests stay on this machine, and not with {arguments[0]!r}")
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _is_loopback(arguments[1][0]):
        raise OSError(f"tests stay on this machine, and not with {arguments[1]!r}")


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return name in (None, "", "localhost", "::1", "0.0.0.0") or str(name).startswith("127.")  # noqa: S104


sys.addaudithook(_stay_on_this_machine)
