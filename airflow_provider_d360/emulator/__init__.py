"""A local 360dialog for development and tests: it needs no account and no network, and costs nothing."""

from __future__ import annotations

from airflow_provider_d360.emulator.app import CLOUD_KEY, ON_PREMISE_KEY, SANDBOX_KEY, Emulator
from airflow_provider_d360.emulator.events import button_reply
from airflow_provider_d360.emulator.records import Webhook
from airflow_provider_d360.emulator.server import EmulatorServer

__all__ = [
    "CLOUD_KEY",
    "ON_PREMISE_KEY",
    "SANDBOX_KEY",
    "Emulator",
    "EmulatorServer",
    "Webhook",
    "button_reply",
]
