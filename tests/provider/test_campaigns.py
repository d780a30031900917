"""Campaigns against the emulator: everybody once, and nobody after something that must stop it."""

from __future__ import annotations

import asyncio
import csv
import json
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow
import pytest
from airflow.exceptions import TaskDeferred
from pyarrow import parquet

from airflow_provider_d360.api.errors import D360UnavailableError
from airflow_provider_d360.api.events import Failure, StatusEvent
from airflow_provider_d360.campaigns.control import Watch
from airflow_provider_d360.campaigns.sources import read_rows
from airflow_provider_d360.cli import main
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.emulator.template_store import TemplateStore
from airflow_provider_d360.messages import column, template, text
from airflow_provider_d360.operators.campaigns import D360CampaignReportOperator, D360PlanCampaignOperator
from airflow_provider_d360.sensors.campaigns import D360CampaignSensor
from airflow_provider_d360.store import Scope, StoreUnavailableError
from airflow_provider_d360.store.campaign_rows import DueRow, Part
from airflow_provider_d360.store.campaign_senders import CampaignSenders
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.store.rate_leases import RateLeases
from airflow_provider_d360.transport import sockets
from airflow_provider_d360.triggers.campaigns import D360CampaignResultTrigger, D360CampaignTrigger
from tests.provider.campaigns import (
    MESSAGE,
    add_template,
    broadcast,
    context,
    people,
    plan,
    send,
    states,
    with_store,
)


@pytest.fixture
def emulator(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(messages_per_second=1000))
    add_template(d360_emulator)
    return d360_emulator


def got(emulator):
    """Count the messages of each recipient."""
    return Counter(message.to for message in emulator.sent)


def expected(rows):
    return Counter({row["to"].removeprefix("+"): 1 for row in rows})


def test_a_broadcast_reaches_everybody_once_with_their_own_values(emulator):
    totals = broadcast(people(30))
    assert got(emulator) == expected(people(30))
    names = {
        message.to: message.body["template"]["components"][0]["parameters"][0]["text"]
        for message in emulator.sent
    }
    assert names == {row["to"].removeprefix("+"): row["name"] for row in people(30)}
    assert totals["states"] == {"accepted": 30}
    assert totals["tried"] == 30


def test_a_campaign_of_a_test_system_writes_to_nobody_but_its_testers(emulator, monkeypatch):
    connection = emulator.connection(messages_per_second=1000, only_to="4917000000001")
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", connection)
    totals = broadcast([*people(5), {"to": "4917000000001", "name": "Tester"}])
    assert got(emulator) == {"4917000000001": 1}
    assert totals["states"]["accepted"] == 1
    monkeypatch.setenv(
        "AIRFLOW_CONN_D360_DEFAULT",
        emulator.connection(messages_per_second=1000, only_to="4917000000001", redirect_to="4917000000001"),
    )
    broadcast(people(1), campaign_id="second", message=text("Hello"))
    assert emulator.sent[-1].to == "4917000000001"
    assert emulator.sent[-1].body["text"]["body"].startswith("[For 49…")


def test_nothing_is_sent_by_planning_and_planning_again_changes_nothing(emulator):
    assert plan(people(5)) == plan(people(5)) == "spring"
    assert emulator.sent == []
    assert states() == {"planned": 5}


def test_the_order_of_the_audience_does_not_matter(emulator):
    plan(people(5))
    plan(people(5)[::-1])
    assert states() == {"planned": 5}


@pytest.mark.parametrize(
    ("audience", "message", "what"),
    [
        (people(6), MESSAGE, "audience"),
        (people(4), MESSAGE, "audience"),
        ([{**row, "name": "Eve"} for row in people(5)], MESSAGE, "audience"),
        (people(5), template("promo", "en", body=["you"]), "message"),
    ],
)
def test_another_audience_or_message_under_the_same_id_is_an_error(emulator, audience, message, what):
    plan(people(5))
    with pytest.raises(AirflowFailException, match=f"planned before with another {what}"):
        plan(audience, message)
    assert states() == {"planned": 5}


