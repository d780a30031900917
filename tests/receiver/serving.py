"""A receiver without Airflow: it starts at once, so it can be killed often."""

from __future__ import annotations

import argparse

import uvicorn

from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.store import Store
from tests.receiver.doors import LOGIN


def main() -> None:
    """Serve until somebody kills it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--store", required=True)
    options = parser.parse_args()
    store = Store(options.store)
    store.check_writable()
    uvicorn.run(create_app(store, [LOGIN]), port=options.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
