"""
A rendered message against what WhatsApp documents, before it costs anything.

Refused is only what is certain to fail. Where the sources disagree the laxest counts, and types, keys and
components that are not known here pass: a message refused by mistake is worse than one that WhatsApp refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.limits.content import CONTENT, META
from airflow_provider_d360.api.limits.grammar import Check, Spot, Violation, every, look, record, tagged, text
from airflow_provider_d360.api.limits.interactives import interactive
from airflow_provider_d360.api.limits.templates import template

__all__ = ["Violation", "check"]

_ENVELOPE = record(
    None, {"context": record({"message_id": text()}), "biz_opaque_callback_data": text(512, least=0)}
)


def _message(*, direct: bool, namespaced: bool) -> Check:
    kinds = {
        **CONTENT,
        # Direct Send, which the key ``category`` asks for, takes up to ten buttons of several kinds.
        "interactive": interactive(direct=direct),
        "template": template(namespaced=namespaced),
    }
    return every(tagged(kinds), _ENVELOPE)


_MESSAGE = {
    (direct, namespaced): _message(direct=direct, namespaced=namespaced)
    for direct in (True, False)
    for namespaced in (True, False)
}


def check(message: Mapping[str, object], hosting: Hosting) -> list[Violation]:
    """
    List all that WhatsApp would refuse in a message; nothing when there is nothing.

    Takes whatever JSON can hold, and never raises. No violation repeats a value of the message.

    :param message: The message, rendered.
    :param hosting: Where it goes.
    """
    if look(message, "type") is None and look(message, "text") is not None:
        message = {**message, "type": "text"}  # as WhatsApp itself reads it
    direct = look(message, "category") is not None
    spot = Spot("", f"{META}/reference/whatsapp-business-phone-number/message-api")
    found = _MESSAGE[direct, hosting.wants_namespace](message, spot)
    # Two checks of the same value may say the same.
    return [*{(one.path, one.problem): one for one in found}.values()]
