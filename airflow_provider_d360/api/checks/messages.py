"""
A rendered message against WhatsApp's documented limits, before it is sent.

Only what is certain to fail is refused. Where sources disagree, the least strict one counts; unknown types,
keys and components pass. A message refused by mistake is worse than one that WhatsApp refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_d360.api.checks.content import CONTENT, META
from airflow_provider_d360.api.checks.grammar import every, record, switch, tagged, without
from airflow_provider_d360.api.checks.interactives import interactive
from airflow_provider_d360.api.checks.spots import Check, Spot, Violation, look
from airflow_provider_d360.api.checks.templates import template
from airflow_provider_d360.api.checks.values import message_id, text
from airflow_provider_d360.api.hosting import Hosting

__all__ = ["MOST_CALLBACK_DATA", "Violation", "check"]

MOST_CALLBACK_DATA = 512
_ENVELOPE = record(
    None,
    {"context": record({"message_id": message_id}), "biz_opaque_callback_data": text(MOST_CALLBACK_DATA)},
)


def _message(*, direct: bool, namespaced: bool) -> Check:
    kinds = {
        **CONTENT,
        # Direct Send, which the key ``category`` asks for, allows up to ten buttons of several kinds.
        "interactive": interactive(direct=direct),
        "template": template(namespaced=namespaced),
    }
    return every(tagged(kinds), switch({"reaction": without("context")}), _ENVELOPE)


_MESSAGE = {
    (direct, namespaced): _message(direct=direct, namespaced=namespaced)
    for direct in (True, False)
    for namespaced in (True, False)
}


def check(message: Mapping[str, object], hosting: Hosting) -> list[Violation]:
    """
    List all that WhatsApp would refuse in a message.

    Takes whatever JSON can express, and never raises. No violation repeats a value of the message.

    :param message: The message, rendered; files have ids already.
    :param hosting: The hosting that it goes to.
    """
    if look(message, "type") is None and look(message, "text") is not None:
        message = {**message, "type": "text"}  # as WhatsApp itself reads it
    direct = look(message, "category") is not None
    spot = Spot("", f"{META}/reference/whatsapp-business-phone-number/message-api")
    violations = _MESSAGE[direct, hosting.wants_namespace](message, spot)
    # Two checks of the same value may report the same problem.
    return [*{(one.path, one.problem): one for one in violations}.values()]