def test_sending_again_sends_nothing(emulator):
    plan(people(20))
    assert send() == send() == {"accepted": 20}
    assert got(emulator) == expected(people(20))


def test_duplicates_get_one_message_and_are_counted(emulator):
    where = context()
    plan([*people(5), *people(5), {"to": "0049 151 00000001", "name": "again"}], where=where)
    send()
    assert got(emulator) == expected(people(5))
    assert where["ti"].pushed["plan"]["duplicates"] == 6


def test_all_bad_rows_are_told_with_their_numbers_before_anything_is_planned(emulator):
    rows = people(10)
    rows[1]["to"] = "not a number"
    rows[4]["name"] = None
    del rows[7]["name"]
    rows[9] = "+49 151 00000009 ext 5"
    with pytest.raises(AirflowFailException) as caught:
        plan(rows)
    problem = str(caught.value)
    assert "4 of 10 rows cannot be sent, and nothing was planned" in problem
    assert all(f"row {number}: " in problem for number in (2, 5, 8, 10))
    assert "not a number" not in problem
    assert with_store(lambda store: store.campaigns.find("spring")) is None
    assert emulator.sent == []


def test_bad_rows_can_be_skipped(emulator):
    rows = people(10)
    rows[1]["to"] = "not a number"
    where = context()
    plan(rows, where=where, on_invalid_row="skip")
    assert where["ti"].pushed["plan"]["invalid"] == 1
    assert where["ti"].pushed["plan"]["invalid_rows"][0][0] == 2
    send()
    assert len(emulator.sent) == 9


def test_a_row_may_bring_its_own_message(emulator):
    rows = [{"to": row["to"], "message": text(f"Hello {row['name']}")} for row in people(3)]
    broadcast(rows, column("message"))
    assert sorted(message.body["text"]["body"] for message in emulator.sent) == [
        "Hello N0",
        "Hello N1",
        "Hello N2",
    ]


def test_the_result_of_planning_tells_what_to_expect_and_nothing_private(emulator):
    where = context()
    plan([*people(5), {"to": "+1 202 555 0123", "name": "Bob"}], where=where, daily_limit=5)
    result = where["ti"].pushed["plan"]
    assert (result["planned"], result["category"]) == (6, "MARKETING")
    assert result["countries"] == {"DE": 5, "US": 1}
    assert (result["daily_limit"], result["fits_daily_limit"]) == (5, False)
    assert len(result["samples"]) == 6
    assert not any(secret in json.dumps(result) for secret in ("15100", "2025550123", "Bob", "N1"))


def test_who_opted_out_is_left_out_at_planning_and_at_sending(emulator):
    def opt_out(number):
        with_store(
            lambda store: store.suppressions.add(
                [f"4915100{number:06}"], scope=Scope.MARKETING, source="cli", at=time.time()
            )
        )

    opt_out(1)
    plan(people(5))
    opt_out(3)
    send()
    assert got(emulator) == expected([row for row in people(5) if row["name"] not in ("N1", "N3")])
    assert states() == {"accepted": 3, "suppressed": 2}


def test_who_opted_out_of_marketing_still_gets_utility_messages(emulator):
    emulator.templates = TemplateStore()
    add_template(emulator, category="UTILITY", text="Your order {{1}} was sent")
    with_store(
        lambda store: store.suppressions.add(
            ["4915100000001"], scope=Scope.MARKETING, source="cli", at=time.time()
        )
    )
    with_store(
        lambda store: store.suppressions.add(["4915100000002"], scope=Scope.ALL, source="cli", at=time.time())
    )
    broadcast(people(4))
    assert got(emulator) == expected([row for row in people(4) if row["name"] != "N2"])


def test_who_got_marketing_within_a_time_is_left_out(emulator):
    plan(people(3), campaign_id="first")
    send("first")
    where = context()
    plan(people(5), where=where, not_within=timedelta(days=7))
    send()
    assert where["ti"].pushed["plan"]["not_within"] == 3
    assert got(emulator) == expected(people(5))


