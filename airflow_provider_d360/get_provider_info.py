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
                    "airflow_provider_d360.operators.messages",
                    "airflow_provider_d360.operators.webhooks",
                ],
            }
        ],
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
