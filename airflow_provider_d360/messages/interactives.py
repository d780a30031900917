"""
Interactive messages: buttons, lists, links, flows, requests.

The items of a list that another task returns are not known while the DAG is parsed. Where a builder takes a
list, anything that is neither a list, a tuple nor a dict goes into the message as it is, and must then have
WhatsApp's own shape. The same holds for each choice and each row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypedDict

from airflow_provider_d360.messages.media import DocumentMessage, ImageMessage, VideoMessage
from airflow_provider_d360.messages.values import String, TaskOutput

Title: TypeAlias = "String | ImageMessage | VideoMessage | DocumentMessage | Mapping[str, object]"
Pairs: TypeAlias = "Mapping[str, String] | Sequence[tuple[String, String] | TaskOutput] | TaskOutput"
Rows: TypeAlias = (
    "Mapping[str, String]"
    " | Sequence[tuple[String, String] | tuple[String, String, String] | TaskOutput]"
    " | TaskOutput"
)


class Body(TypedDict):
    """The object under ``body`` and under ``footer``."""

    text: String


class _Interactive(TypedDict):
    type: String


class Interactive(_Interactive, total=False):
    """The object under ``interactive``. The shape of ``action`` depends on ``type``."""

    header: Mapping[str, object]
    body: Body
    footer: Body
    action: Mapping[str, object]


class InteractiveMessage(TypedDict):
    """An interactive message."""

    type: Literal["interactive"]
    interactive: Interactive


def buttons(
    body: String, choices: Pairs, *, header: Title | None = None, footer: String | None = None
) -> InteractiveMessage:
    """
    Build a message with one to three reply buttons.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    :param choices: What a reply brings back, and the button's text, as a dict or as pairs:
        ``{"yes": "Approve", "no": "Reject"}``. At most 256 and 20 characters; both must be unique.
    :param header: A text of at most 60 characters, or what :func:`image`, :func:`video` or :func:`document`
        return.
    :param footer: At most 60 characters.
    """
    return interactive("button", {"buttons": reply_buttons("reply", choices)}, body, header, footer)


def list_picker(
    body: String,
    button: String,
    rows: Rows | None = None,
    *,
    sections: Mapping[str, Rows] | TaskOutput | None = None,
    header: String | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a message with a button that opens a list to pick from: at most 10 rows, in at most 10 sections.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 4096 characters.
    :param button: The button's text; at most 20 characters.
    :param rows: ``{id: title}``, or tuples of id, title and optionally a description. At most 200, 24 and
        72 characters.
    :param sections: ``{title: rows}``, instead of ``rows``. Titles have at most 24 characters.
    :param header: A text of at most 60 characters. Lists have no other headers.
    :param footer: At most 60 characters.
    :raises TypeError: when both ``rows`` and ``sections`` are given, or neither.
    """
    if (rows is None) == (sections is None):
        raise TypeError("list_picker() takes either rows or sections")
    listed: object = sections
    if rows is not None:
        listed = [{"rows": _rows(rows)}]
    elif isinstance(sections, Mapping):
        listed = [{"title": title, "rows": _rows(part)} for title, part in sections.items()]
    return interactive("list", {"button": button, "sections": listed}, body, header, footer)


