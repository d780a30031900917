"""What the programs of tests/programs.py need not import again."""

import gc

import psycopg2.extras  # type: ignore[import-untyped]  # noqa: F401
import uvicorn  # noqa: F401

import airflow_provider_d360.campaigns.running
import airflow_provider_d360.cli
import airflow_provider_d360.emulator
import airflow_provider_d360.hooks.d360
import airflow_provider_d360.notifications.d360
import airflow_provider_d360.operators.messages
import airflow_provider_d360.receiver.app
import airflow_provider_d360.sending.media
import airflow_provider_d360.sending.turns
import airflow_provider_d360.store.configured  # noqa: F401

gc.freeze()  # else each fork would copy it all when it first looks for garbage
