"""Alerts, written as a text or as the parameters of a template."""

from __future__ import annotations

from airflow_provider_d360.alerts.alert import Alert, capitalised, flat, moment

# With these limits, the text and the template of docs/alerting.md stay below 1024 characters.
_LONGEST_NAME = 80
_LONGEST_ERROR = 240
_LONGEST_LINK = 300
_LEAST_LOG = 20
_EMPTY = "-"  # WhatsApp rejects empty parameters


def text(alert: Alert, repeats: str = "") -> str:
    """
    Return an alert as a text of at most 1024 characters, and the lines of the log.

    :param alert: The alert.
    :param repeats: What was held back, from :func:`repeated`.
    """
    lines = [f"{alert.event.mark} {alert.event.headline}"]
    facts = {
        "DAG": alert.dag,
        "Task": alert.where,
        "Run": alert.run,
        "Try": alert.attempt,
    }
    lines += [f"{name}: {_cut(value, _LONGEST_NAME)}" for name, value in facts.items() if value]
    lines += [_cut(alert.details, _LONGEST_ERROR)] if alert.details else []
    lines += [capitalised(repeats)] if repeats else []
    lines += [f"Log:\n{alert.log}"] if alert.log else []
    lines += [alert.link] if 0 < len(alert.link) <= _LONGEST_LINK else []
    return "\n".join(lines)


def parameters(alert: Alert, repeats: str = "") -> list[str]:
    """
    Return the seven parameters of the alert template: event, DAG, task, run, try, reason, link.

    :param alert: The alert.
    :param repeats: What was held back, from :func:`repeated`.
    """
    details = _cut(flat(alert.details), _LONGEST_ERROR)
    if repeats:
        details = f"{details} ({repeats})" if details else repeats
    details = _with_end(details, flat(alert.log))
    values = [
        alert.event.headline,
        *(_cut(name, _LONGEST_NAME) for name in (alert.dag, alert.where, alert.run)),
        alert.attempt,
        details,
        alert.link if len(alert.link) <= _LONGEST_LINK else "",
    ]
    return [flat(value) or _EMPTY for value in values]


def repeated(count: int, since: float) -> str:
    """
    Return how many alerts were held back, as a text: ``and 12 more since 2026-07-01 14:02 UTC``.

    :param count: The number; 0 gives an empty text.
    :param since: When the last alert was sent, in Unix seconds.
    """
    return f"and {count} more since {moment(since)}" if count else ""


def _with_end(details: str, log: str) -> str:
    """Add the end of the log, as far as there is room: a template has no place of its own for it."""
    room = _LONGEST_ERROR - len(details) - 4
    if not log or room < _LEAST_LOG:
        return details
    end = log if len(log) <= room else f"…{log[1 - room :]}"
    return f"{details} | {end}" if details else end


def _cut(value: str, longest: int) -> str:
    return value if len(value) <= longest else f"{value[: longest - 1]}…"
