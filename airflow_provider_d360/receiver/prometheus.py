"""``GET /metrics`` of the standalone receiver, in the format of Prometheus."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from airflow_provider_d360 import metrics
from airflow_provider_d360.metrics import Metric

_LIMITS_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)


def metrics_route() -> Route:
    """
    Make the route; without the package ``prometheus-client`` it responds 404 and says what to install.

    From now on, the metrics of this process are counted for it as well.
    """
    try:
        import prometheus_client
    except ImportError:
        return Route("/metrics", _respond_missing)
    exporter = _Exporter(prometheus_client)
    metrics.add_sink(exporter.record)
    return Route("/metrics", exporter.respond)


def prometheus_name(metric: Metric) -> str:
    """
    Return the name under which Prometheus knows a metric.

    :param metric: A metric of the receiver.
    """
    name = metric.name.replace(".", "_")
    return f"{name}_total" if metric.kind == "counter" else f"{name}_seconds"


async def _respond_missing(request: Request) -> Response:
    text = "There are no metrics here. Install them: pip install 'airflow-provider-d360[metrics]'\n"
    return PlainTextResponse(text, 404)


class _Exporter:
    """
    Holds the receiver's metrics since the start of this process.

    :param client: The module ``prometheus_client``.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._registry = client.CollectorRegistry()
        self._metrics = {metric.name: self._new(metric) for metric in metrics.RECEIVING}

    def _new(self, metric: Metric) -> Any:
        name, options = prometheus_name(metric), {"registry": self._registry}
        if metric.kind == "counter":
            return self._client.Counter(name, metric.meaning, metric.tags, **options)
        return self._client.Histogram(name, metric.meaning, metric.tags, buckets=_LIMITS_SECONDS, **options)

    def record(self, metric: Metric, value: float, tags: dict[str, str]) -> None:
        if metric.name not in self._metrics:  # sent by this process, not received
            return
        held = self._metrics[metric.name]
        held = held.labels(**tags) if tags else held
        if metric.kind == "counter":
            held.inc(value)
        else:
            held.observe(value)

    async def respond(self, request: Request) -> Response:
        body = self._client.generate_latest(self._registry)
        return Response(body, media_type=self._client.CONTENT_TYPE_LATEST)
