"""``python -m airflow_provider_d360.receiver``: the receiver in a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store

LONGEST_STOP_SECONDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Serve, or purge the store.

    :param arguments: The command line. Default: the arguments of this process.
    """
    from airflow.exceptions import AirflowConfigException
    from airflow.sdk.exceptions import AirflowException

    from airflow_provider_d360.progress_bar import ticking
    from airflow_provider_d360.receiver.settings import SettingsError, get_connection
    from airflow_provider_d360.store import StoreError
    from airflow_provider_d360.store.configured import configured_store, purge

    options = parse(arguments)
    try:
        store = configured_store(get_connection, options.store)
        store.check_writable()
        if options.command == "purge":
            with ticking("deleting old rows"):
                removals = purge(store, options.days)
            for name, removed in removals.items():
                print(f"{name}: {removed} removed")  # noqa: T201
            return 0
        return serve(options, store)
    except (
        SettingsError,
        StoreError,
        AirflowException,
        AirflowConfigException,
        ValueError,
    ) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the command line.

    :param arguments: The command line. Default: the arguments of this process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_d360.receiver",
        description="Accept 360dialog's deliveries and store them. Put TLS in front.",
    )
    parser.add_argument("command", nargs="?", choices=["serve", "purge"], default="serve")
    parser.add_argument("--store", metavar="URL", help="default: the one configured in [d360]")
    serving = parser.add_argument_group("serve (the default)")
    serving.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    serving.add_argument("--port", type=int, default=8361, help="(default: %(default)s)")
    serving.add_argument(
        "--conn-id",
        action="append",
        help="a connection whose webhook user and password are accepted; may be given several times "
        "(default: [d360] webhook_conn_ids)",
    )
    purging = parser.add_argument_group("purge: delete old rows")
    purging.add_argument("--days", type=float, help="older than this (default: [d360] store_retention_days)")
    return parser.parse_args(arguments)


def serve(options: argparse.Namespace, store: Store) -> int:
    """
    Serve until the process is asked to end.

    :param options: The command line.
    :param store: The store.
    """
    import uvicorn
    from airflow.configuration import conf
    from starlette.applications import Starlette

    from airflow_provider_d360.receiver.alert_delivery import deliver_alerts
    from airflow_provider_d360.receiver.app import MAX_BODY_BYTES
    from airflow_provider_d360.receiver.prometheus import metrics_route
    from airflow_provider_d360.receiver.settings import configured_routes
    from airflow_provider_d360.receiver.slow_clients import server_options

    # As Airflow's own servers do: or a notifier finds no connection in Airflow's database.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    route = metrics_route()  # first: only metrics that go somewhere are measured
    app = Starlette(routes=[route, *configured_routes(options.conn_id, store)])
    deliver_alerts(lambda: store)
    gc.collect()
    gc.freeze()  # Airflow's modules are many objects that stay; a full collection would visit them each time
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        timeout_graceful_shutdown=LONGEST_STOP_SECONDS,
        **server_options(conf.getint("d360", "webhook_max_body_bytes", fallback=MAX_BODY_BYTES)),
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                port = self.servers[0].sockets[0].getsockname()[1]
                host = f"[{options.host}]" if ":" in options.host else options.host
                _say_where(f"http://{host}:{port}", store)

    server = Server(config)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after it has stopped
        server.run()
    return 0 if server.started else 1


def _say_where(url: str, store: Store) -> None:
    print(f"The receiver is up: let 360dialog deliver to {url}/webhook, through a proxy with TLS.")  # noqa: T201
    print(f"  {url}/health says whether a delivery can be stored; {url}/metrics is for Prometheus.")  # noqa: T201
    print(f"  Store: {store.place}. Press Ctrl-C to stop.", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
