"""A campaign of 1,200 people in the middle of being sent, for the pages."""

from __future__ import annotations

from typing import Any

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.campaign_rows import RowState
from airflow_provider_d360.store.campaigns import Campaign
from tests.store.test_campaigns import row

PEOPLE, DONE = 1200, 734
CAMPAIGN = "spring_news"
MARKETING = {"billable": True, "pricing_model": "PMP", "category": "marketing"}


def add_campaign(store: Store, now: float) -> None:
    """
    Write a campaign with outcomes of all kinds, sent at a rate that changed.

    :param store: The store.
    :param now: The time, in Unix seconds.
    """
    new = Campaign(
        0, CAMPAIGN, "d360_default", "shop", "run", "plan", False, {}, "content", category="MARKETING"
    )
    key = store.campaigns.begin(new).key
    rows = [row(key, number) for number in range(PEOPLE)]
    for number in range(DONE):
        # 2 in each second, then 8: somebody had slowed it down
        age = (DONE - number) / 8 if number > 200 else (DONE - 200) / 8 + (200 - number) / 2
        rows[number] |= {"at": now - age, **_outcome(number)}
    store.campaigns.add(key, rows)
    plan = {"rows": 1212, "planned": PEOPLE, "duplicates": 9, "suppressed": 3, "not_within": 0, "invalid": 0}
    store.campaigns.finish(key, "audience", plan, {})
    statuses = [status for number in range(DONE) for status in _statuses(number, now)]
    value = {"messaging_product": "whatsapp", "statuses": statuses}
    store.add(read_events({"entry": [{"changes": [{"field": "messages", "value": value}]}]}), now)


def _outcome(number: int) -> dict[str, Any]:
    if number % 61 == 0:
        return {
            "state": RowState.REFUSED.value,
            "code": 132000,
            "reason": "D360RequestError",
            "payload": None,
        }
    if number in (233, 512):
        return {"state": RowState.UNKNOWN.value, "reason": "D360AmbiguousError: No response within 30 s"}
    return {"state": RowState.ACCEPTED.value, "message_id": f"wamid.spring.{number}", "payload": None}


def _statuses(number: int, now: float) -> list[dict[str, Any]]:
    if "message_id" not in _outcome(number) or number > DONE - 12:
        return []
    base = {"id": f"wamid.spring.{number}", "recipient_id": "4915", "timestamp": str(int(now) - 60)}
    if number % 29 == 0:
        error = {"code": 131026, "title": "Message undeliverable"}
        return [{**base, "status": "failed", "errors": [error]}]
    names = ["sent", "delivered", "read"][: 1 + (number % 7 != 0) + (number % 2 and number % 7 != 0)]
    return [{**base, "status": name, "pricing": MARKETING} for name in names]