def test_a_limit_counts_over_all_tasks_and_tries(emulator):
    plan(people(20))
    for _ in range(2):
        send(limit=8)
        assert len(emulator.sent) == 8
    send(limit="12")
    assert len(emulator.sent) == 12
    send()
    assert got(emulator) == expected(people(20))


def test_shards_share_the_rows(emulator):
    plan(people(20))
    for shard in ("1/3", "2/3", "3/3"):
        send(shard=shard)
    assert got(emulator) == expected(people(20))


def test_after_its_time_nothing_is_sent(emulator):
    plan(people(5))
    assert send(until=datetime.now(timezone.utc) - timedelta(seconds=1)) == {"planned": 5}
    assert emulator.sent == []


def test_numbers_and_values_are_erased_with_the_outcome(emulator):
    plan(people(3))
    send()
    payloads = with_store(
        lambda store: store._database.read(
            lambda connection: (
                connection.exec_driver_sql("SELECT payload FROM d360_campaign_rows").scalars().all()
            )
        )
    )
    assert payloads == [None, None, None]


@pytest.mark.parametrize("code", [131048, 131031, 132015, 132016, 131042, 132001])
def test_what_would_fail_for_everybody_stops_the_campaign(emulator, code, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=20))
    plan(people(200))
    emulator.reject(code)
    with pytest.raises(AirflowFailException, match=f"was stopped: .*({code}|Error)"):
        send(batch=5)
    assert emulator.sent == []
    assert states() == {"planned": 200}
    with pytest.raises(AirflowFailException, match="was stopped"):
        send()


def test_it_goes_on_after_a_resume(emulator):
    plan(people(20))
    emulator.reject(132015, times=1)
    with pytest.raises(AirflowFailException, match="was stopped"):
        send()
    with_store(lambda store: store.campaigns.signal("spring", "run", None))
    send()
    assert got(emulator) == expected(people(20))


@pytest.mark.parametrize("code", [131026, 131050, 130472])
def test_a_person_who_cannot_get_it_stops_nobody_else(emulator, code):
    plan(people(30))
    emulator.reject(code, to="4915100000003")
    assert send() == {"accepted": 29, "refused": 1}
    assert "4915100000003" not in got(emulator)


def test_whoever_whatsapp_refuses_for_an_opt_out_is_put_on_the_list(emulator):
    plan(people(5))
    emulator.reject(131050, to="4915100000003")
    send()
    [kept] = with_store(lambda store: list(store.suppressions.all()))
    assert (kept.recipient, kept.scope, kept.source) == ("4915100000003", Scope.MARKETING, "131050")


def test_ten_wrong_messages_in_a_row_stop_the_campaign(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=20))
    plan(people(100))
    emulator.reject(132000)
    with pytest.raises(AirflowFailException, match="10 messages in a row were refused"):
        send(batch=1)
    assert 10 <= states()["refused"] < 100


def test_the_first_messages_do_not_go_out_together_because_certificates_are_read(emulator, monkeypatch):
    steps = []

    def read_certificates():
        steps.append("certificates")
        return sockets.tls_context()

    def lease(*args, **options):
        steps.append("moments")
        return leases(*args, **options)

    leases = RateLeases.lease
    monkeypatch.setattr("airflow_provider_d360.transport.client.tls_context", read_certificates)
    monkeypatch.setattr(RateLeases, "lease", lease)
    plan(people(5))
    send()
    assert steps[:2] == ["certificates", "moments"]


def test_a_rate_limit_is_no_failure_and_the_same_person_gets_it_later(emulator):
    plan(people(30))
    emulator.reject(130429, times=5)
    assert send() == {"accepted": 30}
    assert got(emulator) == expected(people(30))


def test_a_capped_person_is_tried_again_a_day_later(emulator):
    plan(people(5))
    emulator.reject(131049, to="4915100000003")
    with pytest.raises(TaskDeferred) as deferred:
        send()
    assert deferred.value.trigger.until == pytest.approx(time.time() + 86_400, abs=600)
    assert states() == {"accepted": 4, "postponed": 1}


