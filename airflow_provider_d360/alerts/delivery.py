"""Sends one alert to all its recipients at once, so that a failure of one delays no other."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_d360.api.attachments import attachments
from airflow_provider_d360.api.errors import Condition, D360Error, D360RequestError, ErrorDetail
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.sending import flows
from airflow_provider_d360.sending.content import check, read_content
from airflow_provider_d360.sending.media import upload_paths
from airflow_provider_d360.sending.redirection import is_refused
from airflow_provider_d360.transport.flows import Flow, Together

if TYPE_CHECKING:
    from airflow_provider_d360.api.endpoints.messages import Sent
    from airflow_provider_d360.hooks.d360 import D360Hook
    from airflow_provider_d360.sending.sender import Sender
    from airflow_provider_d360.transport.settings import ConnectionSettings

Message: TypeAlias = "str | Mapping[str, Any]"
Outcome: TypeAlias = "Sent | D360Error"

log = logging.getLogger(__name__)


def read_recipients(to: object) -> list[str]:
    """
    Read the recipients of an alert, each once.

    Two writings of one number count once. An item that is no text, such as ``None`` or a float, stays in the
    list as text: sending to it fails with an error that names the reason, and the others get their alert.

    :param to: The notifier's ``to``, rendered.
    :raises D360RequestError: when there is nobody.
    """
    given = to if isinstance(to, list | tuple | set | frozenset) else [to or ""]
    everybody = [who.strip() for item in given for who in re.split(r"[,;\n]", str(item))]
    if not any(everybody):
        raise D360RequestError(ErrorDetail("to is empty", "Give the notifier at least one recipient."))
    once: dict[str, str] = {}
    for who in filter(None, everybody):
        once.setdefault(_one_writing(who), who)
    return list(once.values())


def _one_writing(who: str) -> str:
    try:
        return canonical(who)
    except D360RequestError:  # sending says what is wrong, or reads it in the connection's region
        return who


@dataclass(frozen=True, slots=True)
class PreparedAlert:
    """
    An alert that is ready to be sent.

    :param recipients: The recipients.
    :param message: The message that is tried first.
    :param fallback: The template message for recipients whose 24-hour window is closed, if any.
    :param default: The message that is sent when ``message`` itself is rejected, if any.
    :param sender: Who sends it, and which alerts are the same; without it, nothing is recorded.
    :param settle: Called afterwards with whether the alert reached any recipient.
    """

    recipients: list[str]
    message: Message
    fallback: Message | None = None
    default: Message | None = None
    sender: Sender | None = None
    settle: Callable[[bool], None] | None = None


def deliver(settings: ConnectionSettings, alert: PreparedAlert) -> Flow[list[Outcome]]:
    """
    Send an alert, and return the response or the error for each recipient, in order. Files are uploaded once.

    :param settings: The settings of the connection; the hook passes them.
    :param alert: The alert.
    """
    try:
        alert = yield from _upload(settings, alert)
    except D360Error as error:
        return [error for _ in alert.recipients]
    outcomes: list[Outcome] = yield Together([_deliver_to(settings, to, alert) for to in alert.recipients])
    return outcomes


async def adeliver(hook: D360Hook, alert: PreparedAlert) -> list[Outcome]:
    """
    Run :func:`deliver` without blocking the event loop, and close the hook.

    :param hook: The hook of the connection.
    :param alert: The alert.
    """
    try:
        return await hook.arun(deliver, alert)
    finally:
        await hook.aclose()


def _deliver_to(settings: ConnectionSettings, to: str, alert: PreparedAlert) -> Flow[Outcome]:
    message = alert.message
    while True:
        try:
            return (
                yield from flows.send(
                    settings, to, message, sender=alert.sender, on_newline="flatten", marketing=False
                )
            )
        except D360Error as error:
            fallback = _next(alert, message, error)
            if fallback is None:
                return error
            message = fallback


def _upload(settings: ConnectionSettings, alert: PreparedAlert) -> Flow[PreparedAlert]:
    """Upload the files of the message, once for all recipients."""
    if isinstance(alert.message, str) or not attachments(alert.message):
        return alert
    if all(_is_refused(settings, to) for to in alert.recipients):
        return alert  # each send says so
    try:
        content = read_content(alert.message, "flatten")
        check(content, settings.hosting)
        return replace(alert, message=(yield from upload_paths(settings, content)))
    except D360RequestError as error:
        default = _next(alert, alert.message, error)
        if default is None:
            raise
        return replace(alert, message=default)


def _is_refused(settings: ConnectionSettings, to: str) -> bool:
    try:
        return is_refused(settings, canonical(to, default_region=settings.default_region))
    except D360RequestError:
        return True


def _next(alert: PreparedAlert, message: Message, error: D360Error) -> Message | None:
    """Return the next fallback message, or None. Each is tried at most once."""
    condition = error.detail.condition
    if condition is Condition.RECIPIENT_INVALID:
        return None
    if (
        isinstance(error, D360RequestError)
        and message is alert.message
        and alert.default not in (None, message)
    ):
        log.warning("The message is rejected, so the default one goes out: %s", error)
        return alert.default
    if condition is Condition.WINDOW_CLOSED and message is not alert.fallback:
        return alert.fallback
    return None
