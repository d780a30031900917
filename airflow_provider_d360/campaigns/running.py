"""Runs one task of a campaign in an event loop of its own, with the connection that it was planned with."""

from __future__ import annotations

import asyncio
import gc
import re
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_d360.api.errors import request_error
from airflow_provider_d360.campaigns.sending import CampaignSender
from airflow_provider_d360.campaigns.templates import approved_template

if TYPE_CHECKING:
    from airflow_provider_d360.campaigns.terms import Ended, Terms
    from airflow_provider_d360.hooks.d360 import D360Hook
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaigns import Campaign
    from airflow_provider_d360.transport.client import Transport

_LONGEST_LIMIT = 12  # digits
_SHARD = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


def run_sender(store: Store, campaign: Campaign, terms: Terms) -> Ended:
    """
    Send a campaign until nothing is left, or something ends it.

    :param store: The store.
    :param campaign: The campaign.
    :param terms: How to send.
    :raises D360RequestError: when its template is not the one that was planned, or is not approved.
    :raises D360UnavailableError: when another process sends it, or the service or the store stays away.
    """
    from airflow_provider_d360.hooks.d360 import D360Hook

    hook = D360Hook(campaign.conn_id)
    if campaign.signal == "run":
        _check_template(hook, campaign)
    gc.freeze()  # what Airflow has imported is large, and collecting it again and again costs a tenth
    try:
        return asyncio.run(_run(store, hook.get_conn(), campaign, terms))
    finally:
        gc.unfreeze()


async def _run(store: Store, transport: Transport, campaign: Campaign, terms: Terms) -> Ended:
    try:
        await transport.aopen()  # or the first messages would wait for it, and go out together
        return await CampaignSender(store, transport, campaign, terms).run()
    finally:
        await transport.aclose()


def _check_template(hook: D360Hook, campaign: Campaign) -> None:
    planned = (campaign.settings or {}).get("template")
    template = approved_template(hook, campaign.message) if planned else None
    if template is not None and template.digest != planned:
        raise request_error(
            f"The template of the campaign {campaign.id!r} was changed after it was planned",
            "Plan a new campaign, with the people who are left.",
        )


def read_limit(limit: int | str | None) -> int | None:
    """
    Read the argument ``limit``.

    :param limit: A whole number from 0, also as text; None for none.
    :raises D360RequestError: when it is something else.
    """
    if limit is None:
        return None
    text = "" if isinstance(limit, bool) else str(limit).strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_LIMIT):
        raise request_error("limit is no whole number", "Give how many people get the message.")
    return int(text)


def read_shard(shard: str | None) -> tuple[int, int]:
    """
    Read the argument ``shard``; return its number from 0, and the number of shards.

    :param shard: Such as ``1/4``; None for all.
    :raises D360RequestError: when it is something else.
    """
    match = _SHARD.fullmatch("1/1" if shard is None else str(shard).strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise request_error("shard is no part, such as '1/4'", "Give '1/4' to '4/4' for four tasks.")
    return int(match[1]) - 1, int(match[2])


def read_time(until: datetime | str | None) -> float | None:
    """
    Read the argument ``until``, and return Unix seconds.

    :param until: A datetime with a time zone, or a text in ISO format; None for none.
    :raises D360RequestError: when it is something else, or has no time zone.
    """
    if until is None:
        return None
    moment = None
    try:
        text = str(until).strip()
        moment = datetime.fromisoformat(text.replace("Z", "+00:00") if text.endswith("Z") else text)
    except ValueError:
        pass
    if moment is None or moment.tzinfo is None:
        raise request_error(
            "until is no time with a time zone", "Give a datetime, or a text such as 2026-12-01T20:00+01:00."
        )
    return moment.timestamp()
