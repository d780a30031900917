"""
Announces problems of templates, numbers, accounts and keys by another way than WhatsApp.

``[d360] notice_notifier`` names it: any notifier of Airflow. The receiver announces, the process of an alert,
and ``airflow d360 deliver-due``.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.alerts.delivery import Outcome
from airflow_provider_d360.api.errors import Condition, D360Error
from airflow_provider_d360.api.notices import key_notice

if TYPE_CHECKING:
    from airflow_provider_d360.store import Notice, Store

log = logging.getLogger(__name__)

_MOST_NAMED = 10


def note_key(store: Store, conn_id: str, outcomes: Sequence[Outcome]) -> None:
    """
    Write down that the key of a connection is rejected, or no longer.

    :param store: The store.
    :param conn_id: The Airflow connection.
    :param outcomes: The outcomes of messages that were sent through it.
    """
    errors = [outcome for outcome in outcomes if isinstance(outcome, D360Error)]
    if any(error.detail.condition is Condition.KEY_REJECTED for error in errors):
        store.add([key_notice(conn_id, is_accepted=False)], time.time())
    elif len(errors) < len(outcomes):
        accept_key(store, conn_id)


def accept_key(store: Store, conn_id: str) -> None:
    """
    End what was written down about a key that was rejected.

    :param store: The store.
    :param conn_id: The Airflow connection, whose key is known to be accepted.
    """
    now, accepted = time.time(), key_notice(conn_id, is_accepted=True)
    known = store.notices.current(now)
    if any((notice.subject, notice.kind) == (accepted.subject, accepted.kind) for notice in known):
        store.add([accepted], now)


def announce(store: Store, notify: Callable[[str], object]) -> None:
    """
    Announce each bad state that was not announced yet. If it fails, it can be tried again after five minutes.

    :param store: Where notices are. It decides which of several processes announces.
    :param notify: Sends a text to people. It may block and raise.
    """
    notices = store.notices.claim(time.time())
    if notices:
        notify(describe_notices(notices))
        store.notices.confirm(notices)
        log.info("Announced what is wrong: %d notices", len(notices))


def announce_as_configured(store: Store) -> None:
    """
    Announce through the configured notifier, if there is one. What goes wrong is logged.

    :param store: Where notices are.
    """
    try:
        notify = configured_notify()
        if notify is not None:
            announce(store, notify)
    except Exception as error:  # noqa: BLE001 - of any notifier; alerts must go on
        log_failure(error)


def log_failure(error: Exception) -> None:
    """
    Log that an announcement failed.

    :param error: The error. Its text is left out: it may hold the address or token of the other service.
    """
    log.error(
        "What is wrong with WhatsApp could not be announced: %s. It is tried again in five minutes; see "
        "[d360] notice_notifier.",
        type(error).__name__,
    )


def describe_notices(notices: Sequence[Notice]) -> str:
    """
    Write notices for people: a line each with what is wrong and what to do, ten at most, and how many more.

    :param notices: The notices.
    """
    lines = [f"WhatsApp reports: {notice.describe()}" for notice in notices[:_MOST_NAMED]]
    if more := len(notices) - len(lines):
        lines.append(f"And {more} more: see the page WhatsApp in Airflow.")
    return "\n".join(lines)


def configured_notify() -> Callable[[str], object] | None:
    """
    Return a function that sends a text through ``[d360] notice_notifier``; None if no notifier is configured.

    The notifier is imported and made when there is something to send. Each of its template fields may hold
    ``{{ notice }}``.

    :raises ValueError: ``notice_notifier_kwargs`` is no JSON object.
    """
    from airflow_provider_d360.compat import conf

    path = conf.get("d360", "notice_notifier", fallback="").strip()
    if not path:
        return None
    try:
        kwargs = json.loads(conf.get("d360", "notice_notifier_kwargs", fallback="").strip() or "{}")
    except ValueError:
        kwargs = None
    if "." not in path or not isinstance(kwargs, dict):
        raise ValueError(
            "[d360] notice_notifier must be the import path of a notifier, and notice_notifier_kwargs a JSON "
            'object with its arguments, such as {"text": "{{ notice }}"}'
        )
    return partial(_notify, path, kwargs)


def _notify(path: str, kwargs: Mapping[str, Any], text: str) -> None:
    from importlib import import_module

    module, _, name = path.rpartition(".")
    notifier = getattr(import_module(module), name)(**kwargs)
    context = {"notice": text}
    # Not by calling it: that logs what went wrong with all its text, and on Airflow 3.1 raises nothing.
    notifier.render_template_fields(context)
    notifier.notify(context)
