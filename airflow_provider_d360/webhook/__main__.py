"""``python -m airflow_provider_d360.webhook``: the receiver in a process of its own."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_d360.store import Store

LONGEST_STOP_SECONDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, or purge the store."""
    from airflow.exceptions import AirflowConfigException
    from airflow.sdk.exceptions import AirflowException

    from airflow_provider_d360.store import StoreUnavailableError
    from airflow_provider_d360.store.configured import configured_store, purge
    from airflow_provider_d360.webhook.settings import SettingsError, get_connection

    options = parse(arguments)
    try:
        store = configured_store(get_connection, options.store)
        store.ping()
        if options.command == "purge":
            for name, removed in purge(store, options.days).items():
                print(f"{name}: {removed} removed")  # noqa: T201
            return 0
        return serve(options, store)
    except (
        SettingsError,
        StoreUnavailableError,
        AirflowException,
        AirflowConfigException,
        ValueError,
    ) as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_d360.webhook",
        description="Take 360dialog's deliveries and keep them in the store. Put TLS in front.",
    )
    parser.add_argument("command", nargs="?", choices=["serve", "purge"], default="serve")
    parser.add_argument("--store", metavar="URL", help="default: as [d360] of Airflow's configuration says")
    serving = parser.add_argument_group("serve (the default)")
    serving.add_argument("--host", default="127.0.0.1", help="(default: %(default)s)")
    serving.add_argument("--port", type=int, default=8361, help="(default: %(default)s)")
    serving.add_argument(
        "--conn-id",
        action="append",
        help="a connection whose webhook user and password are accepted; may be given several times "
        "(default: [d360] webhook_conn_ids)",
    )
    purging = parser.add_argument_group("purge: forget what is old")
    purging.add_argument("--days", type=float, help="older than this (default: [d360] store_retention_days)")
    return parser.parse_args(arguments)


def serve(options: argparse.Namespace, store: Store) -> int:
    """Serve until the process is told to end."""
    import uvicorn
    from starlette.applications import Starlette

    from airflow_provider_d360.webhook.settings import configured_routes

    app = Starlette(routes=configured_routes(options.conn_id, store))
    gc.collect()
    gc.freeze()  # Airflow's modules are many objects that never go; looking through them stops everything
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        access_log=False,  # a line per delivery says nothing that the store does not
        lifespan="off",
        timeout_graceful_shutdown=LONGEST_STOP_SECONDS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
