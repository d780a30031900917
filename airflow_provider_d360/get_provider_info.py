"""The description of this package for Airflow. It imports nothing: every process of Airflow reads it."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the connection form, the options, the command and the modules of this package."""
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
                    "airflow_provider_d360.operators.campaigns",
                    "airflow_provider_d360.operators.inbox",
                    "airflow_provider_d360.operators.media",
                    "airflow_provider_d360.operators.messages",
                    "airflow_provider_d360.operators.questions",
                    "airflow_provider_d360.operators.suppression",
                    "airflow_provider_d360.operators.templates",
                    "airflow_provider_d360.operators.webhooks",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "360dialog",
                "python-modules": [
                    "airflow_provider_d360.sensors.campaigns",
                    "airflow_provider_d360.sensors.messages",
                    "airflow_provider_d360.sensors.replies",
                    "airflow_provider_d360.sensors.templates",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "360dialog",
                "python-modules": [
                    "airflow_provider_d360.triggers.campaigns",
                    "airflow_provider_d360.triggers.inbox",
                    "airflow_provider_d360.triggers.messages",
                    "airflow_provider_d360.triggers.questions",
                    "airflow_provider_d360.triggers.replies",
                    "airflow_provider_d360.triggers.templates",
                ],
            }
        ],
        "queues": ["airflow_provider_d360.triggers.queues.D360MessageQueueProvider"],
        "notifications": [
            "airflow_provider_d360.notifications.d360.D360Notifier",
            "airflow_provider_d360.notifications.hitl.D360HITLNotifier",
        ],
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
    "alert_to": _option(
        "string",
        "",
        "Who gets an alert about every DAG: phone numbers separated by commas, or a template such as "
        "{{ var.value.on_call }}. Nobody when empty.",
        sensitive=True,
    ),
    "alert_template": _option(
        "string", "", "The approved template of these alerts, such as airflow_alert; free text when empty."
    ),
    "alert_language": _option("string", "en", "The language of this template."),
    "alert_on": _option(
        "string",
        "failed_runs,recoveries,broken_dag_files",
        "What these alerts are about, separated by commas: failed_runs, failed_tasks, retries, recoveries, "
        "broken_dag_files.",
    ),
    "alert_opt_out_tag": _option(
        "string", "no-whatsapp-alerts", "DAGs with this tag are left out of these alerts."
    ),
    "airflow_conn_id": _option(
        "string",
        "",
        "The connection with Airflow's address and the account of a bot, with which answers on the phone go "
        "back to human-in-the-loop operators. Without it, their questions hold only a link.",
    ),
    "webhook_enabled": _option("boolean", "False", "Receive deliveries in the API server, under /d360."),
    "webhook_conn_ids": _option(
        "string",
        "d360_default",
        "Connections whose webhook user and password are accepted, separated by commas.",
    ),
    "webhook_headers": _option(
        "string", None, "Other headers that are accepted: a JSON object, or a list of them.", sensitive=True
    ),
    "webhook_platform_secret": _option(
        "string", None, "Require 360dialog's signature as well, made with this secret.", sensitive=True
    ),
    "webhook_max_body_bytes": _option(
        "integer", "3000000", "The longest delivery, in bytes; longer ones are refused."
    ),
    "webhook_address_header": _option(
        "string",
        "",
        "The header in which your proxy passes on the caller's address, such as X-Real-IP; without it, the "
        "address of the peer counts. Only for logging and slowing down failed logins.",
    ),
    "stop_words": _option(
        "string",
        "default",
        "Words by which people opt out, separated by commas: a message that is nothing else. The word "
        "default stands for the list in docs/opt-outs.md.",
    ),
    "start_words": _option("string", "default", "Words that lift such an opt-out."),
    "stop_scope": _option(
        "string", "marketing", "What a stop word is about: marketing, or all messages, alerts too."
    ),
    "upload_roots": _option(
        "string",
        "",
        "Directories, and prefixes in object storages, from which files may be uploaded, separated "
        "by commas. Anywhere when empty.",
    ),
    "store_conn_id": _option("string", "", "The connection to a PostgreSQL database that is the store."),
    "store_path": _option(
        "string", "", "The file of a SQLite store; without it d360.sqlite in AIRFLOW_HOME."
    ),
    "store_synchronous": _option(
        "string",
        "NORMAL",
        "What a commit on SQLite survives: NORMAL the end of a process, FULL a power failure too.",
    ),
    "store_retention_days": _option("float", "30", "How many days a purge keeps statuses and inbox."),
    "ledger_retention_days": _option(
        "float",
        "365",
        "How many days a purge keeps what was sent. While it is there, it is not sent again. Messages under "
        "an idempotency_key are kept for ever.",
    ),
}

_FIELD_BEHAVIOUR = {
    "hidden-fields": ["login", "port", "schema", "extra"],
    "relabeling": {"password": "API key", "host": "Base URL"},
    "placeholders": {
        "password": "The number's key, from the 360dialog Hub: hub.360dialog.com",
        "host": "Leave empty for 360dialog's own",
    },
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
        "description": "The longest time for one request, in seconds.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 600, "default": 30},
    },
    "max_attempts": {
        "label": "Attempts",
        "description": "How often a request is tried while that is safe. A message whose response was lost "
        "is never sent again.",
        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 10, "default": 3},
    },
    "messages_per_second": {
        "label": "Messages per second",
        "description": "The limit of the number. A number may send 80; 1,000 need Meta's upgrade and "
        "360dialog's Premium plan with the High Throughput option.",
        "schema": {"type": ["number", "null"], "minimum": 0.01, "maximum": 1000, "default": 80},
    },
    "incoming_share": {
        "label": "Share of incoming messages",
        "description": "The part of that limit which is left to incoming messages, because they count, too. "
        "Only where processes share the limit: in campaigns, and with a PostgreSQL store.",
        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 0.9, "default": 0.1},
    },
    "default_region": {
        "label": "Default region",
        "description": "The country of phone numbers that begin with 0: two letters, such as DE. Without it, "
        "such numbers are refused.",
        "schema": {"type": ["string", "null"]},
    },
    "only_to": {
        "label": "Only to",
        "description": "For test systems: the only recipients of this connection, separated by commas; "
        "+44 77* allows all numbers that begin so. Messages to anybody else are refused. Empty: no "
        "restriction.",
        "schema": {"type": ["string", "null"]},
    },
    "redirect_to": {
        "label": "Redirect to",
        "description": "For test systems: a number of yours that gets the messages to anybody else, with a "
        "line that says for whom they were. Empty: they are refused.",
        "schema": {"type": ["string", "null"]},
    },
    "webhook_username": {
        "label": "Webhook user",
        "description": "A name of your choice. 360dialog sends it with each delivery to your webhook, and "
        "the receiver of this package accepts no other. Empty if you receive nothing.",
        "schema": {"type": ["string", "null"]},
    },
    "webhook_password": {
        "label": "Webhook password",
        "description": "A long random password of your choice for that user. 360dialog learns both when "
        "you configure the webhook.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
}
