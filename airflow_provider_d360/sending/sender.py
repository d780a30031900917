"""Who sends a message, and what counts as the same message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from airflow_provider_d360.sending.identity import Place

if TYPE_CHECKING:
    from airflow_provider_d360.store.ledger import Ledger
    from airflow_provider_d360.transport.flows import Flow


@dataclass(frozen=True, slots=True)
class Sender:
    """
    Who sends, and what counts as the same message.

    :param conn_id: The Airflow connection.
    :param find_ledger: A flow that returns the ledger, or None without one. It may raise
        ``D360UnavailableError``.
    :param source: ``task``, ``hook`` or ``alert``.
    :param place: Where in Airflow; None outside a task.
    :param key: An idempotency key, if there is one.
    :param own_key: Whether a user gave the key.
    :param resend: After *Clear*, send again what went out before.
    :param resend_unknown: Send again what may have gone out.
    :param proof_seconds: After a lost response, how long to wait for a status that proves acceptance.
    :param required: Send nothing while the ledger cannot be read. Otherwise, send without it.
    """

    conn_id: str
    find_ledger: Callable[[], Flow[Ledger | None]]
    source: str = "hook"
    place: Place | None = None
    key: str | None = None
    own_key: bool = True
    resend: bool = False
    resend_unknown: bool = False
    proof_seconds: float = 0.0
    required: bool = True


class SendOptions(TypedDict, total=False):
    """Optional parameters of :meth:`~airflow_provider_d360.hooks.d360.D360Hook.send`."""

    reply_to: str | None
    recipient_type: str
    on_newline: str
    preflight: bool
    biz_opaque_callback_data: str | None
    marketing: bool | None
