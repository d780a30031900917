"""The tabs above the pages. A new page is a module with its routes, a template, and an entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_d360.pages.access import may_read_inbox
from airflow_provider_d360.pages.addresses import page_path


@dataclass(frozen=True, slots=True)
class Section:
    """
    A tab.

    :param name: Its name, in title case.
    :param path: Returns its address.
    :param may_open: Returns whether a user may open it.
    """

    name: str
    path: Callable[[], str]
    may_open: Callable[[Any], bool] = lambda user: True


MESSAGES = Section("Messages", partial(page_path, "messages"))
ALERTS = Section("Alerts", partial(page_path, "alerts"))
CAMPAIGNS = Section("Campaigns", partial(page_path, "campaigns"))
QUESTIONS = Section("Questions", partial(page_path, "questions"))
INBOX = Section("Inbox", partial(page_path, "inbox"), may_read_inbox)

_SECTIONS = (MESSAGES, ALERTS, CAMPAIGNS, QUESTIONS, INBOX)


def around(section: Section, user: Any) -> dict[str, Any]:
    """
    Return a template's variables for the tabs; an empty dict for a user with only one tab.

    :param section: The section that is open.
    :param user: The user.
    """
    sections = [each for each in _SECTIONS if each.may_open(user)]
    return {"sections": sections if len(sections) > 1 else (), "current": section.name}
