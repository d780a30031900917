"""The link from a task in Airflow's user interface to the page of its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import PAGES_HAVE_ADDRESSES, has_store
from airflow_provider_d360.urls import base_path, base_url, framed_path, messages_path

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class D360MessageLink(BaseOperatorLink):
    """
    Link to the message's page: inside Airflow's user interface from 3.3 on, by itself before.

    The URL holds the short form of the message id, because the id contains the recipient's number.
    """

    name = "WhatsApp Message"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """
        Return the link, or an empty text without one. Airflow calls this when the task ends.

        :param operator: The operator that sent the message.
        :param ti_key: Airflow's key of the task instance; not used.
        """
        message_id = getattr(operator, "message_id", None)
        if not message_id or not has_store():
            return ""
        path = messages_path(short_id(message_id))
        path = framed_path(path) if PAGES_HAVE_ADDRESSES else path
        return base_url().removesuffix(base_path()) + path
