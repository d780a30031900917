"""The link from a task in Airflow's user interface to the page of its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import has_store
from airflow_provider_d360.urls import base_path, base_url, messages_path

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class D360MessageLink(BaseOperatorLink):
    """
    Link to the message's page in Airflow's API server.

    The URL holds the short form of the message id, because the id contains the recipient's number.
    """

    name = "WhatsApp message"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """
        Return the link, or an empty text if there is none. Airflow calls this when the task ends.

        :param operator: The operator that sent the message.
        :param ti_key: Airflow's key of the task instance; not used.
        """
        message_id = getattr(operator, "message_id", None)
        if not message_id or not has_store():
            return ""
        return f"{base_url().removesuffix(base_path())}{messages_path(short_id(message_id))}"
