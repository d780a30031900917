"""What Airflow is told about this package. It imports nothing: every process of Airflow reads it."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Describe the connection form and the modules of this package."""
    return {
        "package-name": "airflow-provider-d360",
        "name": "360dialog",
        "description": "WhatsApp messages through `360dialog <https://www.360dialog.com/>`__.",
        "integrations": [
            {
                "integration-name": "360dialog",
                "external-doc-url": "https://docs.360dialog.com/",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {"integration-name": "360dialog", "python-modules": ["airflow_provider_d360.hooks.d360"]},
        ],
        "operators": [
            {
                "integration-name": "360dialog",
                "python-modules": [
                    "airflow_provider_d360.operators.media",
                    "airflow_provider_d360.operators.messages",
                    "airflow_provider_d360.operators.templates",
                    "airflow_provider_d360.operators.webhooks",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "360dialog",
                "python-modules": [
                    "airflow_provider_d360.sensors.messages",
                    "airflow_provider_d360.sensors.templates",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "360dialog",
                "python-modules": [
                    "airflow_provider_d360.triggers.messages",
                    "airflow_provider_d360.triggers.templates",
                ],
            }
        ],
        "notifications": ["airflow_provider_d360.notifications.d360.D360Notifier"],
        "config": {"d360": {"description": "WhatsApp through 360dialog.", "options": _OPTIONS}},
        "cli": ["airflow_provider_d360.cli.commands"],
        "connection-types": [
            {
                "connection-type": "d360",
                "hook-class-name": "airflow_provider_d360.hooks.d360.D360Hook",
                "hook-name": "360dialog WhatsApp",
                "ui-field-behaviour": _FIELD_BEHAVIOUR,
                "conn-fields": _CONN_FIELDS,
            }
        ],
    }


def _option(kind: str, default: str | None, description: str, *, sensitive: bool = False) -> dict[str, Any]:
    option = {"type": kind, "default": default, "description": description, "version_added": "0.1.0"}
    return {**option, "example": None, **({"sensitive": True} if sensitive else {})}


_OPTIONS = {
    "webhook_enabled": _option("boolean", "False", "Take deliveries in the API server, under /d360."),
    "webhook_conn_ids": _option(
        "string",
        "d360_default",
        "Connections whose webhook user and password are accepted; with commas between.",
    ),
    "webhook_headers": _option(
        "string", None, "Other headers that are accepted: a JSON object, or a list of them.", sensitive=True
    ),
    "webhook_platform_secret": _option(
        "string", None, "Ask for 360dialog's signature as well, made with this secret.", sensitive=True
    ),
    "webhook_max_body_bytes": _option("integer", "3000000", "Longer deliveries are refused."),
    "store_conn_id": _option("string", "", "The connection to a PostgreSQL database that is the store."),
    "store_path": _option(
        "string", "", "The file of a SQLite store; without it d360.sqlite in AIRFLOW_HOME."
    ),
    "store_synchronous": _option("string", "NORMAL", "How far SQLite goes for a commit: NORMAL or FULL."),
    "store_retention_days": _option("float", "30", "How long a purge keeps statuses, inbox and outbox."),
}

_FIELD_BEHAVIOUR = {
    "hidden-fields": ["login", "port", "schema", "extra"],
    "relabeling": {"password": "API key", "host": "Base URL"},
    "placeholders": {"host": "Leave empty for 360dialog's own"},
}

_CONN_FIELDS = {
    "hosting": {
        "label": "Hosting",
        "description": "Where your number lives: cloud for nearly everyone; sandbox for 360dialog's test "
        "number; on_premise is the old API that Meta switched off in October 2025.",
        "schema": {"type": "string", "enum": ["cloud", "on_premise", "sandbox"], "default": "cloud"},
    },
    "timeout_seconds": {
        "label": "Timeout (seconds)",
        "description": "How long one request may take before it is given up.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 600, "default": 30},
    },
    "max_attempts": {
        "label": "Attempts",
        "description": "How often a request is tried while that is safe. A message whose answer was lost is "
        "never sent again.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 10, "default": 3},
    },
    "messages_per_second": {
        "label": "Messages per second",
        "description": "How fast one process sends. WhatsApp allows a number 80, and after an upgrade 1,000.",
        "schema": {"type": ["number", "null"], "minimum": 0.01, "maximum": 1000, "default": 80},
    },
    "webhook_username": {
        "label": "Webhook user",
        "description": "The user that 360dialog names when it calls your webhook, if that asks for one.",
        "schema": {"type": ["string", "null"]},
    },
    "webhook_password": {
        "label": "Webhook password",
        "description": "The password of that user.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
}
