"""The messages of a question: with buttons, a list, or quick replies of a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_d360.api.errors import request_error
from airflow_provider_d360.conversations.spec import MOST_BUTTONS, Spec, row_parts
from airflow_provider_d360.messages import buttons, list_picker, quick_reply_button, text

Message = Mapping[str, Any]


def write_question(body: str, spec: Spec, payloads: Sequence[str], list_button: str) -> Message:
    """
    Write a question.

    :param body: What is asked.
    :param spec: What counts as an answer.
    :param payloads: The payload of each choice, for this person.
    :param list_button: The text of the button that opens a list.
    """
    if not spec.choices:
        return text(body)
    titles = [title for _, title in spec.choices]
    if len(titles) <= MOST_BUTTONS:
        return buttons(body, list(zip(payloads, titles, strict=True)))
    rows = []
    for payload, title in zip(payloads, titles, strict=True):
        head, rest = row_parts(title)
        rows.append((payload, head) if rest is None else (payload, head, rest))
    return list_picker(body, list_button, rows)


def write_template(template: Message, payloads: Sequence[str]) -> Message:
    """
    Set the payloads of a template's quick replies: the first button is the first choice.

    :param template: A template message, as :func:`~airflow_provider_d360.messages.template` returns it.
    :param payloads: The payload of each choice, for this person; none for a free answer.
    """
    if not isinstance(template, Mapping):
        raise request_error("template is no message", "Give what template('…') returns.")
    content = dict(template.get("template") or {})
    replies = [
        {"type": "button", **quick_reply_button(payload), "index": str(place)}
        for place, payload in enumerate(payloads)
    ]
    content["components"] = [*(content.get("components") or ()), *replies]
    return {**template, "template": content}
