"""A port for a process that cannot be handed a socket."""

from __future__ import annotations

import random
import socket

# What the kernel gives to clients and to listeners on port 0 begins at 32768 on Linux.
_PORTS = range(10_000, 32_768)


def free_port() -> int:
    """
    Return a port that nobody listens on, and that nobody else is given before we listen there.

    A port that the kernel chose and that was closed again is given away at once on a busy machine: tests that
    ran beside each other have delivered to each other's servers.
    """
    for port in random.SystemRandom().sample(_PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("Of 100 ports that were tried none is free.")
