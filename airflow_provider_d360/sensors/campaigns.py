"""The sensor that waits for the figures of a campaign."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow_provider_d360.compat import AirflowFailException, AirflowSensorTimeout, AirflowSkipException
from airflow_provider_d360.tasks.arguments import check_choice, describe
from airflow_provider_d360.tasks.sensor import DeferrableSensor

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.campaigns.thresholds import Thresholds
    from airflow_provider_d360.messages.values import String

_NAMES = ("delivered", "read", "failed", "held", "opted_out")


class D360CampaignSensor(DeferrableSensor):
    """
    Wait until enough messages of a campaign have arrived, and fail as soon as too many have failed.

    Put it between a first ``D360SendCampaignOperator(limit=200)`` and the one that sends the rest: then
    nobody else is written to after a bad start. Statuses come by webhook: the receiver must run and share its
    store with this sensor.

    Shares are of the messages that were sent so far, or refused when they were sent. People whom WhatsApp
    gives no more marketing for now (131049) count neither as delivered nor as failed. ``timeout`` is the
    deadline; ``soft_fail`` works as for every sensor. A campaign that was stopped fails the sensor.

    :param campaign_id: The id of the campaign. (templated)
    :param delivered: At least this share must have arrived, from 0 to 1; 0.8 by default, None for any.
    :param read: At least this share must have been read; None (default) for any.
    :param failed: At most this share may have failed; 0.05 by default, None for any.
    :param held: At most this share may be held by WhatsApp without a verdict; 0 by default, None for any.
    :param opted_out: At most this share may have opted out; 0.01 by default, None for any.
    :param on_failure: When too many have failed or opted out: ``fail`` the task (default), or ``skip`` it and
        what comes after it.
    :param deferrable: Wait in the triggerer, which occupies no worker slot. By default, Airflow's
        ``[operators] default_deferrable`` decides.
    """

    template_fields: Sequence[str] = ("campaign_id",)

    def __init__(
        self,
        *,
        campaign_id: String,
        delivered: float | None = 0.8,
        read: float | None = None,
        failed: float | None = 0.05,
        held: float | None = 0.0,
        opted_out: float | None = 0.01,
        on_failure: Literal["fail", "skip"] = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("on_failure", on_failure, "fail", "skip")
        self.campaign_id = campaign_id
        self.delivered, self.read, self.failed = delivered, read, failed
        self.held, self.opted_out = held, opted_out
        for name in _NAMES:
            share = getattr(self, name)
            if share is not None and not (type(share) in (int, float) and 0 <= share <= 1):
                raise ValueError(f"{name} is {describe(share)}; it can be a share from 0 to 1, or None")
        self.on_failure = on_failure

    @property
    def thresholds(self) -> Thresholds:
        """The shares that are compared."""
        from airflow_provider_d360.campaigns.thresholds import Thresholds

        return Thresholds(**{name: getattr(self, name) for name in _NAMES})

    def poke(self, context: Context) -> bool:
        from airflow_provider_d360.store import StoreUnavailableError
        from airflow_provider_d360.store.configured import configured_store
        from airflow_provider_d360.triggers.campaigns import judge_campaign

        store = configured_store()
        try:
            state, reason = judge_campaign(store, str(self.campaign_id), self.thresholds)
        except StoreUnavailableError as problem:
            self.log.warning("The store cannot be read, trying again: %s", problem)
            return False
        finally:
            store.close()
        return self._conclude(state.value, reason)

    def wait_in_triggerer(self) -> NoReturn:
        """Defer the task until the figures are good enough or too bad, or the timeout is over."""
        from airflow_provider_d360.triggers.campaigns import D360CampaignResultTrigger

        trigger = D360CampaignResultTrigger(
            campaign_id=str(self.campaign_id),
            thresholds=asdict(self.thresholds),
            until=time.time() + self.timeout,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        """
        End the task according to the trigger's event.

        :param context: The task's context.
        :param event: What the trigger wrote.
        """
        reason = str(event.get("reason", ""))
        if not self._conclude(str(event.get("state")), reason):
            text = f"The campaign {self.campaign_id!r} did not come so far in {self.timeout:.0f} s: {reason}"
            raise AirflowSensorTimeout(text)

    def _conclude(self, state: str, reason: str) -> bool:
        if state != "broken":
            self.log.info("Campaign %s: %s", self.campaign_id, reason)
            return state == "met"
        text = f"The campaign {self.campaign_id!r} must not go on: {reason}"
        raise AirflowSkipException(text) if self.on_failure == "skip" else AirflowFailException(text)