def cta_url(
    body: String,
    display_text: String,
    url: String,
    *,
    header: Title | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a message with one button that opens a link.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    :param display_text: The button's text; at most 20 characters.
    :param url: The ``http(s)`` address to open.
    :param header: A text of at most 60 characters, or what :func:`image`, :func:`video` or :func:`document`
        return.
    :param footer: At most 60 characters.
    """
    return interactive("cta_url", link_action(display_text, url), body, header, footer)


def flow(
    body: String,
    button: String,
    *,
    flow_id: String | None = None,
    flow_name: String | None = None,
    token: String | None = None,
    screen: String | None = None,
    data: Mapping[str, object] | None = None,
    action: Literal["navigate", "data_exchange"] | None = None,
    mode: Literal["draft", "published"] | None = None,
    header: Title | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a message with a button that opens a WhatsApp Flow.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    :param button: The button's text; at most 30 characters, no emoji.
    :param flow_id: The id of the flow; give this or ``flow_name``.
    :param flow_name: The name of the flow.
    :param token: Comes back with the reply; ``unused`` by default.
    :param screen: The first screen, for ``navigate``.
    :param action: ``navigate`` opens ``screen``; for ``data_exchange`` your endpoint chooses the screen, so
        ``screen`` and ``data`` are left out.
    :param data: The first screen's data; not an empty dict.
    :param mode: ``draft`` sends a flow that is not published yet.
    :param header: A text of at most 60 characters, or what :func:`image`, :func:`video` or :func:`document`
        return.
    :param footer: At most 60 characters.
    :raises TypeError: when both ``flow_id`` and ``flow_name`` are given, or neither.
    """
    if (flow_id is None) == (flow_name is None):
        raise TypeError("flow() takes either flow_id or flow_name")
    payload = without_none(screen=screen, data=data)
    parameters: dict[str, object] = {
        "flow_message_version": "3",
        **without_none(flow_token=token, flow_id=flow_id, flow_name=flow_name),
        "flow_cta": button,
        **without_none(mode=mode, flow_action=action, flow_action_payload=payload or None),
    }
    return interactive("flow", {"name": "flow", "parameters": parameters}, body, header, footer)


def location_request(body: String) -> InteractiveMessage:
    """
    Build a message that asks where the recipient is.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    """
    return interactive("location_request_message", {"name": "send_location"}, body)


def address_request(
    body: String,
    country: String,
    *,
    values: Mapping[str, str] | None = None,
    saved_addresses: Sequence[Mapping[str, object]] | None = None,
    validation_errors: Mapping[str, str] | None = None,
    header: Title | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Build a message that asks for a postal address. It exists in India, formerly also in Singapore.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param body: At most 1024 characters.
    :param country: Two letters, such as ``IN``.
    :param values: The form's values at first, by field.
    :param saved_addresses: Addresses to pick from, each with ``id`` and ``value``.
    :param validation_errors: The errors of an earlier reply, by field.
    :param header: A text of at most 60 characters, or what :func:`image`, :func:`video` or :func:`document`
        return.
    :param footer: At most 60 characters.
    """
    optional = without_none(
        values=values, saved_addresses=saved_addresses, validation_errors=validation_errors
    )
    action = {"name": "address_message", "parameters": {"country": country, **optional}}
    return interactive("address_message", action, body, header, footer)


def call_permission_request(body: String) -> InteractiveMessage:
    """
    Build a message that asks whether you may call the recipient.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you, and needs calling
    switched on for the number.

    :param body: At most 1024 characters.
    """
    return interactive("call_permission_request", {"name": "call_permission_request"}, body)


def voice_call(
    body: String,
    *,
    display_text: String | None = None,
    ttl_minutes: int | None = None,
    payload: String | None = None,
) -> InteractiveMessage:
    """
    Build a message with a button that calls you on WhatsApp.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you, and needs calling
    switched on for the number.

    :param body: At most 1024 characters.
    :param display_text: The button's text; at most 20 characters.
    :param ttl_minutes: How long the button works: from 1 minute to 43200, which is 30 days.
    :param payload: Comes back with the call; at most 512 characters.
    """
    parameters = without_none(display_text=display_text, ttl_minutes=ttl_minutes, payload=payload)
    return interactive(
        "voice_call", {"name": "voice_call", **without_none(parameters=parameters or None)}, body
    )


def interactive(
    type: String,
    action: Mapping[str, object],
    body: String | None = None,
    header: Title | None = None,
    footer: String | None = None,
) -> InteractiveMessage:
    """
    Put an interactive message together that has no builder of its own.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param type: The value of ``interactive.type``.
    :param action: The value of ``interactive.action``.
    :param body: The text, if this type has one.
    :param header: A text, or what :func:`image`, :func:`video` or :func:`document` return.
    :param footer: At most 60 characters.
    """
    content: Interactive = {"type": type}
    if header is not None:
        content["header"] = header if isinstance(header, Mapping) else {"type": "text", "text": header}
    if body is not None:
        content["body"] = {"text": body}
    if footer is not None:
        content["footer"] = {"text": footer}
    content["action"] = action
    return {"type": "interactive", "interactive": content}


def link_action(display_text: String, url: String) -> Mapping[str, object]:
    """
    Build the ``action`` of a link button.

    :param display_text: The button's text; at most 20 characters.
    :param url: The ``http(s)`` address to open.
    """
    return {"name": "cta_url", "parameters": {"display_text": display_text, "url": url}}


def reply_buttons(kind: String, choices: Pairs) -> object:
    """
    Build reply buttons.

    :param kind: ``reply`` for the buttons of a message, ``quick_reply`` for the buttons of a card.
    :param choices: The id and title of each button, as a mapping or as pairs.
    """
    if isinstance(choices, Mapping):
        choices = [*choices.items()]
    if not isinstance(choices, (list, tuple)):
        return choices
    return [
        {"type": kind, kind: dict(zip(("id", "title"), _of_length(pair, 2, 2), strict=True))}
        if isinstance(pair, (list, tuple))
        else _no_text(pair)
        for pair in choices
    ]


def without_none(**values: object) -> dict[str, object]:
    """
    Return the values that are not ``None``, in this order.

    :param values: The values, by key.
    """
    return {name: value for name, value in values.items() if value is not None}


def _rows(rows: Rows) -> object:
    if isinstance(rows, Mapping):
        rows = [*rows.items()]
    if not isinstance(rows, (list, tuple)):
        return rows
    return [
        dict(zip(("id", "title", "description"), _of_length(row, 2, 3), strict=False))
        if isinstance(row, (list, tuple))
        else _no_text(row)
        for row in rows
    ]


def _no_text(choice: object) -> object:
    """Return a choice that is known later; a text alone cannot be one, as it has no id."""
    if isinstance(choice, str) and "{" not in choice:
        raise TypeError(
            "a choice is a text alone; give each the id that a reply brings back: {'yes': 'Yes', 'no': 'No'}"
        )
    return choice


def _of_length(row: Sequence[object], least: int, most: int) -> Sequence[object]:
    if not least <= len(row) <= most:
        names = "(id, title)" if most == least else "(id, title) or (id, title, description)"
        raise TypeError(f"a choice has {len(row)} items; give {names}")
    return row
