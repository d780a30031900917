"""Sending nothing to people who asked for no more messages, or for no more marketing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import (
    Condition,
    D360Error,
    D360RateLimitError,
    D360RecipientError,
    D360UnavailableError,
    ErrorDetail,
)
from airflow_provider_d360.sending.templates import list_templates
from airflow_provider_d360.transport.flows import Flow, Work

if TYPE_CHECKING:
    from airflow_provider_d360.sending.record import SendRecord
    from airflow_provider_d360.transport.settings import ConnectionSettings


def refuse_suppressed(
    settings: ConnectionSettings, content: Mapping[str, Any], marketing: bool | None, record: SendRecord
) -> Flow[None]:
    """
    Raise an error if the recipient must not get this message.

    :param settings: The settings of the connection.
    :param content: The message.
    :param marketing: Whether it is marketing. None: a template is what its category says, which is looked up
        only for people who opted out of marketing; other messages are no marketing.
    :param record: The record of the send.
    :raises D360RecipientError: when the recipient opted out.
    :raises D360UnavailableError: when the list of opt-outs, or the template of a person who opted out of
        marketing, cannot be read. Then nothing was sent.
    """
    opt_out = yield Work(record.find_opt_out)
    if opt_out is None:
        return
    is_about_all = opt_out.scope.value == "all"
    if is_about_all or (yield from _is_marketing(settings, content, marketing)):
        what = "messages" if is_about_all else "marketing messages"
        raise D360RecipientError(
            ErrorDetail(
                f"The recipient asked for no more {what}",
                'Send nothing. If the person wants messages again, "airflow d360 suppression remove" takes '
                "them off the list.",
                details=f"since {opt_out.day}, source {opt_out.source}",
                condition=Condition.OPTED_OUT,
            )
        )


def _is_marketing(
    settings: ConnectionSettings, content: Mapping[str, Any], marketing: bool | None
) -> Flow[bool]:
    template = content.get("template")
    if marketing is not None or not isinstance(template, Mapping):
        return bool(marketing)
    try:
        found = yield from list_templates(settings, name=str(template.get("name")))
    except (D360UnavailableError, D360RateLimitError):
        raise
    except D360Error:  # on hostings without templates, and for keys that may not read them
        return True
    return not found or any((one.category or "").upper() in ("", "MARKETING") for one in found)
