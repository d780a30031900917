"""The command ``python -m airflow_provider_d360.emulator``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Sequence

from airflow_provider_d360.emulator.app import CLOUD_KEY, Emulator
from airflow_provider_d360.emulator.events import check_statuses
from airflow_provider_d360.emulator.records import SentMessage
from airflow_provider_d360.emulator.server import HOST, EmulatorServer, connection_json

LONGEST_PREVIEW = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Serve until Ctrl-C or SIGTERM, and return the exit code.

    :param arguments: The command line. Default: the arguments of this process.
    """
    options = parse(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        return run(options, stop, lambda line: print(line, flush=True))
    except OSError as error:
        print(f"Cannot serve on {HOST}:{options.port}: {error.strerror}", file=sys.stderr)
        return 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the command line.

    :param arguments: The command line. Default: the arguments of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_d360.emulator",
        description="Serve a local 360dialog: no account, no network, and no message leaves this machine.",
        epilog="While it runs, GET /_emulator/sent, /_emulator/requests and /_emulator/deliveries return its "
        "records.",
    )
    parser.add_argument(
        "--port", type=int, default=8360, help="port on 127.0.0.1; 0 for any free port (default: 8360)"
    )
    parser.add_argument(
        "--deliver-to",
        metavar="URL",
        help="post events to this scheme and host, such as http://127.0.0.1:8000, and to the path of the "
        "configured webhook (default: only to webhooks on this machine)",
    )
    parser.add_argument(
        "--statuses",
        type=_statuses,
        default="sent,delivered,read",
        metavar="LIST",
        help="statuses of each message, such as sent,failed:131026 (default: %(default)s)",
    )
    parser.add_argument(
        "--delay-seconds",
        type=float,
        default=0.2,
        metavar="SECONDS",
        help="time before each status (default: %(default)s)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse messages that need a template, a file or an open 24-hour window that is not there",
    )
    parser.add_argument(
        "--messages-per-second",
        type=float,
        metavar="NUMBER",
        help="refuse messages that are faster, and too many to one person (default: no message is too fast)",
    )
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, stop: threading.Event, say: Callable[[str], object]) -> int:
    """
    Serve until ``stop`` is set, and print each message and status.

    :param options: The command line.
    :param stop: Ends the server.
    :param say: Prints a line.
    """
    emulator = Emulator(
        statuses=options.statuses,
        delay_seconds=options.delay_seconds,
        deliver_to=options.deliver_to,
        strict=options.strict,
        messages_per_second=options.messages_per_second,
        on_change=lambda sent: say(describe(sent)),
    )
    with EmulatorServer(emulator, options.port) as server:
        say(f"360dialog emulator on {server.url}; press Ctrl-C to stop")
        say(f"  open {server.url} to see what was sent, and to reply")
        for key, number in emulator.numbers.items():
            say(f"  key {key}: a number on {number.hosting.name}")
        say(f"  export AIRFLOW_CONN_D360_DEFAULT='{connection_json(server.url, CLOUD_KEY, 'cloud')}'")
        stop.wait()
    return 0


def describe(sent: SentMessage) -> str:
    """
    Describe a message, or its newest status, in one line.

    :param sent: The message.
    """
    if sent.statuses:
        return f"{sent.message_id}: {sent.statuses[-1]}"
    kind = sent.body.get("type", "text")
    content = sent.body[kind]
    about = {"text": "body", "template": "name"}.get(kind)
    preview = f" {str(content[about])[:LONGEST_PREVIEW]!r}" if about else ""
    return f"{sent.message_id}: {kind}{preview} to {sent.to}"


def _statuses(text: str) -> tuple[str, ...]:
    return check_statuses(text.split(",") if text else ())


if __name__ == "__main__":
    sys.exit(main())