def test_a_lost_response_is_unknown_and_never_sent_again(emulator):
    plan(people(30))
    emulator.fail_next(faults.accepted_and_cut_off(), path="/messages")
    assert send() == {"accepted": 29, "unknown": 1}
    assert send() == {"accepted": 29, "unknown": 1}
    assert got(emulator) == expected(people(30))


def test_while_it_is_paused_the_task_is_deferred(emulator):
    plan(people(5))
    with_store(lambda store: store.campaigns.signal("spring", "pause", "lunch"))
    with pytest.raises(TaskDeferred) as deferred:
        send()
    assert deferred.value.trigger.waits_for == "signal"
    assert emulator.sent == []


def test_a_changed_template_is_refused(emulator):
    plan(people(5))
    emulator.templates = TemplateStore()
    add_template(emulator, text="Hello {{1}}, we are closed")
    with pytest.raises(AirflowFailException, match="was changed after it was planned"):
        send()
    assert emulator.sent == []


def test_outside_of_the_window_the_task_is_deferred_until_the_next_row_is_due(emulator):
    now = datetime.now(timezone.utc)
    start, end = now + timedelta(hours=3), now + timedelta(hours=4)
    rows = [{**row, "zone": "UTC"} for row in people(3)]
    plan(rows, window=(f"{start:%H:%M}", f"{end:%H:%M}"), time_zone_column="zone")
    with pytest.raises(TaskDeferred) as deferred:
        send()
    assert deferred.value.trigger.until == pytest.approx(start.timestamp(), abs=120)
    assert emulator.sent == []


def test_people_inside_their_window_get_it_now(emulator):
    now = datetime.now(timezone.utc)
    window = (f"{now - timedelta(hours=1):%H:%M}", f"{now + timedelta(hours=1):%H:%M}")
    rows = [
        {**row, "zone": zone}
        for row, zone in zip(people(4), ("UTC", "Asia/Tokyo", "UTC", "America/New_York"), strict=True)
    ]
    plan(rows, window=window, time_zone_column="zone")
    with pytest.raises(TaskDeferred):
        send()
    assert got(emulator) == expected([rows[0], rows[2]])


def test_a_second_task_for_the_same_rows_gives_up(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(timeout_seconds=0.1))
    monkeypatch.setattr("airflow_provider_d360.campaigns.sending._LEASE_MARGIN_SECONDS", 1.0)
    plan(people(3))

    def occupy(store):
        part = Part(store.campaigns.find("spring").key)
        lease = store.campaign_senders.take(part, "another process", 1e9)
        store._database.write(
            lambda connection: (
                connection.exec_driver_sql("UPDATE d360_campaign_senders SET beat_at = 9e9").rowcount
            )
        )
        return lease

    monkeypatch.setattr("airflow_provider_d360.store.campaign_senders._now", lambda connection: 9e9)
    assert with_store(occupy) is not None
    with pytest.raises(D360UnavailableError, match="Another process is sending"):
        send()
    assert emulator.sent == []


def test_no_value_appears_under_rendered_template(emulator):
    operator = D360PlanCampaignOperator(task_id="plan", audience=people(2), message=MESSAGE)
    assert operator.concealed("audience", people(2)) == "(2 rows)"
    assert (
        operator.concealed("audience", {"sql": "SELECT 491510000", "conn_id": "shop"}) == "(a query on shop)"
    )


def settle(emulator, status, code=None, only=None):
    """Store a status of each message that was sent, as the receiver would."""

    def add(store):
        failure = None if code is None else Failure(code, "Something", "")
        for message in emulator.sent:
            if only is None or message.to in only:
                intent = message.body["biz_opaque_callback_data"]
                store.add(
                    [StatusEvent(message.message_id, status, time.time(), None, None, intent, failure)],
                    time.time(),
                )

    with_store(add)


def test_a_message_that_fails_later_stops_the_campaign_while_it_runs(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=50))
    plan(people(1500))
    told: list[str] = []

    def fail_one(message):
        if len(emulator._sent) == 30 and not told:
            told.append(message.to)
            threading.Thread(target=settle, args=(emulator, "failed", 132015, {message.to})).start()

    emulator.on_change = fail_one
    with pytest.raises(AirflowFailException, match="was stopped: a message failed: 132015"):
        send()
    assert len(emulator.sent) < 1500
    assert states()["planned"] > 1000


