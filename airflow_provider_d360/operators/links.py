"""The way from a task in Airflow's user interface to what became of its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from airflow_provider_d360.compat import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class D360MessageLink(BaseOperatorLink):
    """Leads to the message's page, which exists where the webhook runs in Airflow's API server."""

    name = "WhatsApp message"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Write the link when the task ends; Airflow keeps it. Empty when there is nothing to show."""
        message_id = getattr(operator, "message_id", None)
        if not message_id or not conf.getboolean("d360", "webhook_enabled", fallback=False):
            return ""
        base = conf.get("api", "base_url", fallback="/").rstrip("/")
        return f"{base}/d360/messages/{quote(message_id, safe='')}"
