"""What the receiver measures of the deliveries that it gets."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from airflow_provider_d360 import metrics
from airflow_provider_d360.api.events import Event, MessageEvent, StatusEvent
from airflow_provider_d360.api.notices import NoticeEvent
from airflow_provider_d360.store import Store, StoreError


def measure_delivery(events: Iterable[Event]) -> None:
    """
    Measure how old the oldest event of a delivery is, and count its notices.

    :param events: The events of one delivery, as it arrives.
    """
    times = []
    for event in events:
        if isinstance(event, StatusEvent | MessageEvent | NoticeEvent) and event.at is not None:
            times.append(event.at)
        if isinstance(event, NoticeEvent):
            metrics.count(metrics.NOTICES, level=event.level.name.lower())
    if times:
        metrics.measure(metrics.LAG, time.time() - min(times))


def delivery_seconds(store: Store, events: Iterable[Event]) -> list[float]:
    """
    Return how long messages took until they were delivered; nothing while the store is away.

    :param store: The store, in which the events are not yet.
    :param events: Events of any kind.
    """
    with contextlib.suppress(StoreError):
        return store.delivery_seconds(events)
    return []