async def test_the_reason_of_a_stop_is_kept_though_the_sender_ends_at_once(emulator):
    plan(people(3))
    may_go_on = threading.Event()
    with closing(configured_store()) as store, ThreadPoolExecutor(1) as one_thread:
        asyncio.get_running_loop().set_default_executor(one_thread)
        watch: Any = Watch(store, store.campaigns.find("spring"), None, None)
        busy = asyncio.create_task(asyncio.to_thread(may_go_on.wait))
        stopping = asyncio.create_task(watch._stop("a message failed"))
        for _ in range(5):  # until it waits for the only thread
            await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        may_go_on.set()
        await busy
        await asyncio.to_thread(lambda: None)
        campaign = store.campaigns.find("spring")
        assert campaign is not None
        assert campaign.reason == "a message failed"


def test_a_sender_gives_up_when_the_store_stays_away_while_messages_are_left(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=20))
    monkeypatch.setattr("airflow_provider_d360.campaigns.control.STORE_AWAY_SECONDS", 0.5)
    monkeypatch.setattr("airflow_provider_d360.campaigns.control.FRESH_SECONDS", 0.2)
    plan(people(200))
    beat, beats = CampaignSenders.beat, []

    def beat_twice(self, lease, last):
        beats.append(last)
        if len(beats) > 2:
            raise StoreUnavailableError("The store is away")
        return beat(self, lease, last)

    monkeypatch.setattr(CampaignSenders, "beat", beat_twice)
    with pytest.raises(StoreUnavailableError, match="The store is away"):
        send()
    found = states()
    assert found["accepted"] == len(emulator.sent) < 200
    assert found["planned"] == 200 - len(emulator.sent)


def test_a_campaign_is_paused_and_resumed_while_it_runs(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=50))
    plan(people(300))

    def pause(message):
        if len(emulator._sent) == 30:
            threading.Thread(
                target=with_store, args=(lambda store: store.campaigns.signal("spring", "pause", "lunch"),)
            ).start()

    emulator.on_change = pause
    with pytest.raises(TaskDeferred) as deferred:
        send()
    assert deferred.value.trigger.waits_for == "signal"
    assert 30 <= len(emulator.sent) < 300
    found = states()
    assert (found["accepted"], found["planned"]) == (len(emulator.sent), 300 - len(emulator.sent))
    emulator.on_change = None
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=1000))
    with_store(lambda store: store.campaigns.signal("spring", "run", None))
    send()
    assert got(emulator) == expected(people(300))


def test_the_next_rows_are_claimed_while_there_are_still_some_to_send(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=20))
    claim, sent_before = CampaignSenders.claim, []

    def noted(self, *args):
        sent_before.append(len(emulator.sent))
        return claim(self, *args)

    monkeypatch.setattr(CampaignSenders, "claim", noted)
    plan(people(30))
    send(batch=20)
    assert sent_before[0] == 0
    assert sent_before[1] < 18  # which were claimed at first
    assert got(emulator) == expected(people(30))


def test_few_rows_are_claimed_long_before_they_are_sent(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection(messages_per_second=20))
    claim = CampaignSenders.claim
    claimed: list[DueRow] = []
    ahead: list[int] = []

    def noted(self, *args):
        ahead.append(len(claimed) - len(emulator.sent))
        rows = claim(self, *args)
        claimed.extend(rows)
        return rows

    monkeypatch.setattr(CampaignSenders, "claim", noted)
    plan(people(80))
    send(batch=200)
    assert len(claimed) == 80
    assert max(ahead) <= 18  # a second's worth, though the batch has room for all


def test_after_held_messages_the_task_waits_for_a_verdict(emulator):
    plan(people(400))
    emulator.hold_template("promo", after=10)
    with pytest.raises(TaskDeferred) as deferred:
        send(batch=20)
    assert deferred.value.trigger.waits_for == "verdicts"
    found = states()
    assert found["accepted"] == 10
    assert 100 <= found["held"] <= 120
    emulator.release_held("promo")
    settle(emulator, "sent")
    send()
    assert got(emulator) == expected(people(400))


