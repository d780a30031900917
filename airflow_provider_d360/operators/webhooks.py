"""Operators that say where 360dialog delivers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_d360.operators.failures import fail_at_once
from airflow_provider_d360.operators.rendering import ConcealingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.api.results import WebhookConfig
    from airflow_provider_d360.hooks.d360 import D360Hook

_CONFIRM_EVERY_SECONDS = 2.0


class D360ConfigureWebhookOperator(ConcealingOperator):
    """
    Make 360dialog deliver to a URL, and return the URL it delivered to before, without its query.

    A number has one webhook. The operator reads what is set, does nothing when that is already right,
    refuses to take the place of another URL unless ``replace`` says so, sets the new one, and reads it back.

    The user and the password of a receiver with Basic authorization come from the connection's
    ``webhook_username`` and ``webhook_password``. Header values appear in no log and in no XCom.

    :param url: Where to deliver: ``https`` with a valid certificate; on cloud without ``_`` and without a
        port in the (sub)domain. The receiver answers 200 to everything, in less than 80 ms. (templated)
    :param headers: More headers for 360dialog to send with each delivery. (templated)
    :param level: ``number``, or ``waba`` for all numbers of the account (cloud only). A number's own webhook
        has precedence over its account's.
    :param override_all: With ``level="waba"``: take the place of the numbers' own webhooks as well.
    :param replace: Allow to take the place of another URL. Without it, a staging DAG cannot redirect
        production.
    :param confirm_seconds: How long to wait until a new WABA-level webhook shows; 360dialog says 15 to 20
        seconds.
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("url", "headers", "d360_conn_id")
    private_fields: ClassVar[frozenset[str]] = frozenset({"url", "headers"})
    ui_color = "#25d366"

    def __init__(
        self,
        *,
        url: str,
        headers: Mapping[str, str] | None = None,
        level: str = "number",
        override_all: bool = False,
        replace: bool = False,
        confirm_seconds: float = 60.0,
        d360_conn_id: str = "d360_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.url = url
        self.headers = headers
        self.level = level
        self.override_all = override_all
        self.replace = replace
        self.confirm_seconds = confirm_seconds
        self.d360_conn_id = d360_conn_id

    @cached_property
    def hook(self) -> D360Hook:
        """The hook of this task's connection."""
        from airflow_provider_d360.hooks.d360 import D360Hook

        return D360Hook(self.d360_conn_id)

    def execute(self, context: Context) -> str | None:
        with fail_at_once(self.d360_conn_id):
            return self._configure()

    def concealed(self, name: str, value: Any) -> Any:
        return shown(value) if name == "url" else super().concealed(name, value)

    def _configure(self) -> str | None:
        url = self.rendered("url")
        self.hook.check_webhook_url(url)
        headers = self.rendered("headers")
        wanted = self.hook.webhook_headers(headers)
        before = self.hook.get_webhook(self.level)
        if before.url == url and _same(before.headers, wanted) and not self.override_all:
            self.log.info("The webhook is already right: %s", shown(url))
            return shown(before.url)
        if before.url and before.url != url and not self.replace:
            raise _refused(
                f"Another webhook is set: {shown(before.url)}",
                "Pass replace=True if this DAG may take its place; nothing will be delivered there any more.",
            )
        self.hook.configure_webhook(url, headers, level=self.level, override_all=self.override_all)
        self._confirm(url, wanted)
        self.log.info("The webhook is now %s, before %s", shown(url), shown(before.url))
        return shown(before.url)

    def _confirm(self, url: str, wanted: Mapping[str, str]) -> None:
        deadline = time.monotonic() + (self.confirm_seconds if self.level == "waba" else 0.0)
        while True:
            now = self.hook.get_webhook(self.level)
            if now.url == url and (not now.headers or _same(now.headers, wanted)):
                return
            if time.monotonic() >= deadline:
                raise _refused(
                    f"The webhook was set, but {shown(now.url)} is read back{_which(now, url)}",
                    "Look at it in the 360dialog Hub; somebody else may be setting it too.",
                )
            time.sleep(min(_CONFIRM_EVERY_SECONDS, max(0.0, deadline - time.monotonic())))


def shown(url: str | None) -> str | None:
    """Write a URL for everybody: without login, and without a query, which may hold a token."""
    if url is None:
        return None
    before_query = str(url).partition("?")[0].partition("#")[0]
    scheme, separator, rest = before_query.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _same(left: Mapping[str, str], right: Mapping[str, str]) -> bool:
    return {name.lower(): value for name, value in left.items()} == {n.lower(): v for n, v in right.items()}


def _which(now: WebhookConfig, url: str) -> str:
    return " with other headers" if now.url == url else ""


def _refused(title: str, remedy: str) -> Exception:
    from airflow_provider_d360.api.errors import D360RequestError, Refusal

    return D360RequestError(Refusal(title=title, remedy=remedy))
