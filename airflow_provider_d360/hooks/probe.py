"""The test of a connection: one request that changes nothing, and a text about its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_d360.api.endpoints import health, webhooks
from airflow_provider_d360.api.errors import (
    Condition,
    D360AuthError,
    D360Error,
    D360RateLimitError,
    D360UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_d360.api.endpoints.health import Health
    from airflow_provider_d360.api.endpoints.webhooks import WebhookConfig
    from airflow_provider_d360.api.hosting import Hosting
    from airflow_provider_d360.transport.flows import Flow
    from airflow_provider_d360.transport.settings import ConnectionSettings


def test(conn_id: str, run: Callable[..., tuple[bool, str]]) -> tuple[bool, str]:
    """
    Run the test of a connection.

    :param conn_id: The id of the connection. Airflow tests what is in the form under a random one, so it is
        not shown.
    :param run: Runs a flow with the connection's settings: ``hook.run``.
    :returns: Whether it works, and a text for people.
    """
    try:
        return run(probe)
    except D360Error as error:
        return False, str(error).replace(f"Connection {conn_id!r}", "The connection", 1)
    except Exception as error:  # noqa: BLE001 - Airflow shows what is returned, not what is raised
        return False, f"The connection cannot be read: {type(error).__name__}."


def probe(settings: ConnectionSettings) -> Flow[tuple[bool, str]]:
    """
    Test a connection. All texts are fixed but for the host, so that no secret is in them.

    :param settings: The settings of the connection; the hook passes them.
    :returns: Whether it works, and a text for people.
    """
    try:
        return (yield from _probe(settings.hosting))
    except D360Error as error:
        return False, _explain(error, settings.host)
    except Exception as error:  # noqa: BLE001 - Airflow shows what is returned, not what is raised
        return False, f"The test failed unexpectedly: {type(error).__name__}."


def _probe(hosting: Hosting) -> Flow[tuple[bool, str]]:
    if not hosting.names_product or hosting.health is None:
        webhook: WebhookConfig = yield webhooks.get_webhook(hosting)
        is_set = "A webhook is set." if webhook.url else "No webhook is set yet."
        return True, f"The API key works ({hosting.name}). {is_set}"
    state: Health = yield health.health(hosting)
    if state.can_send_message.upper() == "BLOCKED":
        return False, "The API key works, but the account is BLOCKED from sending; see the 360dialog Hub."
    if state.can_send_message.upper() == "LIMITED":
        return True, "The API key works, but the account is LIMITED in sending; see the 360dialog Hub."
    return True, f"The API key works ({hosting.name}). The number is able to send messages."


def _explain(error: D360Error, host: str) -> str:
    status = error.detail.http_status
    if isinstance(error, D360AuthError):
        rejected = error.detail.condition is Condition.KEY_REJECTED
        reason = "The API key is wrong or expired." if rejected else "The account may not do this."
        return f"{reason} See the 360dialog Hub."
    if isinstance(error, D360RateLimitError):
        return "The API key was not checked: too many requests. Try again in a minute."
    if isinstance(error, D360UnavailableError) and status is None:
        return f"{host} cannot be reached: check the network, the proxy and the connection's base URL."
    if isinstance(error, D360UnavailableError):
        return f"{host} does not respond as 360dialog does (HTTP {status}): check the base URL, or try later."
    return f"{host} does not know this request (HTTP {status}): check the connection's base URL and hosting."
