"""The hook: from an Airflow connection to calls of 360dialog."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_d360.api.endpoints import accounts, health, messages, webhooks
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.hooks.connections import (
    afind_connection,
    end_of,
    find_connection,
    open_transport,
    webhook_headers,
)
from airflow_provider_d360.hooks.ledgers import find_ledger
from airflow_provider_d360.hooks.place import current_place
from airflow_provider_d360.hooks.receiving import receive
from airflow_provider_d360.hooks.webhooks import webhook_reading, webhook_setting
from airflow_provider_d360.sending import flows
from airflow_provider_d360.sending.identity import read_key
from airflow_provider_d360.sending.sender import Sender
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.settings import ConnectionSettings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_d360.api.endpoints.health import Health
    from airflow_provider_d360.api.wire import Call
    from airflow_provider_d360.sending.sender import SendOptions
    from airflow_provider_d360.transport.flows import Flow

P = ParamSpec("P")
T = TypeVar("T")


class D360Hook(BaseHook):
    """
    Calls 360dialog with the API key of a connection.

    Nothing is looked up or opened before the first call. Every method raises one of the six :mod:`errors
    <airflow_provider_d360.api.errors>`, each with a remedy. Calls are tried again only where it is known
    that nothing was accepted; a message is never sent twice.

    The async methods keep their connections open: end with ``await hook.aclose()``.

    :param d360_conn_id: The connection: API key in the password; extras ``hosting``, ``timeout_seconds``,
        ``max_attempts``, ``messages_per_second``, ``default_region``, ``only_to``, ``redirect_to``,
        ``webhook_username``, ``webhook_password``.
    :param budget_seconds: The time limit of all calls of this hook together, with their waits, counted from
        the moment it is made. By default, each call has a budget of its own: 90 seconds.
    """

    conn_name_attr: ClassVar[str] = "d360_conn_id"
    default_conn_name: ClassVar[str] = "d360_default"
    conn_type: ClassVar[str] = "d360"
    hook_name: ClassVar[str] = "360dialog WhatsApp"
    receive = staticmethod(receive)  # it reads the store, and needs no connection

    def __init__(self, d360_conn_id: str = default_conn_name, *, budget_seconds: float | None = None) -> None:
        super().__init__()
        self.d360_conn_id = d360_conn_id
        self._ends = end_of(budget_seconds)
        self._transport: Transport | None = None
        self._looking_up: Any = weakref.WeakKeyDictionary()  # a lock for each event loop

    def get_conn(self) -> Transport:
        """
        Return the transport that performs this connection's calls. It is made once.

        :raises D360AuthError: when the connection holds no usable key.
        :raises D360RequestError: when another field of it is wrong.
        :raises D360UnavailableError: when there is no such connection.
        """
        if self._transport is None:
            self._transport = open_transport(self._connection)
        return self._transport

    async def aget_conn(self) -> Transport:
        """Do the same as :meth:`get_conn` without blocking the event loop."""
        if self._transport is None:
            async with self._looking_up.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
                if self._transport is None:
                    self._transport = open_transport(await afind_connection(self.d360_conn_id))
        return self._transport

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
        idempotency_key: str | None = None,
        marketing: bool | None = None,
    ) -> messages.Sent:
        """
        Send one message. Success means that it was accepted, not that it arrived.

        :param to: A phone number with country code (:func:`~airflow_provider_d360.api.recipients.address`
            lists what is read; a leading 0 needs the connection's ``default_region``), a business-scoped
            user id, or a group id.
        :param message: A text, anything from :mod:`airflow_provider_d360.messages`, or the same dict by
            hand. Files that it names by ``path`` are uploaded first.
        :param reply_to: The id of the message that this one quotes.
        :param recipient_type: ``individual`` or ``group``.
        :param on_newline: ``flatten`` writes newlines, tabs and runs of spaces in template parameters as one
            space; with ``error`` they are an error, as at WhatsApp.
        :param preflight: Compare a template message with the approved template first; one more request.
        :param biz_opaque_callback_data: A string that comes back in each status; at most 512 characters.
        :param idempotency_key: Names what must be sent once to this recipient, for ever. By default, that is
            this message of the running task in this run (see ``docs/once.md``); outside a task, each call
            sends.
        :param marketing: Whether it is marketing, which people may have opted out of. By default, a template
            is what its category says, and other messages are not (``docs/opt-outs.md``).
        :raises D360RequestError: before anything is sent, when the message breaks a documented limit.
        :raises D360RecipientError: when the recipient opted out, or cannot get it.
        :raises D360RateLimitError: when this number may not send for more than a minute.
        :raises D360AmbiguousError: when the response was lost, so that the message may have been accepted.
        """
        return self.run(
            flows.send,
            to,
            message,
            sender=self._sender(idempotency_key),
            reply_to=reply_to,
            recipient_type=recipient_type,
            on_newline=on_newline,
            preflight=preflight,
            biz_opaque_callback_data=biz_opaque_callback_data,
            marketing=marketing,
        )

    async def asend(
        self,
        to: str,
        message: str | Mapping[str, Any],
        *,
        idempotency_key: str | None = None,
        **options: Unpack[SendOptions],
    ) -> messages.Sent:
        """
        Do the same as :meth:`send` without blocking the event loop.

        :param to: As in :meth:`send`.
        :param message: A text, or a message dict.
        :param idempotency_key: As in :meth:`send`.
        :param options: The other parameters of :meth:`send`.
        """
        return await self.arun(flows.send, to, message, sender=self._sender(idempotency_key), **options)

    def _sender(self, idempotency_key: str | None) -> Sender:
        return Sender(
            conn_id=self.d360_conn_id,
            find_ledger=find_ledger,
            place=current_place(),
            key=read_key(idempotency_key),
        )

    def mark_as_read(self, message_id: str, *, typing: bool = False) -> None:
        """
        Mark a received message as read, which its sender sees.

        :param message_id: The id of the received message.
        :param typing: Show *typing…* too, for at most 25 seconds; not on on-premise.
        """
        self.call(messages.mark_as_read(self._hosting, message_id, typing=typing))

    def get_webhook(self, level: str = "number") -> webhooks.WebhookConfig:
        """
        Read the webhook's URL and headers. The headers are secrets.

        :param level: ``number``, or ``waba`` for the whole account (cloud only).
        """
        return self.call(webhook_reading(self._hosting, level))

    def configure_webhook(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        level: str = "number",
        override_all: bool = False,
    ) -> None:
        """
        Set the webhook's URL and headers, in place of the present ones.

        The connection's ``webhook_username`` and ``webhook_password`` become the ``Authorization`` header.

        :param url: An ``https`` URL with a valid certificate; on cloud without ``_`` and port in its host.
        :param headers: Further headers, which 360dialog sends with each delivery.
        :param level: ``number``, or ``waba`` for the whole account: that takes effect some 20 seconds later.
        :param override_all: On the ``waba`` level: replace the webhooks of single numbers as well.
        :raises D360RequestError: when the URL, the headers or the level are not possible.
        """
        webhooks.check_webhook_url(self._hosting, url)
        all_headers = self.webhook_headers(headers)
        self.call(webhook_setting(self._hosting, url, all_headers, level=level, override_all=override_all))

    def webhook_headers(self, headers: Mapping[str, str] | None = None) -> dict[str, str]:
        """
        Return the headers of the webhook, with the connection's webhook login; logs mask their values.

        :param headers: Further headers.
        :raises D360RequestError: when the login is given a second time, or Basic authorization by hand.
        """
        return webhook_headers(self._connection, headers)

    def health(self) -> Health:
        """Read whether this number is able to send; not on the sandbox."""
        return self.call(health.health(self._hosting))

    def call(self, call: Call[T]) -> T:
        """
        Perform any call, such as one from :mod:`airflow_provider_d360.api.endpoints`.

        :param call: The call.
        :raises D360Error: the one of the six that fits.
        """
        return self.get_conn().perform(call, ends=self._ends)

    async def acall(self, call: Call[T]) -> T:
        """
        Do the same as :meth:`call` without blocking the event loop.

        :param call: The call.
        """
        return await (await self.aget_conn()).aperform(call, ends=self._ends)

    def run(
        self,
        flow: Callable[Concatenate[ConnectionSettings, P], Flow[T]],
        /,
        *args: P.args,
        **options: P.kwargs,
    ) -> T:
        """
        Run a flow, such as ``upload_media`` or ``list_templates``: ``hook.run(upload_media, path)``.

        :param flow: A generator function. Its first parameter, the settings of the connection, is passed by
            the hook.
        :param args: Its other arguments.
        :param options: Its keyword arguments.
        :raises D360Error: from its calls.
        """
        transport = self.get_conn()
        return transport.run(flow(self._in_time(transport), *args, **options), ends=self._ends)

    async def arun(
        self,
        flow: Callable[Concatenate[ConnectionSettings, P], Flow[T]],
        /,
        *args: P.args,
        **options: P.kwargs,
    ) -> T:
        """
        Do the same as :meth:`run` without blocking the event loop.

        :param flow: A generator function, as in :meth:`run`.
        :param args: Its other arguments.
        :param options: Its keyword arguments.
        """
        transport = await self.aget_conn()
        return await transport.arun(flow(self._in_time(transport), *args, **options), ends=self._ends)

    async def aclose(self) -> None:
        """Close the connections of the async methods. The next call opens new ones."""
        if self._transport:
            await self._transport.aclose()

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the connection works, for Airflow's *Test* button, and a text without any secret."""
        from airflow_provider_d360.hooks.probe import test

        return test(self.d360_conn_id, self.run)

    @property
    def _hosting(self) -> Hosting:
        return self.get_conn().settings.hosting

    @cached_property
    def _connection(self) -> Any:
        return find_connection(self.d360_conn_id)

    def _in_time(self, transport: Transport) -> ConnectionSettings:
        """Return a transport's settings with what is left of the hook's budget."""
        if self._ends is None:
            return transport.settings
        return replace(transport.settings, budget_seconds=max(0.0, self._ends - time.monotonic()))

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the standard fields of the connection form; for Airflow 3.1 only."""
        from airflow_provider_d360.hooks.form import field_behaviour

        return field_behaviour()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the connection form; for Airflow 3.1 only."""
        from airflow_provider_d360.hooks.form import widgets

        return widgets()

    def get_business_profile(self) -> accounts.BusinessProfile:
        """Read the profile that people see of the business."""
        return self.call(accounts.get_business_profile(self._hosting))

    def set_business_profile(self, **fields: str | Sequence[str]) -> None:
        """
        Change the business profile. Fields that are not given stay as they are.

        :param fields: ``address``, ``description``, ``email``, ``vertical``, ``websites``; on cloud also
            ``about`` and ``profile_picture_handle``.
        :raises D360RequestError: when a field is unknown to the hosting, or too long.
        """
        self.call(accounts.set_business_profile(self._hosting, **fields))

    def block_users(self, users: Sequence[str]) -> accounts.BlockOutcome:
        """
        Block people, who can then no longer write to this number. They must have written within 24 hours.

        :param users: Phone numbers or business-scoped user ids: at most 1000, on on-premise one phone number.
            Numbers are read as ``to`` of :meth:`send` is.
        """
        region = self.get_conn().settings.default_region
        return self.call(accounts.block_users(self._hosting, users, default_region=region))

    def unblock_users(self, users: Sequence[str]) -> accounts.BlockOutcome:
        """
        Unblock people; cloud only.

        :param users: Phone numbers or business-scoped user ids, at most 1000.
        """
        region = self.get_conn().settings.default_region
        return self.call(accounts.unblock_users(self._hosting, users, default_region=region))
