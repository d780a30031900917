"""Operators for campaigns: plan, send and report; or all three in one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_d360.api.errors import request_error
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.tasks.arguments import (
    check_choice,
    check_single,
    check_value,
    read_count,
    read_seconds,
)
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.operator import D360Operator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.campaigns.terms import Terms
    from airflow_provider_d360.messages.values import String
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaigns import Campaign

_MOST_IN_BATCH = 1000
_LONGEST_ID = 250


class D360PlanCampaignOperator(D360Operator):
    """
    Plan a campaign: read an audience, check every row, freeze it in the store, and return the campaign's id.

    Nothing is sent. Planning again with the same audience and message changes nothing; another audience or
    message under the same id is an error. Everybody gets one message, however often they are listed. People
    who opted out are left out, and left out again when they opt out before their turn.

    The result is in the log and in the XCom ``plan``: how many rows, people, duplicates, opt-outs and invalid
    rows, people per country, the category, the hours that sending takes, and ten samples without private
    values.

    :param audience: Who gets it: a list of dicts or of numbers, also from another task; the path of a
        ``.csv``, ``.jsonl`` or ``.parquet`` file, locally or in an object storage (``s3://…``); or a query,
        ``{"sql": "SELECT phone, first_name FROM customers", "conn_id": "shop"}``. Files and queries are read
        as a stream. (templated)
    :param message: As of ``D360SendMessageOperator``, with ``column("first_name")`` where rows differ;
        ``column("message")`` alone if each row brings a whole message. A template must be approved. Files
        are uploaded once. (templated)
    :param to_column: The column with the phone numbers or user ids; ``to`` by default.
    :param campaign_id: Names the campaign for ever. By default DAG, run and task do. (templated)
    :param on_invalid_row: When rows cannot be sent: ``fail`` the task (default) with all their row numbers
        before anything is planned, or ``skip`` these rows.
    :param on_newline: As of ``D360SendMessageOperator``.
    :param label_column: A column that names people in the report, such as a customer number: phone numbers
        are masked there. Its values are stored as they are.
    :param window: The hours of their own day in which people may get it, such as ``("09:00", "20:00")``.
        (templated)
    :param time_zone_column: The column with their time zones, such as ``Europe/Berlin``. By default the
        number tells; if several zones are possible, it must be inside the window in all of them.
    :param not_within: Leave people out who got marketing from a campaign within this time: a timedelta, or
        seconds.
    :param daily_limit: How many people your account may reach in 24 hours, to be compared with the plan. The
        WhatsApp Manager shows it.
    :param d360_conn_id: The 360dialog connection that the campaign is sent through. (templated)
    """

    template_fields: Sequence[str] = ("audience", "message", "campaign_id", "window", "d360_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"message": "json"}
    private_fields: ClassVar[frozenset[str]] = frozenset({"audience", "message"})

    def __init__(
        self,
        *,
        audience: Any,
        message: str | Mapping[str, Any],
        to_column: str = "to",
        campaign_id: String | None = None,
        on_invalid_row: Literal["fail", "skip"] = "fail",
        on_newline: Literal["error", "flatten"] = "error",
        label_column: str | None = None,
        window: tuple[str, str] | None = None,
        time_zone_column: str | None = None,
        not_within: timedelta | float | None = None,
        daily_limit: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("on_invalid_row", on_invalid_row, "fail", "skip")
        check_choice("on_newline", on_newline, "error", "flatten")
        self.audience = audience
        self.message = message
        self.to_column = to_column
        self.campaign_id = campaign_id
        self.on_invalid_row = on_invalid_row
        self.on_newline = on_newline
        self.label_column = label_column
        self.window = window
        self.time_zone_column = time_zone_column
        self.not_within_seconds = None if not_within is None else read_seconds("not_within", not_within)
        self.daily_limit = None if daily_limit is None else read_count("daily_limit", daily_limit)

    def concealed(self, name: str, value: Any) -> Any:
        if name != "audience":
            return super().concealed(name, value)
        from airflow_provider_d360.campaigns.sources import describe_audience

        return describe_audience(value)

    def execute(self, context: Context) -> Any:
        with fail_at_once(self.d360_conn_id), closing(_open_store()) as store:
            return self._plan(store, context).id

    def _plan(self, store: Store, context: Context) -> Campaign:
        from airflow_provider_d360.campaigns.planning import PlanRequest, plan_campaign

        message = self.rendered("message")
        check_value("message", message)
        ti: Any = context["ti"]
        request = PlanRequest(
            campaign_id=self._id(ti),
            audience=self.rendered("audience"),
            message=message,
            to_column=self.to_column,
            skips_invalid=self.on_invalid_row == "skip",
            flattens=self.on_newline == "flatten",
            label=self.label_column,
            window=self.window,
            zone=self.time_zone_column,
            not_within_seconds=self.not_within_seconds,
            daily_limit=self.daily_limit,
            place=(ti.dag_id, ti.run_id, ti.task_id),
        )
        campaign = plan_campaign(store, self.hook, request)
        ti.xcom_push(key="plan", value=dict(campaign.plan or {}))
        return campaign

    def _id(self, ti: Any) -> str:
        if self.campaign_id is not None:
            check_single("campaign_id", self.campaign_id, operator=type(self).__name__)
            campaign_id = str(self.campaign_id).strip()
        else:
            mapped = f"/{ti.map_index}" if getattr(ti, "map_index", -1) >= 0 else ""
            campaign_id = f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped}"
        if len(campaign_id) > _LONGEST_ID or not campaign_id.isprintable():
            raise request_error(
                f"campaign_id has {len(campaign_id)} characters, or some that cannot be printed",
                f"Give at most {_LONGEST_ID} characters.",
            )
        return campaign_id


class D360SendCampaignOperator(D360Operator):
    """
    Send what is planned and due of a campaign, as fast as WhatsApp allows, and return the counts.

    Everybody gets the message once, whatever Airflow does: a retry, a *Clear* or a second task goes on where
    the first one was. A process that is killed leaves at most one batch of people of whom nobody knows
    whether they got it: they are not written to again, and the report names them first.

    While people are outside their window, while the campaign is paused, and while WhatsApp holds messages
    back, the task is deferred. It fails, and nobody else is written to, when a rule stops the campaign: a
    paused template, a blocked account, a wrong key, ten wrong messages in a row. ``airflow d360 campaign
    resume`` lets it go on after that.

    :param campaign_id: The id that ``D360PlanCampaignOperator`` returned. (templated)
    :param limit: Send to the first so many people of the campaign, counted over all tasks and tries; by
        default to all. (templated)
    :param until: Stop at this time; the rest stays planned. A datetime with a time zone, or a text in ISO
        format. (templated)
    :param shard: Send a part of the campaign: ``"1/4"`` to ``"4/4"``, for
        ``.partial(…).expand(shard=["1/4", "2/4", "3/4", "4/4"])``. (templated)
    :param batch: How many people may be unknown after a kill at most, from 1 to 1000; 200 by default. So many
        messages are under way at a time: 1 is strict and slow, and 1,000 messages per second need 1000.
    """

    template_fields: Sequence[str] = ("campaign_id", "limit", "until", "shard")

    def __init__(
        self,
        *,
        campaign_id: String,
        limit: int | str | None = None,
        until: datetime | str | None = None,
        shard: str | None = None,
        batch: int = 200,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.limit = limit
        self.until = until
        self.shard = shard
        self.batch = read_count("batch", batch, most=_MOST_IN_BATCH)

    def execute(self, context: Context) -> dict[str, int]:
        with closing(_open_store()) as store:
            with fail_at_once(self.d360_conn_id):
                campaign = _find(store, self.campaign_id)
                terms = self._terms(store, campaign)
            _send_or_wait(self, store, campaign, terms)
            return {
                state.value: count for state, count in store.campaign_results.counts(campaign.key).items()
            }

    def _terms(self, store: Store, campaign: Campaign) -> Terms:
        from airflow_provider_d360.campaigns.running import read_limit, read_shard, read_time
        from airflow_provider_d360.campaigns.terms import Terms
        from airflow_provider_d360.store.campaign_rows import Part

        limit = read_limit(self.limit)
        shard, shards = read_shard(self.shard)
        end = None if limit is None else store.campaign_results.end_of_first(campaign.key, limit)
        return Terms(Part(campaign.key, shard, shards, end), self.batch, read_time(self.until))

    def go_on(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, int]:
        """
        Go on after waiting: what is sent by now is known to the store.

        :param context: The task's context.
        :param event: What the trigger wrote; not used.
        """
        return self.execute(context)


class D360CampaignReportOperator(D360Operator):
    """
    Report on a campaign: return the totals, and write a line for each person into a file.

    Those with an unknown outcome come first. The file holds the row number in the audience, the label, the
    masked number, the state, and for failures code, reason and remedy. Whole numbers are not there: the store
    erases them with the outcome.

    :param campaign_id: The id of the campaign. (templated)
    :param path: Where the file is written: ``.csv``, ``.jsonl`` or ``.parquet``, locally or in an object
        storage; by default, none. (templated)
    """

    template_fields: Sequence[str] = ("campaign_id", "path")

    def __init__(self, *, campaign_id: String, path: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.path = path

    def execute(self, context: Context) -> dict[str, Any]:
        with fail_at_once(self.d360_conn_id), closing(_open_store()) as store:
            return _report(store, _find(store, self.campaign_id), self.path)


class D360BroadcastOperator(D360PlanCampaignOperator):
    """
    Plan a campaign, send it and report on it in one task, and return the totals.

    For a list of a few hundred people. To look at the first deliveries before the rest is sent, or to ask
    somebody, use ``D360PlanCampaignOperator``, ``D360SendCampaignOperator`` and ``D360CampaignSensor``.

    :param report_path: Where the report is written, as ``path`` of ``D360CampaignReportOperator``; by
        default, nowhere. (templated)
    :param kwargs: The parameters of ``D360PlanCampaignOperator``.
    """

    template_fields: Sequence[str] = (*D360PlanCampaignOperator.template_fields, "report_path")

    def __init__(self, *, report_path: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report_path = report_path

    def execute(self, context: Context) -> dict[str, Any]:
        with closing(_open_store()) as store:
            with fail_at_once(self.d360_conn_id):
                campaign = self._plan(store, context)
            return self._send_and_report(store, campaign)

    def go_on(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """
        Go on after waiting: what was planned and sent by now is known to the store.

        :param context: The task's context.
        :param event: What the trigger wrote; not used.
        """
        with closing(_open_store()) as store:
            with fail_at_once(self.d360_conn_id):
                campaign = _find(store, self._id(context["ti"]))
            return self._send_and_report(store, campaign)

    def _send_and_report(self, store: Store, campaign: Campaign) -> dict[str, Any]:
        from airflow_provider_d360.campaigns.terms import Terms
        from airflow_provider_d360.store.campaign_rows import Part

        _send_or_wait(self, store, campaign, Terms(Part(campaign.key)))
        with fail_at_once(self.d360_conn_id):
            return _report(store, campaign, self.report_path)


def _send_or_wait(operator: D360Operator, store: Store, campaign: Campaign, terms: Terms) -> None:
    """Send until nothing is left; defer the task while it must wait, and fail it if the campaign stops."""
    from airflow_provider_d360.campaigns.running import run_sender
    from airflow_provider_d360.campaigns.terms import End
    from airflow_provider_d360.triggers.campaigns import D360CampaignTrigger

    with fail_at_once(campaign.conn_id):
        ended = run_sender(store, campaign, terms)
    if ended.end is End.STOPPED:
        raise AirflowFailException(
            f"The campaign {campaign.id!r} was stopped: {ended.reason or 'by somebody'}. When the cause is "
            f"gone, run: airflow d360 campaign resume {campaign.id!r}, and clear this task."
        )
    if ended.end in (End.DONE, End.UNTIL):
        return
    operator.log.info("Waiting: %s", ended.reason or ended.end.value)
    waits_for = {End.PAUSED: "signal", End.HELD: "verdicts"}.get(ended.end, "time")
    trigger = D360CampaignTrigger(campaign_id=campaign.id, waits_for=waits_for, until=ended.at)
    operator.defer(trigger=trigger, method_name="go_on")


def _report(store: Store, campaign: Campaign, path: Any) -> dict[str, Any]:
    from airflow_provider_d360.campaigns.reporting import summarize, write_report

    if path is not None:
        write_report(store, campaign, path)
    return summarize(store, campaign)


def _find(store: Store, campaign_id: object) -> Campaign:
    check_single("campaign_id", campaign_id, operator="D360SendCampaignOperator")
    campaign = store.campaigns.find(str(campaign_id).strip())
    if campaign is None or not campaign.is_planned:
        raise request_error(
            f"There is no campaign {campaign_id!r} in the store {store.place}",
            "Plan it first, and let all tasks use the same store.",
        )
    return campaign


def _open_store() -> Store:
    from airflow_provider_d360.store.configured import configured_store

    return configured_store()
