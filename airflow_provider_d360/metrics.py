"""
The metrics of this package, in Airflow's own statistics: StatsD, Datadog or OpenTelemetry.

Nothing is counted unless ``[metrics]`` in Airflow's configuration switches one of these on. A metric that
cannot be sent fails nothing. No tag holds a number, a text or an id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

log = logging.getLogger(__name__)

_SWITCHES = ("statsd_on", "statsd_datadog_enabled", "otel_on")


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One metric.

    :param name: Its name, without the prefix that ``[metrics]`` sets.
    :param kind: ``counter`` or ``timer``; a timer is measured in seconds.
    :param tags: The names of its tags.
    :param meaning: What it counts, or how long what takes.
    """

    name: str
    kind: str
    tags: tuple[str, ...]
    meaning: str


ACCEPTED = Metric("d360.messages.accepted", "counter", ("source",), "Messages that 360dialog accepted.")
HELD = Metric(
    "d360.messages.held", "counter", ("source",), "Messages that WhatsApp holds to assess their template."
)
REFUSED = Metric(
    "d360.messages.refused",
    "counter",
    ("source", "error"),
    "Sends that failed, and nothing was accepted: by the class of the error.",
)
UNKNOWN = Metric(
    "d360.messages.unknown",
    "counter",
    ("source",),
    "Sends of which nobody knows whether the message was accepted.",
)
DELIVERY_TIME = Metric(
    "d360.messages.delivery_time",
    "timer",
    (),
    "From the send to the time at which WhatsApp delivered the message.",
)
DELIVERIES = Metric(
    "d360.receiver.deliveries",
    "counter",
    ("status",),
    "Deliveries to the receiver, by the HTTP status of the response.",
)
LAG = Metric(
    "d360.receiver.lag",
    "timer",
    (),
    "From the oldest event of a delivery to its arrival at the receiver.",
)
NOTICES = Metric(
    "d360.receiver.notices",
    "counter",
    ("level",),
    "What WhatsApp reported about templates, numbers and accounts.",
)
ALERTS_SENT = Metric("d360.alerts.sent", "counter", (), "Alerts and summaries that reached somebody.")
ALERTS_HELD = Metric(
    "d360.alerts.held_back",
    "counter",
    ("reason",),
    "Alerts that were held back: by a cooldown, for a summary, or because another alert had reported it.",
)
ALERTS_KEPT = Metric(
    "d360.alerts.due", "counter", (), "Alerts that could not be sent at once, and are sent later."
)

ALERTING = (ALERTS_SENT, ALERTS_HELD, ALERTS_KEPT)
SENDING = (ACCEPTED, HELD, REFUSED, UNKNOWN)
RECEIVING = (DELIVERIES, LAG, DELIVERY_TIME, NOTICES)
METRICS = SENDING + RECEIVING + ALERTING

Sink = Callable[[Metric, float, dict[str, str]], None]

_sinks: list[Sink] = []


def add_sink(sink: Sink) -> None:
    """
    Pass all metrics of this process on, besides Airflow's statistics.

    :param sink: Gets the metric, the count or the seconds, and the tags. It must not block.
    """
    _sinks.append(sink)


def is_enabled() -> bool:
    """Return True if metrics of this process go anywhere."""
    return bool(_sinks) or _airflow_counts()


def count(metric: Metric, times: int = 1, **tags: str) -> None:
    """
    Count something.

    :param metric: A counter.
    :param times: How often it happened.
    :param tags: All tags of the metric.
    """
    _record(metric, times, tags)


def measure(metric: Metric, seconds: float, **tags: str) -> None:
    """
    Record how long something took.

    :param metric: A timer.
    :param seconds: The time in seconds. A negative one, of clocks that differ, counts as 0.
    :param tags: All tags of the metric.
    """
    _record(metric, max(seconds, 0.0), tags)


def _record(metric: Metric, value: float, tags: dict[str, str]) -> None:
    try:
        for sink in _sinks:
            sink(metric, value, tags)
        if not _airflow_counts():
            return
        from airflow_provider_d360.compat import airflow_stats

        stats: Any = airflow_stats()
        if metric.kind == "counter":
            stats.incr(metric.name, int(value), tags=tags)
        else:
            stats.timing(metric.name, timedelta(seconds=value), tags=tags)
    except Exception as error:  # noqa: BLE001 - whatever it is, a message must not fail because of it
        log.debug("The metric %s could not be recorded: %s", metric.name, type(error).__name__)


@cache
def _airflow_counts() -> bool:
    from airflow_provider_d360.compat import conf

    return any(conf.getboolean("metrics", switch, fallback=False) for switch in _SWITCHES)
