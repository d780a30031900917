"""What a person can tap on in a message that the number sent: reply buttons, list rows, quick replies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_d360.emulator.events import button_reply
from airflow_provider_d360.emulator.records import JSONObject, SentMessage
from airflow_provider_d360.emulator.template_store import StoredTemplate


def tap(sent: SentMessage, choice: str | int, templates: Sequence[StoredTemplate]) -> JSONObject:
    """
    Make the message of the person who taps on something in a message.

    :param sent: The message.
    :param choice: The id or the title of a button or row, or its place from 0.
    :param templates: The templates that are known: their buttons have titles.
    :raises LookupError: when there is nothing of that name to tap on.
    """
    taps = list(_taps(sent, templates))
    if isinstance(choice, int):
        found = taps[choice : choice + 1] if choice >= 0 else []
    else:
        found = [one for one in taps if choice in one[:2]][:1]
    if not found:
        raise LookupError(f"The message has no button or row {choice!r} to tap on")
    return found[0][2]


def _taps(sent: SentMessage, templates: Sequence[StoredTemplate]) -> Iterator[tuple[str, str, JSONObject]]:
    """List what can be tapped: its id, its title, and the message that a tap makes."""
    action = (sent.body.get("interactive") or {}).get("action") or {}
    for button in action.get("buttons") or ():
        reply = button["reply"]
        yield reply["id"], reply["title"], button_reply(reply["id"], reply["title"])
    for section in action.get("sections") or ():
        for row in section.get("rows") or ():
            if "id" in row:
                yield row["id"], row["title"], _list_reply(row)
    if sent.body.get("type") == "template":
        yield from _quick_replies(sent.body["template"], templates)


def _list_reply(row: JSONObject) -> JSONObject:
    return {"type": "interactive", "interactive": {"type": "list_reply", "list_reply": dict(row)}}


def _quick_replies(
    template: JSONObject, templates: Sequence[StoredTemplate]
) -> Iterator[tuple[str, str, JSONObject]]:
    """List the quick replies whose payload was set; without a known template they are ``Button 0`` and on."""
    titles = _titles(template, templates)
    for component in template.get("components") or ():
        if str(component.get("sub_type")).lower() != "quick_reply":
            continue
        place = int(component["index"])
        title = titles[place] if place < len(titles) else f"Button {place}"
        payload = next((one["payload"] for one in component.get("parameters") or ()), title)
        yield payload, title, {"type": "button", "button": {"payload": payload, "text": title}}


def _titles(template: JSONObject, templates: Sequence[StoredTemplate]) -> list[str]:
    code = (template.get("language") or {}).get("code")
    for known in templates:
        if (known.name, known.language) == (template.get("name"), code):
            parts = known.content.get("components") or ()
            return [
                button.get("text", "")
                for part in parts
                if part.get("type") == "BUTTONS"
                for button in part.get("buttons") or ()
            ]
    return []
