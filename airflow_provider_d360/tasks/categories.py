"""What a task does when WhatsApp gives a template another category than was asked for."""

from __future__ import annotations

from typing import Protocol

from airflow_provider_d360.api.endpoints.templates import changed_category
from airflow_provider_d360.compat import AirflowFailException


class Log(Protocol):
    """The log of a task."""

    def warning(self, event: str, /, *args: object) -> object: ...


def check_category_choice(on_category_change: str) -> None:
    """
    Check the argument ``on_category_change``.

    :param on_category_change: ``warn`` or ``fail``.
    :raises ValueError: for anything else.
    """
    if on_category_change not in ("warn", "fail"):
        raise ValueError(f"on_category_change is {on_category_change!r}; it can be 'warn' or 'fail'")


def report_category(log: Log, on_category_change: str, category: str | None, now: str | None) -> None:
    """
    Warn of a changed category, or fail the task.

    :param log: The task's log.
    :param on_category_change: ``warn`` or ``fail``.
    :param category: The category that was asked for; ``None`` for any.
    :param now: The category that the template has; ``None`` if it is not known.
    :raises AirflowFailException: when the category changed and the choice is ``fail``.
    """
    change = changed_category(category, now)
    if change is None:
        return
    text = f"{change}; its prices and limits apply. Ask for that category, or appeal in the 360dialog Hub."
    if on_category_change == "fail":
        raise AirflowFailException(text)
    log.warning("%s", text)
