"""The pages of campaigns: what they have come to, why, and the buttons that control one while it runs."""

from __future__ import annotations

import logging
import time
from typing import Any

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from airflow_provider_d360.campaigns.progress import Progress, format_seconds
from airflow_provider_d360.campaigns.reporting import summarize
from airflow_provider_d360.campaigns.signals import ACTIONS, is_rate
from airflow_provider_d360.pages.access import NoticeError, permitted, read_form
from airflow_provider_d360.pages.addresses import page_path
from airflow_provider_d360.pages.charts import HEIGHT, columns, shares
from airflow_provider_d360.pages.filters import storable
from airflow_provider_d360.pages.lists import in_sequence
from airflow_provider_d360.pages.navigation import CAMPAIGNS, around
from airflow_provider_d360.pages.rendering import render
from airflow_provider_d360.pages.routing import REFRESH_SECONDS, SAME_ORIGIN, Pages
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.campaign_courses import Course
from airflow_provider_d360.store.campaigns import Campaign

log = logging.getLogger(__name__)

_MOST = 100
_SEQUENCE = (
    *("failed", "refused", "unknown", "held", "accepted", "sent", "delivered", "read", "played"),
    *("suppressed", "skipped", "postponed", "planned"),
)


def add_routes(pages: Pages) -> None:
    """
    Add the routes.

    :param pages: The pages.
    """

    @pages.router.get("/campaigns")
    async def campaigns(user: GetUserDep) -> Response:
        return await pages.show(lambda store: _list(store, user))

    @pages.router.get("/campaigns/{campaign:path}")
    async def one_campaign(campaign: str, user: GetUserDep) -> Response:
        return await pages.show(lambda store: _campaign(store, storable(campaign), user))

    @pages.router.post("/campaigns/{campaign:path}", dependencies=SAME_ORIGIN)
    async def control(request: Request, campaign: str, user: GetUserDep) -> Response:
        form = await read_form(request)
        return await pages.show(lambda store: _control(store, storable(campaign), form, user))


def _list(store: Store, user: Any) -> Response:
    found = store.campaigns.recent(_MOST)
    allowed = permitted({one.dag_id for one in found}, user)
    rows = [_row(store, one) for one in found if one.dag_id in allowed]
    return render(
        "campaigns.html",
        **around(CAMPAIGNS, user),
        refresh=REFRESH_SECONDS,
        rows=rows,
        here=page_path("campaigns"),
        now=time.time(),
    )


def _rate_over_time(course: Course | None) -> dict[str, Any] | None:
    if course is None:
        return None
    rates = [count / course.seconds for count in course.counts]
    return {
        "bars": columns(rates),
        "parts": len(rates),
        "height": HEIGHT,
        "most": max(rates),
        "course": course,
    }


def _row(store: Store, one: Campaign) -> dict[str, Any]:
    progress = Progress(store.campaign_results.counts(one.key), 0.0)
    total = sum(progress.counts.values())
    return {
        "campaign": one,
        "link": page_path("campaigns", one.id),
        "state": _state(one, progress.left),
        "total": total,
        "done": total - progress.left,
    }


def _state(one: Campaign, left: int) -> str:
    if not one.is_planned:
        return "being planned"
    if one.signal != "run":
        return {"pause": "paused", "stop": "stopped"}[one.signal]
    return "open" if left else "finished"


def _find(store: Store, campaign_id: str, user: Any) -> Campaign:
    found = store.campaigns.find(campaign_id)
    if found is None or not permitted({found.dag_id}, user):
        raise HTTPException(404)
    return found


def _campaign(store: Store, campaign_id: str, user: Any) -> Response:
    found, now = _find(store, campaign_id, user), time.time()
    row, summary = _row(store, found), summarize(store, found)
    states = in_sequence(summary["states"], _SEQUENCE)
    course = store.campaign_courses.find(found.key, now)
    per_second = course.per_second if course else 0.0
    left = row["total"] - row["done"]
    return render(
        "campaign.html",
        **around(CAMPAIGNS, user),
        refresh=REFRESH_SECONDS,
        **row,
        summary=summary,
        states=states,
        bar=shares(states),
        rate=_rate_over_time(course),
        per_second=per_second,
        time_left=format_seconds(left / per_second) if left and per_second else None,
        left=left,
        plan=found.plan or {},
        here=page_path("campaigns", found.id),
        back=page_path("campaigns"),
        may_control=bool(permitted({found.dag_id}, user, "PUT")),
        now=now,
    )


def _control(store: Store, campaign_id: str, form: dict[str, str], user: Any) -> Response:
    """Write the signal, for a user who may edit the runs of the DAG; senders read it once a second."""
    found = _find(store, campaign_id, user)
    if not permitted({found.dag_id}, user, "PUT"):
        raise NoticeError(
            403,
            "You may not control this",
            "Nothing was changed. Ask somebody who may edit the runs of its Dag.",
        )
    action = form.get("control", "")
    rate = _rate(form.get("rate")) if action == "slow" else None
    if action not in ACTIONS or (action == "slow" and rate is None):
        raise NoticeError(
            400,
            "That is not possible",
            "Nothing was changed. Give a rate of more than 0 messages per second.",
        )
    reason = f"by {user.get_name()}" if action in ("pause", "stop") else None
    store.campaigns.signal(found.id, ACTIONS[action], reason, rate)
    log.info("Campaign %s: %s by %s", found.id, action, user.get_name())
    return RedirectResponse(page_path("campaigns", found.id), 303)


def _rate(text: str | None) -> float | None:
    try:
        rate = float(text or "")
    except ValueError:
        return None
    return rate if is_rate(rate) else None
