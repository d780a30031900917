"""The triggers that wait for campaigns. They only read, so they may run twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_d360.campaigns.control import MOST_HELD
from airflow_provider_d360.campaigns.thresholds import State, Thresholds, figures
from airflow_provider_d360.store import Store, StoreUnavailableError
from airflow_provider_d360.triggers.messages import open_store

_POLL_SECONDS = 5.0


class D360CampaignTrigger(BaseTrigger):
    """
    Wait until a campaign can go on.

    :param campaign_id: The id of the campaign.
    :param waits_for: ``time``, ``signal`` while it is paused, or ``verdicts`` on held messages.
    :param until: When to go on at the latest, in Unix seconds; None while it is paused.
    """

    def __init__(self, *, campaign_id: str, waits_for: str, until: float | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.campaign_id, self.waits_for, self.until = campaign_id, waits_for, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_d360.triggers.campaigns.D360CampaignTrigger",
            {"campaign_id": self.campaign_id, "waits_for": self.waits_for, "until": self.until},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        store = await open_store()
        try:
            while not await self._may_go_on(store):
                left = _POLL_SECONDS if self.until is None else self.until - time.time()
                await asyncio.sleep(max(0.1, min(_POLL_SECONDS, left)))
        finally:
            await asyncio.to_thread(store.close)
        yield TriggerEvent({"state": "go on"})

    async def _may_go_on(self, store: Store) -> bool:
        if self.until is not None and time.time() >= self.until:
            return True
        try:
            return await asyncio.to_thread(self._has_changed, store)
        except StoreUnavailableError as error:
            self.log.warning("The store cannot be read, trying again: %s", error)
            return False

    def _has_changed(self, store: Store) -> bool:
        campaign = store.campaigns.find(self.campaign_id)
        if campaign is None:
            return True
        if self.waits_for == "signal":
            return campaign.signal != "pause"
        if campaign.signal != "run":
            return True
        return self.waits_for == "verdicts" and len(store.campaign_results.held(campaign.key)) < MOST_HELD


class D360CampaignResultTrigger(BaseTrigger):
    """
    Wait until the figures of a campaign are good enough, or too bad, or the time is over.

    :param campaign_id: The id of the campaign.
    :param thresholds: The fields of :class:`~airflow_provider_d360.campaigns.thresholds.Thresholds`.
    :param until: When to give up, in Unix seconds.
    """

    def __init__(self, *, campaign_id: str, thresholds: dict[str, float | None], until: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.campaign_id, self.thresholds, self.until = campaign_id, thresholds, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_d360.triggers.campaigns.D360CampaignResultTrigger",
            {"campaign_id": self.campaign_id, "thresholds": self.thresholds, "until": self.until},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        store = await open_store()
        try:
            while True:
                is_over = time.time() >= self.until
                state, reason = await self._judge(store)
                if state is not State.WAITING or is_over:
                    break
                await asyncio.sleep(max(0.1, min(_POLL_SECONDS, self.until - time.time())))
        finally:
            await asyncio.to_thread(store.close)
        yield TriggerEvent({"state": state.value, "reason": reason})

    async def _judge(self, store: Store) -> tuple[State, str]:
        try:
            return await asyncio.to_thread(
                judge_campaign, store, self.campaign_id, Thresholds(**self.thresholds)
            )
        except StoreUnavailableError as error:
            self.log.warning("The store cannot be read, trying again: %s", error)
            return State.WAITING, "the store could not be read"


def judge_campaign(store: Store, campaign_id: str, thresholds: Thresholds) -> tuple[State, str]:
    """
    Compare the figures of a campaign with thresholds, and return the state with its reason.

    :param store: The store.
    :param campaign_id: The id of the campaign.
    :param thresholds: The thresholds.
    """
    campaign = store.campaigns.find(campaign_id)
    if campaign is None:
        return State.BROKEN, "there is no such campaign"
    if campaign.signal == "stop":
        return State.BROKEN, f"it was stopped: {campaign.reason or 'by somebody'}"
    opted_out = store.campaign_results.opted_out(campaign.key, campaign.at)
    return thresholds.judge(figures(store.campaign_results.totals(campaign.key), opted_out))
