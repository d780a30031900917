"""Opt-outs of our own: flows that add people to the list and take them off it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_d360.api.errors import D360UnavailableError, ErrorDetail, request_error
from airflow_provider_d360.api.recipients import canonical
from airflow_provider_d360.hooks.ledgers import find_ledger
from airflow_provider_d360.transport.flows import Flow, Work
from airflow_provider_d360.transport.settings import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_d360.store.ledger import Ledger
    from airflow_provider_d360.store.suppression import Suppressions

T = TypeVar("T")
SCOPES = ("all", "marketing")


def suppress(
    settings: ConnectionSettings,
    /,
    to: str | Iterable[str],
    *,
    scope: str = "all",
    reason: str | None = None,
    source: str = "hook",
) -> Flow[int]:
    """
    Stop writing to people: ``hook.run(suppress, "447700900123", scope="marketing")``.

    From then on, every message to them is an error, or skipped: see ``docs/opt-outs.md``.

    :param settings: The settings of the connection; the hook passes them.
    :param to: One recipient or several, as for ``send``.
    :param scope: ``all`` messages (default), or ``marketing`` alone.
    :param reason: Why; at most 512 characters are kept.
    :param source: Who adds them.
    :return: How many people.
    :raises D360RequestError: when one of them cannot be a recipient; then nobody is added.
    :raises D360UnavailableError: when the store cannot be written.
    """
    if scope not in SCOPES:
        raise request_error(f"scope is {scope!r}", "Use 'all' or 'marketing'.")
    people = _read(to, settings)
    yield Work(partial(_add, (yield from find_ledger()), people, scope, reason, source))
    return len(people)


def unsuppress(
    settings: ConnectionSettings,
    /,
    to: str | Iterable[str],
    *,
    reason: str | None = None,
    source: str = "hook",
) -> Flow[int]:
    """
    Remove people from the list, whatever had added them.

    :param settings: The settings of the connection; the hook passes them.
    :param to: One recipient or several, as for ``send``.
    :param reason: Why; at most 512 characters are kept.
    :param source: Who takes them off.
    :return: How many people were on it.
    :raises D360RequestError: when one of them cannot be a recipient; then nothing is changed.
    :raises D360UnavailableError: when the store cannot be written.
    """
    people = _read(to, settings)
    removed: int = yield Work(partial(_remove, (yield from find_ledger()), people, reason, source))
    return removed


def _read(to: str | Iterable[str], settings: ConnectionSettings) -> list[str]:
    recipients = [to] if isinstance(to, str | int) else to
    return list(dict.fromkeys(canonical(one, default_region=settings.default_region) for one in recipients))


def _add(ledger: Ledger | None, people: list[str], scope: str, reason: str | None, source: str) -> None:
    from airflow_provider_d360.store import Scope

    known = Scope(scope)
    _change(ledger, lambda them: them.add(people, scope=known, source=source, at=time.time(), reason=reason))


def _remove(ledger: Ledger | None, people: list[str], reason: str | None, source: str) -> int:
    return _change(ledger, lambda them: them.remove(people, source=source, at=time.time(), reason=reason))


def _change(ledger: Ledger | None, work: Callable[[Suppressions], T]) -> T:
    from airflow_provider_d360.store import StoreError

    if ledger is None:
        problem, remedy = "There is no store to keep opt-outs in", "Set [d360] store_conn_id or store_path."
        raise D360UnavailableError(ErrorDetail(problem, remedy))
    try:
        return work(ledger.suppressions)
    except StoreError as error:
        problem = f"The list of opt-outs was not changed: {error}"
    raise D360UnavailableError(ErrorDetail(problem, "Make the store available, and try again."))
