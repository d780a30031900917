"""Plans a campaign: reads the audience as a stream, checks every row, and freezes it in the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail, request_error
from airflow_provider_d360.api.normalization import normalize
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.campaigns.audience import InvalidRowError, Person, RowReader
from airflow_provider_d360.campaigns.filling import fill
from airflow_provider_d360.campaigns.plan import Plan
from airflow_provider_d360.campaigns.sources import read_rows
from airflow_provider_d360.campaigns.templates import approved_template
from airflow_provider_d360.campaigns.windows import read_window
from airflow_provider_d360.messages import as_message
from airflow_provider_d360.messages.columns import COLUMN
from airflow_provider_d360.sending.identity import fingerprint
from airflow_provider_d360.sending.media import upload_paths
from airflow_provider_d360.store.campaign_rows import RowState
from airflow_provider_d360.store.campaigns import Campaign
from airflow_provider_d360.store.rows import storable_text

if TYPE_CHECKING:
    from airflow_provider_d360.hooks.d360 import D360Hook
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.rows import Row

log = logging.getLogger(__name__)

_BATCH = 10000
_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """
    The campaign to plan.

    :param campaign_id: The id of the campaign.
    :param audience: As :func:`~airflow_provider_d360.campaigns.sources.read_rows` takes it.
    :param message: The message with its columns.
    :param to_column: The column with the recipients.
    :param skips_invalid: Leave rows out that cannot be sent.
    :param flattens: Turn newlines in the parameters of a template into spaces.
    :param label: The column that names people in the report.
    :param window: The hours in which people may get the message, as two times of the day.
    :param zone: The column with the time zone; None takes it from the number.
    :param not_within_seconds: Leave people out who got marketing from a campaign within this time.
    :param daily_limit: How many people the account may reach in 24 hours; None if it is not known.
    :param place: DAG, run and task that plan it.
    """

    campaign_id: str
    audience: Any
    message: Any
    to_column: str = "to"
    skips_invalid: bool = False
    flattens: bool = False
    label: str | None = None
    window: tuple[str, str] | None = None
    zone: str | None = None
    not_within_seconds: float | None = None
    daily_limit: int | None = None
    place: tuple[str, str, str] = ("", "", "")

    @property
    def content(self) -> str:
        """A hash of what decides who gets what and when, besides the audience."""
        return fingerprint(self.message, self.flattens, self.label, self.window, self.zone)


class _Planning:
    """
    Plans one campaign.

    :param store: The store.
    :param hook: The hook of the connection that it will be sent through.
    :param request: What is planned.
    """

    def __init__(self, store: Store, hook: D360Hook, request: PlanRequest) -> None:
        self._store, self._hook, self._request = store, hook, request
        self._settings = hook.get_conn().settings
        self._message = _read_message(request.message)
        self._plan = Plan()
        self._zones: dict[tuple[str, ...], int] = {}
        self._reader = RowReader(
            self._message,
            self._settings.hosting,
            to_column=request.to_column,
            default_region=self._settings.default_region,
            flattens=request.flattens,
            label=request.label,
            window=read_window(request.window),
            zone=request.zone,
        )

    def run(self) -> Campaign:
        request = self._request
        known = self._store.campaigns.find(request.campaign_id)
        if known is not None and known.is_planned:
            return self._compare(known)
        template = approved_template(self._hook, self._message)
        dag_id, run_id, task_id = request.place
        campaign = self._store.campaigns.begin(
            Campaign(
                key=0,
                id=request.campaign_id,
                conn_id=self._hook.d360_conn_id,
                dag_id=dag_id,
                run_id=run_id,
                task_id=task_id,
                is_planned=False,
                message=self._hook.run(upload_paths, self._message)
                if _is_dict(self._message)
                else self._message,
                content=request.content,
                category=template.category if template else None,
            )
        )
        if campaign.is_planned:
            return self._compare(campaign)
        try:
            for people in self._batches():
                self._add(campaign, people)
            if self._plan.invalid and not request.skips_invalid:
                raise self._refusal()
            if not self._plan.planned:
                raise request_error(
                    f"The campaign would reach nobody: {self._plan.summary()}", "Look at the audience."
                )
        except BaseException:
            self._store.campaigns.discard(campaign.key)
            raise
        settings = {
            "window": request.window,
            "zones": list(self._zones),
            "template": template.digest if template else None,
            "hosting": self._settings.hosting.name,
        }
        rate = self._settings.messages_per_second
        result = self._plan.result(campaign.category, rate, request.daily_limit)
        self._store.campaigns.finish(campaign.key, self._plan.audience, result, settings)
        log.info("Campaign %s is planned. %s", campaign.id, self._plan.summary())
        planned = self._store.campaigns.find(campaign.id)
        if planned is None:
            raise request_error("The campaign was deleted while it was planned", "Plan it again.")
        return planned

    def _compare(self, known: Campaign) -> Campaign:
        """Make sure that a campaign is what was planned before under its id."""
        what = None
        if known.conn_id != self._hook.d360_conn_id:
            what = "connection"
        elif known.content != self._request.content:
            what = "message"
        else:
            for _ in self._batches():
                pass
            if known.audience != self._plan.audience:
                what = "audience"
        if what:
            raise request_error(
                f"The campaign {known.id!r} was planned before with another {what}",
                "Give another campaign_id: what was planned is frozen, and is never sent to others.",
            )
        log.info("Campaign %s was planned before, with the same audience and message.", known.id)
        return known

    def _batches(self) -> Iterator[list[tuple[int, Person, str]]]:
        """Read the audience, count what cannot be sent, and yield the rest in batches."""
        rows = iter(enumerate(read_rows(self._request.audience, self._request.to_column), 1))
        while chunk := list(islice(rows, _BATCH)):
            people = []
            for number, row in chunk:
                self._plan.rows += 1
                try:
                    if isinstance(row, InvalidRowError):
                        raise row
                    person = self._reader.read(row)
                except InvalidRowError as problem:
                    self._plan.reject(number, str(problem))
                    continue
                payload = person.payload
                self._plan.include(person, payload)
                people.append((number, person, payload))
            yield people

    def _add(self, campaign: Campaign, people: Sequence[tuple[int, Person, str]]) -> None:
        key_of = self._store.suppressions.key
        unique: dict[str, tuple[int, Person, str]] = {}
        for one in people:
            unique.setdefault(key_of(one[1].to), one)
        new = self._store.campaigns.without(campaign.key, list(unique))
        self._plan.duplicates += len(people) - len(new)
        recent = self._recent(new)
        is_marketing = may_be_marketing(campaign)
        suppressed = self._store.suppressions.find_persons(new, marketing=is_marketing)
        rows = []
        for key in new:
            number, person, payload = unique[key]
            reason = "got marketing too recently" if key in recent else None
            state = RowState.SKIPPED if reason else RowState.PLANNED
            if key in suppressed:
                state, reason = RowState.SUPPRESSED, f"opted out ({suppressed[key].source})"
            rows.append(self._row(campaign, number, key, person, payload, state, reason))
            self._count(state, person)
        self._store.campaigns.add(campaign.key, rows)

    def _count(self, state: RowState, person: Person) -> None:
        plan = self._plan
        if state is RowState.SUPPRESSED:
            plan.suppressed += 1
        elif state is RowState.SKIPPED:
            plan.recent += 1
        else:
            plan.add(person, fill(self._message, person.values) if plan.wants_sample else None)

    def _recent(self, persons: Sequence[str]) -> set[str]:
        seconds = self._request.not_within_seconds
        return (
            set() if seconds is None else self._store.campaign_results.reached(persons, time.time() - seconds)
        )

    def _row(
        self,
        campaign: Campaign,
        number: int,
        key: str,
        person: Person,
        payload: str,
        state: RowState,
        reason: str | None,
    ) -> Row:
        zone = None
        if person.zones is not None:
            zone = self._zones.setdefault(person.zones, len(self._zones))
        return {
            "campaign": campaign.key,
            "number": number,
            "person": key,
            "recipient": mask_number(person.to),
            "label": storable_text(person.label),
            "payload": payload if state is RowState.PLANNED else None,
            "zone": zone,
            "state": state.value,
            "attempts": 0,
            "reason": reason,
        }

    def _refusal(self) -> D360RequestError:
        for number, problem in self._plan.problems[_SHOWN_PROBLEMS:]:
            log.error("row %s: %s", number, problem)
        shown = [f"row {number}: {problem}" for number, problem in self._plan.problems[:_SHOWN_PROBLEMS]]
        more = self._plan.invalid - len(shown)
        shown += [f"and {more} more"] if more else []
        return D360RequestError(
            ErrorDetail(
                f"{self._plan.invalid} of {self._plan.rows} rows cannot be sent, and nothing was planned",
                "Correct the audience, or leave these rows out with on_invalid_row='skip'.",
                details="; ".join(shown),
            )
        )


def plan_campaign(store: Store, hook: D360Hook, request: PlanRequest) -> Campaign:
    """
    Plan a campaign, and return it. Planning it again with the same audience and message changes nothing.

    :param store: The store.
    :param hook: The hook of the connection that it will be sent through.
    :param request: What is planned.
    :raises D360RequestError: when rows or the message are wrong, or when the campaign was planned before with
        another audience or message. Then nothing was planned.
    """
    return _Planning(store, hook, request).run()


def may_be_marketing(campaign: Campaign) -> bool:
    """
    Return whether people who opted out of marketing do not get a campaign.

    :param campaign: The campaign. A message without a known category may be anything, except an answer.
    """
    return campaign.category not in ("UTILITY", "AUTHENTICATION")


def _read_message(message: Any) -> Any:
    """Return the message in WhatsApp's form; ``column('…')`` in place of the whole message stays as it is."""
    if isinstance(message, str) and COLUMN.fullmatch(message):
        return message
    try:
        return normalize(as_message(message))
    except TypeError as error:
        problem = str(error)
    raise request_error(problem, "Give a text, a message dict, or column('…').")


def _is_dict(message: Any) -> bool:
    return not isinstance(message, str)