def test_held_messages_that_are_dropped_stop_the_campaign(emulator):
    plan(people(400))
    emulator.hold_template("promo")
    with pytest.raises(TaskDeferred):
        send(batch=20)
    sent = len(emulator.sent)
    settle(emulator, "failed", 132015)
    with pytest.raises(AirflowFailException, match="was stopped: a message failed: 132015"):
        send()
    assert len(emulator.sent) == sent


def sense(**thresholds):
    sensor = D360CampaignSensor(task_id="sense", campaign_id="spring", **thresholds)
    return sensor.poke({})


def test_a_sensor_waits_until_enough_has_arrived(emulator):
    plan(people(20))
    send(limit=10)
    assert sense(delivered=0.8) is False
    settle(emulator, "delivered", only={message.to for message in emulator.sent[:8]})
    assert sense(delivered=0.8) is True


@pytest.mark.parametrize(
    ("on_failure", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException)]
)
def test_a_sensor_ends_as_soon_as_too_many_have_failed(emulator, on_failure, error):
    plan(people(20))
    send(limit=10)
    settle(emulator, "failed", 131026, only={emulator.sent[0].to})
    with pytest.raises(error, match=r"more than 5 % failed: 10 tried, 1 failed \(10.0 %\)"):
        sense(on_failure=on_failure)


def test_a_sensor_fails_when_the_campaign_was_stopped(emulator):
    plan(people(20))
    with_store(lambda store: store.campaigns.signal("spring", "stop", "wrong picture"))
    with pytest.raises(AirflowFailException, match="it was stopped: wrong picture"):
        sense()


async def test_the_triggers_wake_up_when_something_has_changed(emulator):
    plan(people(5))
    trigger = D360CampaignTrigger(campaign_id="spring", waits_for="signal", until=None)
    assert [event.payload async for event in trigger.run()] == [{"state": "go on"}]
    results = D360CampaignResultTrigger(campaign_id="spring", thresholds={"delivered": 0.5}, until=0.0)
    assert [event.payload async for event in results.run()] == [
        {"state": "waiting", "reason": "nothing was sent so far"}
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_report_has_a_line_for_each_person_and_no_whole_number(emulator, tmp_path, kind):
    rows = [{**row, "id": f"=c{number}"} for number, row in enumerate(people(6), 1)]
    plan(rows, label_column="id")
    emulator.reject(131026, to="4915100000002")
    emulator.fail_next(faults.accepted_and_cut_off(), path="/messages")
    send(limit=1)  # or any of them could be cut off
    send()
    path = tmp_path / f"report.{kind}"
    totals = D360CampaignReportOperator(task_id="report", campaign_id="spring", path=str(path)).execute(
        context()
    )
    content = path.read_text()
    lines = (
        list(csv.DictReader(content.splitlines()))
        if kind == "csv"
        else list(map(json.loads, content.splitlines()))
    )
    assert [line["state"] for line in lines].count("accepted") == 4
    assert lines[0]["state"] == "unknown"
    refused = next(line for line in lines if line["state"] == "refused")
    assert (str(refused["row"]), str(refused["code"]), refused["recipient"]) == ("3", "131026", "49…02")
    assert refused["label"] == ("'=c3" if kind == "csv" else "=c3")
    assert "not on WhatsApp" in refused["remedy"]
    assert "15100000" not in content
    assert (totals["tried"], totals["failed"], totals["unknown"]) == (6, 1, 1)
    assert totals["errors"][0]["code"] == 131026


def test_a_csv_file_is_an_audience(emulator, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("\ufeffto;name\n+49 151 00000000;Ann\n\n+49 151 00000001;Bob\n", encoding="utf-8")
    plan(str(path))
    assert states() == {"planned": 2}


def test_a_jsonl_file_is_an_audience_and_its_broken_lines_have_numbers(emulator, tmp_path):
    path = tmp_path / "people.jsonl"
    path.write_text('{"to": "+49 151 00000000", "name": "Ann"}\n[1]\n{"to":\n')
    with pytest.raises(AirflowFailException, match="row 2: the line is no JSON object; row 3: the line"):
        plan(str(path))


@pytest.mark.parametrize(
    ("audience", "problem"),
    [
        ("people.txt", "does not end with .csv"),
        (5, "a value of type int"),
        ({"sql": "SELECT 1"}, "without sql and conn_id"),
        ([], "would reach nobody"),
        ([5.5], "no dict"),
    ],
)
def test_what_is_no_audience_is_told(emulator, audience, problem):
    with pytest.raises(AirflowFailException, match=problem):
        plan(audience)


def run_command(*words):
    return main(["campaign", *words])


def test_the_command_lists_shows_and_controls_campaigns(emulator, capsys):
    plan(people(5))
    emulator.reject(131026, to="4915100000002")
    send(limit=3)
    assert run_command("show", "spring") == 0
    shown = capsys.readouterr().out
    assert "3 of 5 (60 %): 2 accepted, 1 refused" in shown
    assert "the recipient is not on WhatsApp" in shown
    assert run_command("pause", "spring", "--reason", "lunch") == 0
    assert run_command("list") == 0
    assert "pause (lunch)  spring" in capsys.readouterr().out
    with pytest.raises(TaskDeferred):
        send()
    assert run_command("slow", "spring", "--rate", "100") == 0
    assert "run, at most 100 a second" in capsys.readouterr().out
    assert run_command("stop", "spring") == 0
    with pytest.raises(AirflowFailException, match="by airflow d360 campaign"):
        send()
    assert run_command("resume", "spring") == 0
    assert send() == {"accepted": 4, "refused": 1}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("show", "winter"), 1),
        (("stop", "winter"), 1),
        (("pause",), 2),
        (("slow", "spring"), 2),
        (("slow", "spring", "--rate", "nan"), 2),
        (("slow", "spring", "--rate", "inf"), 2),
        (("list",), 0),
    ],
)
def test_the_command_has_exit_codes(emulator, words, code):
    assert run_command(*words) == code


