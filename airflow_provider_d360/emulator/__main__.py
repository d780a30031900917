"""``python -m airflow_provider_d360.emulator``: a 360dialog to try things on."""

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
    """Serve until somebody presses Ctrl-C or ends the process."""
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
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_d360.emulator",
        description="Serve a local 360dialog: no account, no network, and no message leaves this machine.",
        epilog="While it runs, GET /_emulator/sent, /_emulator/requests and /_emulator/deliveries show what "
        "happened.",
    )
    parser.add_argument(
        "--port", type=int, default=8360, help="port on 127.0.0.1; 0 finds one (default: 8360)"
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
        help="what becomes of each message, such as sent,failed:131026 (default: %(default)s)",
    )
    parser.add_argument(
        "--delay-seconds",
        type=float,
        default=0.2,
        metavar="SECONDS",
        help="time before each status (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, stop: threading.Event, say: Callable[[str], object]) -> int:
    """Serve until ``stop`` is set, saying what reaches WhatsApp."""
    emulator = Emulator(
        statuses=options.statuses,
        delay_seconds=options.delay_seconds,
        deliver_to=options.deliver_to,
        on_change=lambda sent: say(describe(sent)),
    )
    with EmulatorServer(emulator, options.port) as server:
        say(f"360dialog emulator on {server.url}; press Ctrl-C to stop")
        for key, number in emulator.numbers.items():
            say(f"  key {key}: a number on {number.hosting.name}")
        say(f"  export AIRFLOW_CONN_D360_DEFAULT='{connection_json(server.url, CLOUD_KEY, 'cloud')}'")
        stop.wait()
    return 0


def describe(sent: SentMessage) -> str:
    """Put a message, or its newest status, on one line."""
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
