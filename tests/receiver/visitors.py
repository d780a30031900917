"""People with a browser at the pages about messages."""

from __future__ import annotations

import html
import http.client
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import urlencode

from fastapi import FastAPI

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.store import Entry, Store
from tests.recorded import NUMBER, record

NOW = time.time()


class Page(NamedTuple):
    status: int
    headers: Any
    html: str

    @property
    def text(self) -> str:
        """What a person reads of it."""
        body = re.sub(r"(?s)<(style|script)>.*?</\1>", "", self.html)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())

    @property
    def links(self) -> list[str]:
        return [html.unescape(link) for link in re.findall(r'<a [^>]*href="([^"]*)"', self.html)]

    @property
    def older(self) -> str | None:
        """Where older messages stand."""
        match = re.search(r'href="([^"]*)" rel="next"', self.html)
        return html.unescape(match[1]) if match else None


class Visitor:
    """
    Somebody with a browser.

    :param port: Where Airflow is served.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str = "/d360/messages", user: str | None = "ada") -> Page:
        return self._request("GET", path, user, {})

    def post(
        self,
        path: str,
        fields: dict[str, str],
        user: str | None = "ada",
        headers: dict[str, str] | None = None,
    ) -> Page:
        """Send a form: by default from a page of Airflow's own."""
        own = {"Origin": f"http://127.0.0.1:{self.port}", "Sec-Fetch-Site": "same-origin"}
        form = {"Content-Type": "application/x-www-form-urlencoded", **(own if headers is None else headers)}
        return self._request("POST", path, user, form, urlencode(fields))

    def _request(
        self, method: str, path: str, user: str | None, headers: dict[str, str], body: str | None = None
    ) -> Page:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            cookie = {"Cookie": f"_token={user}"} if user else {}
            connection.request(method, path, body, {**headers, **cookie})
            response = connection.getresponse()
            return Page(response.status, response.headers, response.read().decode())
        finally:
            connection.close()


def airflow_with(open_store: Callable[[], Store]) -> FastAPI:
    """Mount the pages as Airflow does."""
    from airflow_provider_d360.pages.routes import page_routes  # which needs Airflow's API

    app, mounted = FastAPI(), FastAPI()
    mounted.router.routes.extend(page_routes(open_store))
    app.mount("/d360", mounted)
    return app


def page_of(message_id: str) -> str:
    return f"/d360/messages/{short_id(message_id)}"


def messages_in(page: Page) -> list[str]:
    """List the messages m0, m1, … that a page links to, in their order."""
    names = {page_of(f"m{number}"): f"m{number}" for number in range(1000)}
    paths = [link.partition("?")[0] for link in page.links]
    return [names[path] for path in paths if path in names]


def send(store: Store, message_id: str | None = None, **known: Any) -> Entry:
    return record(store, message_id, **{"at": NOW - 60, **known})


def path_of(entry: Entry) -> str:
    return f"/d360/messages/{entry.id}"


def tell(
    store: Store, message_id: str, status: str, *, at: float = NOW - 50, on_premise: bool = False, **more: Any
) -> None:
    told = {"id": message_id, "status": status, "timestamp": str(int(at)), "recipient_id": NUMBER, **more}
    cloud = {"entry": [{"changes": [{"field": "messages", "value": {"statuses": [told]}}]}]}
    store.add(read_events({"statuses": [told]} if on_premise else cloud), NOW)


def assert_harmless(page: Page) -> None:
    """Read a page as a browser does: nobody else's element or handler is in it."""
    tags: list[str] = []
    handlers: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            handlers.extend(name for name, _ in attrs if name.startswith("on"))

    Reader().feed(page.html)
    assert (tags.count("script"), tags.count("img"), handlers) == (1, 0, [])