@pytest.mark.parametrize(("outcome", "copies"), [("sent", 1), ("not-sent", 2)])
def test_unknown_outcomes_are_settled_by_hand(emulator, capsys, outcome, copies):
    plan(people(3))
    emulator.fail_next(faults.accepted_and_cut_off(), path="/messages")
    send()
    assert run_command("settle", "spring", "--as", outcome) == 0
    assert f"Settled as {outcome}: 1" in capsys.readouterr().out
    assert send() == {"accepted": 3}
    assert max(got(emulator).values()) == copies


def test_a_parquet_file_is_an_audience_and_a_report(emulator, tmp_path):
    path, report = tmp_path / "people.parquet", tmp_path / "report.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(people(5)), path, row_group_size=2)
    plan(str(path))
    send()
    D360CampaignReportOperator(task_id="report", campaign_id="spring", path=str(report)).execute(context())
    lines = parquet.read_table(report).to_pylist()
    assert [line["state"] for line in lines] == ["accepted"] * 5
    assert got(emulator) == expected(people(5))


def test_a_parquet_file_is_read_by_row_groups(tmp_path):
    path = tmp_path / "people.parquet"
    parquet.write_table(
        pyarrow.Table.from_pylist(people(4000)), path, row_group_size=2000, compression="none"
    )
    second = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(path.read_bytes())
    begin = second.dictionary_page_offset or second.data_page_offset
    content[begin : begin + 100] = bytes(100)
    path.write_bytes(content)
    rows = read_rows(str(path), "to")
    assert [next(rows) for _ in range(2000)] == people(2000)
    with pytest.raises(
        D360UnavailableError, match="cannot be read"
    ):  # the damage in the second group is met only now
        next(rows)


