"""What the receiver measures, and how Prometheus gets it."""

from __future__ import annotations

import http.client
import sys
import time

from starlette.applications import Starlette

from airflow_provider_d360 import metrics
from airflow_provider_d360.api.events import StatusEvent
from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.receiver.prometheus import metrics_route, prometheus_name
from airflow_provider_d360.store import Store
from tests.receiver.doors import LOGIN, change, post, served, statuses
from tests.store.entries import entry, record

SENT_AT = 1_700_000_000.0


def delivery(message_id: str, status: str, at: float) -> dict[str, object]:
    item = {"id": message_id, "status": status, "timestamp": str(int(at))}
    return {"object": "x", "entry": [{"changes": [change({"statuses": [item]})]}]}


def test_deliveries_are_counted_by_the_status_of_the_response(store, seen):
    with served(create_app(store, [LOGIN], max_body_bytes=10_000, measures=True)) as port:
        assert post(port, statuses(("a", "sent"))) == 200
        assert post(port, statuses(("a", "sent")), {}) == 401
        assert post(port, b" " * 20_000) == 413
    counted = [tags["status"] for name, _, tags in seen if name == "d360.receiver.deliveries"]
    assert counted == ["200", "401", "413"]


def test_the_lag_is_that_of_the_oldest_event_of_a_delivery(store, seen):
    now = time.time()
    body = delivery("a", "sent", now - 500)
    body["statuses"] = [{"id": "b", "status": "sent", "timestamp": str(int(now - 900))}]
    with served(create_app(store, [LOGIN], measures=True)) as port:
        assert post(port, body) == 200
    (lag,) = (value for name, value, _ in seen if name == "d360.receiver.lag")
    assert 899 < lag < 960


def test_the_delivery_time_is_measured_once_for_each_message_that_we_sent(store, seen):
    record(store, entry("a", at=SENT_AT))
    with served(create_app(store, [LOGIN], measures=True)) as port:
        for body in (
            delivery("a", "sent", SENT_AT + 3),
            delivery("a", "delivered", SENT_AT + 7),
            delivery("a", "delivered", SENT_AT + 7),
            delivery("somebody else's", "delivered", SENT_AT + 9),
        ):
            assert post(port, body) == 200
    assert [value for name, value, _ in seen if name == "d360.messages.delivery_time"] == [7.0]


def test_a_clock_that_is_behind_makes_no_negative_time(store, seen):
    record(store, entry("a", at=SENT_AT))
    with served(create_app(store, [LOGIN], measures=True)) as port:
        assert post(port, delivery("a", "delivered", SENT_AT - 50)) == 200
    assert [value for name, value, _ in seen if name == "d360.messages.delivery_time"] == [0.0]


def test_of_many_messages_each_has_its_delivery_time(store):
    record(store, *(entry(f"m{number}", at=SENT_AT, scope=f"scope {number}") for number in range(1200)))
    events = [StatusEvent(f"m{number}", "delivered", SENT_AT + 1) for number in range(1200)]
    assert store.delivery_seconds(events) == [1.0] * 1200


def test_notices_are_counted_by_their_level(store, seen):
    value = {"event": "ACCOUNT_DELETED"}
    body = {"object": "x", "entry": [{"id": "1", "changes": [{"field": "account_update", "value": value}]}]}
    with served(create_app(store, [LOGIN], measures=True)) as port:
        assert post(port, body) == 200
    assert ("d360.receiver.notices", 1, {"level": "failed"}) in seen


def test_a_receiver_that_is_not_asked_to_measures_nothing(store, seen):
    with served(create_app(store, [LOGIN])) as port:
        assert post(port, delivery("a", "delivered", SENT_AT)) == 200
    assert seen == []


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def with_metrics(store: Store) -> Starlette:
    return Starlette(routes=[metrics_route(), *create_app(store, [LOGIN], measures=True).routes])


def test_prometheus_gets_the_receivers_metrics_and_no_others(store, seen):
    record(store, entry("a", at=SENT_AT))
    with served(with_metrics(store)) as port:
        assert post(port, delivery("a", "delivered", SENT_AT + 7)) == 200
        assert post(port, b"{}", {}) == 401
        status, text = get(port, "/metrics")
    assert status == 200
    for line in (
        'd360_receiver_deliveries_total{status="200"} 1.0',
        'd360_receiver_deliveries_total{status="401"} 1.0',
        "d360_messages_delivery_time_seconds_sum 7.0",
        'd360_messages_delivery_time_seconds_bucket{le="10.0"} 1.0',
        "d360_receiver_lag_seconds_count 1.0",
    ):
        assert line in text.splitlines()
    assert {prometheus_name(metric) for metric in metrics.RECEIVING} <= {
        line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")
    }
    assert "accepted" not in text


def test_a_message_that_this_process_sends_is_no_metric_of_the_receiver(store, seen):
    metrics_route()
    metrics.count(metrics.ACCEPTED, source="hook")
    assert seen[-1][0] == "d360.messages.accepted"


def test_without_the_package_it_says_what_to_install(store, seen, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with served(with_metrics(store)) as port:
        status, text = get(port, "/metrics")
    assert status == 404
    assert "pip install 'airflow-provider-d360[metrics]'" in text
