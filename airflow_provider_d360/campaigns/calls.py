"""The call that sends one row: everything in it was checked when the campaign was planned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from airflow_provider_d360.api.endpoints.messages import Sent, read_sent
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.normalization import normalize
from airflow_provider_d360.api.privacy import private_strings, public_strings
from airflow_provider_d360.api.wire import Call, json_request
from airflow_provider_d360.campaigns.filling import fill
from airflow_provider_d360.messages import as_message


class CallMaker:
    """
    Makes the calls of a campaign.

    :param hosting: The hosting that it goes to.
    :param message: The message with its columns, as it was frozen.
    """

    def __init__(self, hosting: Hosting, message: Any) -> None:
        self._hosting, self._message = hosting, message
        self._read = partial(read_sent, id_required=hosting.always_returns_id)

    def call(self, payload: str, intent: str) -> Call[Sent]:
        """
        Make a call of one attempt. What comes after an error is decided for the whole campaign.

        :param payload: Recipient and values of the row, in JSON.
        :param intent: What comes back in the statuses of the message.
        """
        to, values = json.loads(payload)
        message: Mapping[str, Any] = fill(self._message, values)
        if isinstance(self._message, str):  # a column with whole messages
            message = normalize(as_message(message))
        recipient = {"to": to} if to[:1].isdecimal() else {"recipient": to}
        body: dict[str, Any] = {
            **self._hosting.product,
            "recipient_type": "individual",
            **recipient,
            **message,
        }
        if self._hosting.names_product:  # the on-premise API does not know it
            body.setdefault("biz_opaque_callback_data", intent)
        return Call(
            json_request("POST", self._hosting.messages, body),
            self._read,
            repeatable=False,
            private=partial(private_strings, body),
            public=partial(public_strings, message),
            single=True,
        )
