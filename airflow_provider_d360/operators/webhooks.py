"""The operator that sets where 360dialog delivers webhooks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_d360.api.endpoints.webhooks import check_webhook_url
from airflow_provider_d360.api.privacy import conceal
from airflow_provider_d360.tasks.arguments import check_choice, check_single, read_flag, read_seconds
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.operator import D360Operator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_d360.messages.values import String


_CONFIRM_EVERY_SECONDS = 2.0


class D360ConfigureWebhookOperator(D360Operator):
    """
    Set the URL that 360dialog delivers webhooks to, and return the previous URL without its query.

    A number has one webhook. The operator reads the current one, does nothing when URL and headers are right
    already, refuses to replace another URL without ``replace``, sets the new one, and reads it back.

    The login of a receiver with Basic authorization comes from the connection's ``webhook_username`` and
    ``webhook_password``. Header values appear neither in the log nor in XCom.

    :param url: Where to deliver: ``https`` with a valid certificate; on cloud without ``_`` and without a
        port in the host. The receiver must respond with 200 to everything, within 80 ms. (templated)
    :param headers: More headers for 360dialog to send with each delivery; none by default. (templated)
    :param level: ``number`` (default), or ``waba`` for all numbers of the account (cloud only). A number's
        own webhook has precedence over its account's.
    :param override_all: With ``level="waba"``: replace the webhooks of single numbers as well. Off by
        default.
    :param replace: Allow replacing another URL. Off by default, so that a staging DAG cannot redirect
        production.
    :param confirm_seconds: How long to wait until a new WABA-level webhook can be read back: seconds or a
        timedelta, 60 seconds by default. 360dialog documents 15 to 20 seconds.
    :param d360_conn_id: The 360dialog connection; ``d360_default`` by default. (templated)
    """

    template_fields: Sequence[str] = ("url", "headers", "d360_conn_id")
    private_fields: ClassVar[frozenset[str]] = frozenset({"url", "headers"})

    def __init__(
        self,
        *,
        url: String,
        headers: Mapping[str, String] | None = None,
        level: Literal["number", "waba"] = "number",
        override_all: bool = False,
        replace: bool = False,
        confirm_seconds: timedelta | float = 60.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice("level", level, "number", "waba")
        self.url: Any = url
        self.headers: Any = headers
        self.level = level
        self.override_all = read_flag("override_all", override_all)
        self.replace = read_flag("replace", replace)
        self.confirm_seconds = read_seconds("confirm_seconds", confirm_seconds)

    def execute(self, context: Context) -> str | None:
        with fail_at_once(self.d360_conn_id):
            return self._configure()

    def concealed(self, name: str, value: Any) -> Any:
        """
        Show a URL without login and query, and headers without their values.

        :param name: The field's name.
        :param value: The rendered value.
        """
        return without_secrets(value) if name == "url" else conceal(value, {})

    def _configure(self) -> str | None:
        url = self.rendered("url")
        check_single("url", url, operator=type(self).__name__)
        check_webhook_url(self.hook.get_conn().settings.hosting, url)
        headers = self.rendered("headers")
        all_headers = self.hook.webhook_headers(headers)
        before = self.hook.get_webhook(self.level)
        if before.url == url and _same_headers(before.headers, all_headers) and not self.override_all:
            self.log.info("The webhook is set already: %s", without_secrets(url))
            return without_secrets(before.url)
        if before.url and before.url != url and not self.replace:
            raise _error(
                f"Another webhook is set: {without_secrets(before.url)}",
                "Pass replace=True if this DAG may replace it; the old URL then gets no more deliveries.",
            )
        self.hook.configure_webhook(url, headers, level=self.level, override_all=self.override_all)
        self._confirm(url, all_headers)
        self.log.info("The webhook is now %s, before %s", without_secrets(url), without_secrets(before.url))
        return without_secrets(before.url)

    def _confirm(self, url: str, headers: Mapping[str, str]) -> None:
        """Read the webhook back; wait where a change takes effect later."""
        deadline = time.monotonic() + (self.confirm_seconds if self.level == "waba" else 0.0)
        while True:
            current = self.hook.get_webhook(self.level)
            if current.url == url and (not current.headers or _same_headers(current.headers, headers)):
                return
            if time.monotonic() >= deadline:
                difference = " with other headers" if current.url == url else ""
                raise _error(
                    f"The webhook was set, but {without_secrets(current.url)} is read back{difference}",
                    "Look at it in the 360dialog Hub; somebody else may be setting it too.",
                )
            time.sleep(min(_CONFIRM_EVERY_SECONDS, max(0.0, deadline - time.monotonic())))


def without_secrets(url: str | None) -> str | None:
    """
    Return a URL without login, query and fragment, any of which may hold a token.

    :param url: The URL, or None.
    """
    if url is None:
        return None
    before_query = str(url).partition("?")[0].partition("#")[0]
    scheme, separator, rest = before_query.rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _same_headers(left: Mapping[str, str], right: Mapping[str, str]) -> bool:
    return {name.lower(): value for name, value in left.items()} == {
        name.lower(): value for name, value in right.items()
    }


def _error(title: str, remedy: str) -> Exception:
    from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail

    return D360RequestError(ErrorDetail(title=title, remedy=remedy))
