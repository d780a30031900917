"""The call that sends one row: everything in it was checked when the campaign was planned."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from json.encoder import encode_basestring
from typing import Any

from airflow_provider_d360.api.endpoints.messages import Sent, read_sent
from airflow_provider_d360.api.normalization import normalize
from airflow_provider_d360.api.privacy import private_strings, public_strings
from airflow_provider_d360.api.wire import Call, Request, json_request
from airflow_provider_d360.campaigns.filling import fill
from airflow_provider_d360.messages import as_message
from airflow_provider_d360.messages.columns import COLUMN
from airflow_provider_d360.sending.redirection import Outgoing, redirect
from airflow_provider_d360.transport.settings import ConnectionSettings

_INTENT = "biz_opaque_callback_data"


class CallMaker:
    """
    Makes the calls of a campaign.

    The body is written in JSON once, and texts are put into it: that takes a tenth of the time.

    :param settings: The connection that it goes through. On a test system, it redirects messages.
    :param message: The message with its columns, as it was frozen.
    """

    def __init__(self, settings: ConnectionSettings, message: Any) -> None:
        hosting = settings.hosting
        self._settings, self._hosting, self._message = settings, hosting, message
        self._read = partial(read_sent, id_required=hosting.always_returns_id)
        self._request = json_request("POST", hosting.messages, {})
        self._pieces: list[str] = []  # JSON, the name of a column, JSON, …
        is_redirected = settings.restriction is not None
        has_own_intent = isinstance(message, str) or _INTENT in message
        if hosting.names_product and not has_own_intent and not is_redirected:
            envelope = {**hosting.product, "recipient_type": "individual", **message}
            text = json_request("POST", hosting.messages, envelope).body.decode()
            self._pieces = COLUMN.split(text[:-1])  # recipient and intent follow in the same object

    def call(self, payload: str, intent: str) -> Call[Sent]:
        """
        Make a call of one attempt. What comes after an error is decided for the whole campaign.

        :param payload: Recipient and values of the row, in JSON.
        :param intent: What comes back in the statuses of the message.
        """
        to, values = json.loads(payload)
        if self._pieces and to.isdecimal() and all(type(value) is str for value in values.values()):
            request = self._fast_request(to, values, intent)
            return self._of(request, to, partial(self._content, values), intent)
        out = redirect(self._settings, Outgoing(to, "individual", self._content(values)))
        body = {**self._envelope(out.to, intent), **out.content}
        request = json_request("POST", self._hosting.messages, body)
        return self._of(request, out.to, lambda: out.content, intent)

    def _of(
        self, request: Request, to: str, content: Callable[[], Mapping[str, Any]], intent: str
    ) -> Call[Sent]:
        return Call(
            request,
            self._read,
            repeatable=False,
            private=lambda: private_strings({**self._envelope(to, intent), **content()}),
            public=lambda: public_strings(content()),
            single=True,
        )

    def _envelope(self, to: str, intent: str) -> dict[str, Any]:
        key = "to" if to[:1].isdecimal() else "recipient"
        envelope = {**self._hosting.product, "recipient_type": "individual", key: to}
        if self._hosting.names_product:  # the on-premise API does not know it
            envelope[_INTENT] = intent
        return envelope

    def _fast_request(self, to: str, values: Mapping[str, str], intent: str) -> Request:
        pieces = list(self._pieces)
        for place in range(1, len(pieces), 2):
            pieces[place] = encode_basestring(values[pieces[place]])[1:-1]
        body = f'{"".join(pieces)},"to":"{to}","{_INTENT}":"{intent}"}}'
        return Request(
            self._request.method, self._request.path, self._request.headers, body.encode("utf-8", "replace")
        )

    def _content(self, values: Mapping[str, Any]) -> dict[str, Any]:
        message: Any = fill(self._message, values)
        if isinstance(self._message, str):  # a column with whole messages
            message = normalize(as_message(message))
        return dict(message)
