"""The stored form of an alert until everybody got it: its text, its recipients, and its outcomes so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from airflow_provider_d360.alerts import writing
from airflow_provider_d360.alerts.alert import EVENTS, Alert, moment
from airflow_provider_d360.alerts.delivery import Message, PreparedAlert
from airflow_provider_d360.messages import template

LATE_SECONDS = 60.0  # an alert that goes out later says when it happened …
_LATE_SUMMARY_SECONDS = 180.0  # … and so does a summary, which waits by itself

_LONGEST_TEXT = 4096  # of WhatsApp


@dataclass(frozen=True, slots=True)
class AlertContent:
    """
    An alert, rendered, with its recipients.

    :param alert: The alert.
    :param recipients: Who has not got it yet.
    :param key: Names it in the ledger.
    :param place: Where in Airflow it belongs, as the parameters of ``Place``; empty if nowhere.
    :param message: The message instead of the default text.
    :param template: The template of the alert.
    :param language: The language of the templates.
    :param fallback_template: The template for closed 24-hour windows.
    :param notes: What the message adds, such as how many alerts were held back.
    :param doubtful: Those of the recipients who may have got it.
    :param message_ids: The ids of the messages that were accepted.
    :param told: Of a summary: ids and names of the alerts that it reports.
    :param backup: Who gets it if none of the recipients does in time.
    :param delivered_within_seconds: The time for that.
    :param is_backup: This one goes to the backup.
    """

    alert: Alert
    recipients: list[str]
    key: str
    place: dict[str, Any] = field(default_factory=dict)
    message: Any = None
    template: str | None = None
    language: str | None = None
    fallback_template: str | None = None
    notes: list[str] = field(default_factory=list)
    doubtful: list[str] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)
    told: list[list[str]] = field(default_factory=list)
    backup: list[str] = field(default_factory=list)
    delivered_within_seconds: float = 0.0
    is_backup: bool = False

    def to_json(self) -> str:
        """Write it in JSON."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        values["alert"] = {**asdict(self.alert), "event": self.alert.event.name}
        return json.dumps(values, default=str)

    @classmethod
    def from_json(cls, text: str) -> AlertContent:
        """
        Read it.

        :param text: What :meth:`to_json` wrote.
        """
        values = json.loads(text)
        alert = values.pop("alert")
        return cls(alert=Alert(**{**alert, "event": EVENTS[alert["event"]]}), **values)

    def with_note(self, note: str) -> AlertContent:
        """
        Return it with something more to say.

        :param note: The note; an empty one changes nothing.
        """
        return replace(self, notes=[*self.notes, note]) if note else self

    def prepared(self, at: float, now: float) -> PreparedAlert:
        """
        Return the alert, ready to send. A late alert says that it is late.

        :param at: When it happened, in Unix seconds.
        :param now: The time, in Unix seconds.
        """
        is_late = now - at > (_LATE_SUMMARY_SECONDS if self.told else LATE_SECONDS)
        late = f"sent late, this was at {moment(at)}" if is_late else ""
        notes = "; ".join(filter(None, [*self.notes, late]))
        fallback = self._template(self.fallback_template, notes) if self.fallback_template else None
        default = writing.text(self.alert, notes) if self.message else None
        return PreparedAlert(self.recipients, self._payload(notes), fallback, default)

    def _payload(self, notes: str) -> Message:
        if self.template:
            return self._template(self.template, notes)
        if isinstance(self.message, Mapping):
            return _with_notes(self.message, notes)
        if self.message:
            text = f"{self.message}\n({notes})" if notes else str(self.message)
            return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
        return writing.text(self.alert, notes)

    def _template(self, name: str, notes: str) -> Message:
        return template(name, self.language or "en", body=writing.parameters(self.alert, notes))


def _with_notes(message: Mapping[str, Any], notes: str) -> Mapping[str, Any]:
    """Add the notes to a text message; other messages have no place for them."""
    text = message.get("text")
    if not notes or message.get("type") != "text" or not isinstance(text, Mapping):
        return message
    return {**message, "text": {**text, "body": f"{text.get('body')}\n({notes})"}}