def test_a_query_is_an_audience_and_its_error_quotes_no_value(emulator, monkeypatch, tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as shop:
        shop.execute("CREATE TABLE customers (phone TEXT, name TEXT)")
        shop.executemany(
            "INSERT INTO customers VALUES (?, ?)", [(row["to"], row["name"]) for row in people(5)]
        )
        shop.commit()
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "shop.sqlite")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(connection))
    plan({"sql": "SELECT * FROM customers", "conn_id": "shop"}, to_column="phone")
    send()
    assert got(emulator) == expected(people(5))
    with pytest.raises(
        AirflowFailException, match="The query of the audience failed: no such table: nobody"
    ) as caught:
        plan({"sql": "SELECT '4915100000001' AS phone FROM nobody", "conn_id": "shop"}, campaign_id="other")
    assert "15100000001" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"to,name\n\xff\xfe,Ann\n", "is not UTF-8"),
        (b'to,name\n"4915123456789,Ann' + b"x" * 2_000_000, "CSV"),
        (b'to,name\n4915123456781,"Ann\n4915123456782,Bob\n', "CSV: unexpected end of data"),
        (b'to,name\n4915123456781,"Ann" Smith\n', "CSV: ',' expected after"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(emulator, tmp_path, content, problem):
    path = tmp_path / "people.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AirflowFailException, match=f"The file of the audience cannot be read: .*{problem}"):
        plan(str(path))
    assert with_store(lambda store: store.campaigns.find("spring")) is None


def test_a_column_that_is_there_twice_is_not_read_as_one_of_both(emulator, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("to,name,to\n+4915100000001,Ann,+4915100000002\n")
    with pytest.raises(AirflowFailException, match="two columns 'to'"):
        plan(str(path))


def test_a_line_that_is_nested_without_end_is_a_bad_row(emulator, tmp_path):
    path = tmp_path / "people.jsonl"
    lines = ["[" * 200_000, *map(json.dumps, people(2))]
    path.write_text("\n".join(lines))
    plan(str(path), on_invalid_row="skip")
    send()
    assert got(emulator) == expected(people(2))


def test_messages_that_were_held_while_the_clock_was_wrong_are_not_waited_for_until_then(
    emulator, monkeypatch
):
    real, year = time.time, 365 * 86_400.0
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: real() + 10 * year)
        plan(people(150))
        emulator.hold_template("promo")
        with pytest.raises(TaskDeferred):
            send(batch=20)
    with pytest.raises(TaskDeferred) as deferred:
        send(batch=20)
    assert deferred.value.trigger.until < real() + 86_400.0


@pytest.mark.parametrize("limit", ["9" * 5000, 10**30])
def test_a_limit_that_no_store_takes_is_refused(emulator, limit):
    plan(people(1))
    with pytest.raises(AirflowFailException, match="limit is no whole number"):
        send(limit=limit)


@pytest.mark.parametrize("daily_limit", [float("nan"), "5", -1, 0, True])
def test_a_daily_limit_that_is_no_number_breaks_the_dag_file(daily_limit):
    with pytest.raises(ValueError, match="daily_limit"):
        D360PlanCampaignOperator(task_id="plan", audience=[], message="x", daily_limit=daily_limit)


@pytest.mark.parametrize("share", ["0.8", True, 80, float("nan")])
def test_a_share_that_is_none_breaks_the_dag_file(share):
    with pytest.raises(ValueError, match="delivered is"):
        sense(delivered=share)


@pytest.mark.parametrize("batch", [True, "5", 0, 1001, 2.0])
def test_a_batch_that_is_no_number_breaks_the_dag_file(batch):
    with pytest.raises(ValueError, match="batch is"):
        send(batch=batch)


def test_a_label_that_no_database_takes_costs_no_plan(emulator, tmp_path):
    plan([{**people(1)[0], "label": "Ann\ud800\0"}], label_column="label")
    send()
    assert got(emulator) == expected(people(1))


def test_messages_of_campaigns_are_counted(emulator, seen):
    plan(people(5))
    emulator.reject(131026, to="4915100000002")
    send()
    counts: Counter[tuple[str, str | None, str | None]] = Counter()
    for name, count, tags in seen:
        counts[name, tags.get("source"), tags.get("error")] += int(count)
    assert counts["d360.messages.accepted", "campaign", None] == 4
    assert counts["d360.messages.refused", "campaign", "D360RecipientError"] == 1
