"""The hook: an Airflow connection in, calls to 360dialog out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from airflow_provider_d360.api import calls
from airflow_provider_d360.api.errors import (
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360RequestError,
    D360UnavailableError,
    Refusal,
)
from airflow_provider_d360.api.hosting import ON_PREMISE, Hosting
from airflow_provider_d360.compat import get_connection_async
from airflow_provider_d360.hooks.connections import read_account, webhook_login
from airflow_provider_d360.hooks.content import check, check_template, read_content, template_name
from airflow_provider_d360.hooks.media import aupload_paths, upload_paths
from airflow_provider_d360.hooks.pace import pace
from airflow_provider_d360.hooks.templates import alist_templates, list_templates
from airflow_provider_d360.transport import Account, Transport

if TYPE_CHECKING:
    from airflow_provider_d360.api.results import Health, Sent, WebhookConfig
    from airflow_provider_d360.api.wire import Call

T = TypeVar("T")
log = logging.getLogger(__name__)


class D360Hook(BaseHook):
    """
    Talk to 360dialog as the number whose key a connection holds.

    Nothing is looked up or opened before the first call. Every method raises one of the six :mod:`errors
    <airflow_provider_d360.api.errors>`, each with a remedy. Calls are tried again only where it is known
    that nothing was accepted; a message is never sent twice.

    The async methods keep their connections open: end with ``await hook.aclose()``.

    :param d360_conn_id: The connection: API key in the password; extras ``hosting``, ``timeout_seconds``,
        ``max_attempts``, ``messages_per_second``, ``webhook_username``, ``webhook_password``.
    :param budget_seconds: The longest that all calls of this hook may take together, with their waits,
        counted from its making on. Without it, each call has a budget of its own.
    """

    conn_name_attr: ClassVar[str] = "d360_conn_id"
    default_conn_name: ClassVar[str] = "d360_default"
    conn_type: ClassVar[str] = "d360"
    hook_name: ClassVar[str] = "360dialog WhatsApp"

    def __init__(self, d360_conn_id: str = default_conn_name, *, budget_seconds: float | None = None) -> None:
        super().__init__()
        self.d360_conn_id = d360_conn_id
        self._ends = None if budget_seconds is None else time.monotonic() + budget_seconds
        self._transport: Transport | None = None

    def get_conn(self) -> Transport:
        """Give the transport that performs this connection's calls."""
        if self._transport is None:
            self._transport = _open(read_account(self._connection))
        return self._in_time(self._transport)

    def send(
        self,
        to: str,
        message: str | Mapping[str, Any],
        *,
        reply_to: str | None = None,
        recipient_type: str = "individual",
        on_newline: str = "error",
        preflight: bool = False,
        biz_opaque_callback_data: str | None = None,
    ) -> Sent:
        """
        Send one message. Success means that it was accepted, not that it arrived.

        :param to: A phone number with country code in any usual writing, a business-scoped user id, or a
            group id.
        :param message: A text, anything from :mod:`airflow_provider_d360.messages`, or the same dict by
            hand.
        :param reply_to: The id of the message that this one quotes.
        :param recipient_type: ``individual`` or ``group``.
        :param on_newline: ``flatten`` writes newlines and the like in template parameters on one line;
            ``error`` refuses them, as WhatsApp would.
        :param preflight: Compare a template message with the template that was approved, before it is sent.
        :param biz_opaque_callback_data: Comes back in each status of the message. At most 512 characters;
            cloud and sandbox only.
        :raises D360RequestError: before anything is sent, when the message breaks a documented limit.
        :raises D360AmbiguousError: when the answer was lost, so that the message may be on its way.
        """
        call = self.prepare(
            to,
            message,
            reply_to=reply_to,
            recipient_type=recipient_type,
            on_newline=on_newline,
            preflight=preflight,
            biz_opaque_callback_data=biz_opaque_callback_data,
        )
        return self.call(call)

    def prepare(
        self,
        to: str,
        message: str | Mapping[str, Any],
        *,
        reply_to: str | None = None,
        recipient_type: str = "individual",
        on_newline: str = "error",
        preflight: bool = False,
        biz_opaque_callback_data: str | None = None,
    ) -> Call[Sent]:
        """
        Do all of :meth:`send` but the sending: check, upload, wait for this number's turn.

        What is left is one :meth:`call`, before which nothing can have reached anybody.
        """
        transport = self.get_conn()
        content = read_content(message, on_newline)
        check(content, transport.account.hosting)
        if preflight:
            check_template(content, list_templates(transport, name=template_name(content)))
        content = upload_paths(transport, content)
        call = calls.send_message(
            transport.account.hosting,
            to,
            content,
            recipient_type=recipient_type,
            reply_to=reply_to,
            biz_opaque_callback_data=biz_opaque_callback_data,
        )
        time.sleep(pace(transport.account, to, recipient_type))
        return call

    async def asend(
        self,
        to: str,
        message: str | Mapping[str, Any],
        *,
        reply_to: str | None = None,
        recipient_type: str = "individual",
        on_newline: str = "error",
        preflight: bool = False,
        biz_opaque_callback_data: str | None = None,
    ) -> Sent:
        """Do the same as :meth:`send` without blocking the event loop."""
        transport = await self.aget_conn()
        content = read_content(message, on_newline)
        check(content, transport.account.hosting)
        if preflight:
            check_template(content, await alist_templates(transport, name=template_name(content)))
        content = await aupload_paths(transport, content)
        call = calls.send_message(
            transport.account.hosting,
            to,
            content,
            recipient_type=recipient_type,
            reply_to=reply_to,
            biz_opaque_callback_data=biz_opaque_callback_data,
        )
        await asyncio.sleep(pace(transport.account, to, recipient_type))
        return await self.acall(call)

    def mark_as_read(self, message_id: str, *, typing: bool = False) -> None:
        """
        Tell the sender of a message that it was read.

        :param message_id: The id of the message that was received.
        :param typing: Show *typing…* too, for at most 25 seconds; not on on-premise.
        """
        self.call(calls.mark_as_read(self._hosting, message_id, typing=typing))

    def get_webhook(self, level: str = "number") -> WebhookConfig:
        """
        Read where deliveries go. The headers in it are secrets.

        :param level: ``number``, or ``waba`` for the whole account (cloud only).
        """
        read = calls.get_waba_webhook if _is_waba(level) else calls.get_webhook
        return self.call(read(self._hosting))

    def configure_webhook(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        level: str = "number",
        override_all: bool = False,
    ) -> None:
        """
        Set where deliveries go, in place of what is set now.

        The connection's ``webhook_username`` and ``webhook_password`` become the ``Authorization`` header.

        :param url: An ``https`` URL with a valid certificate; on cloud without ``_`` and port in its host.
        :param headers: More headers for 360dialog to send with each delivery.
        :param level: ``number``, or ``waba`` for the whole account: that takes effect some 20 seconds later.
        :param override_all: On the ``waba`` level: take the place of webhooks of single numbers as well.
        """
        self.check_webhook_url(url)
        wanted = self.webhook_headers(headers)
        if _is_waba(level):
            self.call(calls.set_waba_webhook(self._hosting, url, wanted, override_all=override_all))
        else:
            self.call(calls.set_webhook(self._hosting, url, wanted))

    def check_webhook_url(self, url: str) -> None:
        """
        Check a URL against the webhook rules of this connection's hosting.

        :raises D360RequestError: naming the rule that it breaks.
        """
        calls.check_webhook_url(self._hosting, url)

    def webhook_headers(self, headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """
        Put together the headers that deliveries shall carry, the connection's webhook login among them.

        :raises D360RequestError: when the login is given a second time, or Basic authorization by hand.
        """
        wanted = {str(name): str(value) for name, value in (headers or {}).items()}
        login = webhook_login(self._connection)
        given = next((value for name, value in wanted.items() if name.lower() == "authorization"), None)
        if given is not None and (login or given.lower().startswith("basic")):
            title = f"headers hold Authorization, which belongs to the connection {self.d360_conn_id!r}"
            raise D360RequestError(Refusal(title, "Use its webhook_username and webhook_password instead."))
        for value in (
            *wanted.values(),
            *login.values(),
            *(value.partition(" ")[2] for value in login.values()),
        ):
            mask_secret(value)
        return {**wanted, **login}

    def health(self) -> Health:
        """Ask whether this number is able to send; not on the sandbox."""
        return self.call(calls.health(self._hosting))

    def call(self, call: Call[T]) -> T:
        """Perform any call, such as one from :mod:`airflow_provider_d360.api.calls`."""
        return self.get_conn().perform(call)

    async def acall(self, call: Call[T]) -> T:
        """Do the same as :meth:`call` without blocking the event loop."""
        return await (await self.aget_conn()).aperform(call)

    async def aclose(self) -> None:
        """Close what the async methods opened."""
        if self._transport:
            await self._transport.aclose()

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection without changing anything. The texts are fixed, so no secret can be in them."""
        try:
            account = self.get_conn().account
        except D360Error as error:
            return False, str(error)
        except Exception as error:  # noqa: BLE001 - Airflow shows what is returned, and nothing that is raised
            return False, f"The connection cannot be read: {type(error).__name__}."
        try:
            return self._probe(account.hosting)
        except D360Error as error:
            return False, _explain(error)
        except Exception as error:  # noqa: BLE001
            return False, f"The test failed unexpectedly: {type(error).__name__}."

    def _probe(self, hosting: Hosting) -> tuple[bool, str]:
        if not hosting.names_product or hosting.health is None:
            configured = "A webhook is set." if self.get_webhook().url else "No webhook is set yet."
            return True, f"The API key works ({hosting.name}). {configured}"
        state = self.health().can_send_message.upper()
        if state == "BLOCKED":
            return False, "The API key works, but the account is BLOCKED from sending; see the 360dialog Hub."
        if state == "LIMITED":
            return True, "The API key works, but the account is LIMITED in sending; see the 360dialog Hub."
        return True, f"The API key works ({hosting.name}). The number is able to send messages."

    @property
    def _hosting(self) -> Hosting:
        return self.get_conn().account.hosting

    @cached_property
    def _connection(self) -> Any:
        return self.get_connection(self.d360_conn_id)

    async def aget_conn(self) -> Transport:
        """Do the same as :meth:`get_conn` without blocking the event loop."""
        if self._transport is None:
            self._transport = _open(read_account(await get_connection_async(self.d360_conn_id)))
        return self._in_time(self._transport)

    def _in_time(self, transport: Transport) -> Transport:
        """Leave a transport what is left of the hook's budget."""
        if self._ends is not None:
            left = max(0.0, self._ends - time.monotonic())
            transport.account = replace(transport.account, budget_seconds=left)
            transport.ends = self._ends
        return transport

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Describe the standard fields of the connection form; read by Airflow 3.1 only."""
        from airflow_provider_d360.hooks.form import field_behaviour

        return field_behaviour()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Describe the extra fields of the connection form; read by Airflow 3.1 only."""
        from airflow_provider_d360.hooks.form import widgets

        return widgets()


def _open(account: Account) -> Transport:
    if account.hosting is ON_PREMISE:
        _warn_of_on_premise()
    return Transport(account)


@cache
def _warn_of_on_premise() -> None:
    log.warning(
        "Meta switched the on-premise API off in October 2025: move this number to the cloud hosting."
    )


def _is_waba(level: str) -> bool:
    if level not in ("number", "waba"):
        raise D360RequestError(Refusal(f"level is {level!r}", "Use 'number' or 'waba'."))
    return level == "waba"


def _explain(error: D360Error) -> str:
    status = error.refusal.http_status
    if isinstance(error, D360AuthError):
        known = "The API key is wrong or expired." if status == 401 else "The account may not do this."
        return f"{known} See the 360dialog Hub."
    if isinstance(error, D360RateLimitError):
        return "The API key was not judged: too many requests. Try again in a minute."
    if isinstance(error, D360UnavailableError) and status is None:
        return "The host cannot be reached: check the network, the proxy and the connection's host."
    if isinstance(error, D360UnavailableError):
        return f"The host does not answer as 360dialog does (HTTP {status}): check the host, or try later."
    return f"The host does not know this request (HTTP {status}): check the connection's host and hosting."
