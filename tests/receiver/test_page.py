"""The pages about messages, as a browser gets them."""

from __future__ import annotations

import importlib
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_d360 import plugin
from airflow_provider_d360.api.notices import Level, NoticeEvent
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.api.responses import failed_status
from airflow_provider_d360.pages import messages as page_module
from airflow_provider_d360.pages.rendering import ASSETS
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.sent import Messages
from tests.receiver.doors import served
from tests.receiver.visitors import (
    NOW,
    Visitor,
    airflow_with,
    assert_harmless,
    messages_in,
    page_of,
    send,
    tell,
)


def test_nobody_sees_anything_before_logging_in(visitor, store):
    send(store, "m1")
    for path in ("/d360/messages?dag=shop", page_of("m1")):
        page = visitor.get(path, user=None)
        assert (page.status, "shop" in page.text) == (401, False)
        assert page.links == [f"/api/v2/auth/login?next={quote(path, safe='')}"]


@pytest.mark.parametrize(("user", "status"), [("expired", 401), ("forged", 403), ("stranger", 403)])
@pytest.mark.parametrize("path", ["/d360/messages", page_of("m1")])
def test_who_may_not_view_dag_runs_sees_no_messages(visitor, store, user, status, path):
    send(store, "m1")
    page = visitor.get(path, user)
    assert (page.status, "tell" in page.text) == (status, False)
    assert page.headers["content-type"].startswith("text/html")


def test_everybody_sees_the_messages_of_the_dags_they_may_read(visitor, store):
    send(store, "m1", dag_id="shop")
    send(store, "m2", dag_id="billing")
    send(store, "m3", dag_id="secret")
    tell(store, "m3", "read")
    for user, seen in (("ada", {"m1", "m2"}), ("bob", {"m2"})):
        page = visitor.get(user=user)
        assert {name for name in ("m1", "m2", "m3") if page_of(name) in page.links} == seen
        assert f"{len(seen)} Message" in page.text
        assert "secret" not in page.html
        assert "Read" not in page.text.split()
        assert {name: visitor.get(page_of(name), user).status for name in ("m1", "m2", "m3")} == {
            name: 200 if name in seen else 404 for name in ("m1", "m2", "m3")
        }


@pytest.mark.parametrize("path", ["/d360/messages?dag_id=shop", page_of("m1") + "?dag_id=shop"])
def test_naming_a_dag_in_the_address_opens_no_door(visitor, store, path):
    send(store, "m1", dag_id="shop")
    page = visitor.get(path, user="clerk")
    assert (page.status, "tell" in page.text) == (403, False)


def test_who_may_view_the_runs_of_some_dags_sees_no_messages_of_others(visitor, store):
    send(store, "m1", dag_id="shop")
    send(store, "m2", dag_id="billing")
    assert page_of("m2") not in visitor.get(user="eve").links
    assert [visitor.get(page_of(name), "eve").status for name in ("m1", "m2")] == [200, 404]


def test_asking_for_a_dag_that_one_may_not_read_shows_nothing(visitor, store):
    send(store, "m1", dag_id="shop")
    page = visitor.get("/d360/messages?dag=shop", user="bob")
    assert "No messages match" in page.text
    assert page_of("m1") not in page.links


def test_a_message_that_is_not_there_and_one_of_somebody_else_look_the_same(visitor, store):
    send(store, "m1", dag_id="secret")
    tell(store, "unsent", "read")
    assert len({visitor.get(page_of(name))[::2] for name in ("m1", "unsent", "nowhere")}) == 1


def test_a_row_tells_who_sent_what_to_whom_and_what_became_of_it(visitor, store):
    pricing = {"billable": True, "category": "utility"}
    send(store, "m1", map_index=3, at=1_780_000_000.5)
    send(store, "m2", to="4366012345699")
    tell(store, "m2", "delivered", pricing=pricing)
    page = visitor.get()
    assert "Delivered shop tell 43…99 Task utility" in page.text
    assert "4366012345699" not in page.html
    run = "/dags/shop/runs/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00"
    assert f"{run}/tasks/tell?try_number=1" in page.links
    assert "2026-05-28 20:26:40" not in page.text  # more than seven days ago


def test_a_mapped_task_is_linked_and_its_time_is_in_utc(visitor, store):
    send(store, "m1", map_index=3, at=1_780_000_000.5)
    page = visitor.get(page_of("m1"))
    assert "2026-05-28 20:26:40" in page.text
    assert "tell [3]" in page.text
    assert any(link.endswith("/tasks/tell/mapped/3?try_number=1") for link in page.links)


@pytest.mark.parametrize(
    ("code", "on_premise"),
    [(131047, False), (1026, False), (470, True), (1013, True), (7, False), (None, False)],
)
def test_a_failure_is_explained_as_a_refusal_at_sending_would_be(visitor, store, code, on_premise):
    send(store, "m1")
    error = {"title": "It went wrong", **({} if code is None else {"code": code})}
    tell(store, "m1", "failed", on_premise=on_premise, errors=[error])
    refusal = failed_status(code, "It went wrong", "", on_premise=on_premise).detail
    shown = f"{refusal.remedy} {'' if code is None else f'{code} '}It went wrong"
    for path in ("/d360/messages", page_of("m1")):
        assert shown in visitor.get(path).text


def test_the_status_filter_offers_what_there_is_in_the_order_of_things(visitor, store):
    fates = {"m1": "read", "m2": "failed", "m3": "sent", "m4": None, "m5": "warning", "m6": "sent"}
    for message_id, fate in fates.items():
        send(store, message_id)
        if fate:
            tell(store, message_id, fate)
    page = visitor.get()
    assert "6 All 1 Failed 1 Accepted 2 Sent 1 Read 1 Warning" in page.text
    for status, fate in (("sent", "sent"), ("accepted", None), ("failed", "failed"), ("warning", "warning")):
        [link] = [link for link in page.links if link.endswith(f"status={status}")]
        chosen = visitor.get(link)
        expected = {
            f"{page_of(message_id)}?status={status}" for message_id in fates if fates[message_id] == fate
        }
        assert {link for link in chosen.links if link.startswith("/d360/messages/")} == expected
        assert "6 All" in chosen.text  # the way back is open
    nothing = visitor.get("/d360/messages?status=nonsense")
    assert "Nothing was sent with the state 'nonsense' in the last 7 days." in nothing.text
    assert "/d360/messages" in nothing.links  # without filters


def test_the_period_can_be_chosen_and_stays_chosen(visitor, store):
    send(store, "old", at=NOW - 20 * 86_400)
    assert page_of("old") not in visitor.get().links
    month = visitor.get("/d360/messages?days=30")
    [link] = [link for link in month.links if link.startswith(page_of("old"))]
    assert "/d360/messages?days=30" in visitor.get(link).links  # all messages keeps the filter


def test_the_pages_show_every_message_once_even_those_of_one_instant(visitor, store):
    # Three at a time, so that some of them meet the end of a page.
    sent_at = {f"m{number}": NOW - number // 3 for number in range(250)}
    for message_id, at in sent_at.items():
        send(store, message_id, at=at)
    path: str | None = "/d360/messages"
    seen: list[str] = []
    while path:
        page = visitor.get(path)
        seen += messages_in(page)
        path = page.older
    assert set(seen) == sent_at.keys()
    assert len(seen) - len(sent_at) < 6  # a page may repeat those of the instant that the last one ended with


def test_more_messages_of_one_instant_than_a_page_holds_do_not_lock_anybody_in(visitor, store):
    for number in range(101):
        send(store, f"m{number}")
    send(store, "older", at=NOW - 3600)
    older = visitor.get().older
    assert older is not None
    assert page_of("older") in visitor.get(older).links


def test_a_page_costs_no_more_however_many_messages_there_are(visitor, store, monkeypatch):
    monkeypatch.setattr(page_module, "_MOST_LOOKED_AT", 3)
    for number, fate in enumerate(["sent", None, None, None, "sent", "sent", "read", "sent"]):
        send(store, f"m{number}", at=NOW - 60 - number)
        if fate:
            tell(store, f"m{number}", fate)
    newest = visitor.get()
    assert "3 Messages or more" in newest.text
    assert "3 All 2 Accepted 1 Sent Only the newest 3 are counted." in newest.text
    assert page_of("m7") in newest.links
    path: str | None = "/d360/messages?status=sent"
    shown = []
    while path:
        page = visitor.get(path)
        shown.append(messages_in(page))
        path = page.older
    assert shown == [["m0"], ["m4", "m5"], ["m7"]]
    unread = visitor.get("/d360/messages?status=read")
    assert "None among these 3 There are older ones." in unread.text
    assert unread.older


def test_only_dags_that_sent_something_and_may_be_read_are_suggested(visitor, store):
    for dag_id in ("shop", "billing", "secret"):
        send(store, dag_id, dag_id=dag_id)
    for path in ("/d360/messages", "/d360/messages?dag=shop"):
        assert re.findall(r'<option value="([a-z]+)">', visitor.get(path).html) == ["billing", "shop"]


@pytest.mark.parametrize(
    "query",
    [
        "days=x&before=x&status=%00",
        "before=nan",
        "before=-inf",
        "before=1e999",
        "dag=%00&days=%ff",
        "days=7&days=8",
        "%ff=%fe",
    ],
)
def test_nonsense_in_the_address_is_no_error(visitor, store, query):
    assert visitor.get(f"/d360/messages?{query}").status == 200
    assert visitor.get(f"/d360/messages/m%00?{query}").status == 404


def test_what_others_wrote_is_text_and_never_markup(visitor, store, monkeypatch):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    monkeypatch.setitem(importlib.import_module("tests.receiver.gatekeeper").READABLE, "ada", {evil})
    send(store, evil, dag_id=evil, run_id=evil, task_id=evil, conn_id=evil)
    tell(store, evil, evil, pricing={"category": evil})
    tell(store, evil, "failed", errors=[{"code": 1, "title": evil, "error_data": {"details": evil}}])
    for path in (f"/d360/messages?dag={quote(evil)}&status=failed", page_of(evil)):
        page = visitor.get(path)
        assert page.status == 200
        assert "onerror=alert" in page.text
        assert_harmless(page)
    assert_harmless(visitor.get(f"/d360/messages?status={quote(evil)}"))


@pytest.mark.parametrize("path", ["/d360/messages", page_of("m1"), "/d360/messages/nowhere"])
def test_the_policy_allows_our_own_style_and_script_and_nothing_else(visitor, store, path):
    send(store, "m1")
    page = visitor.get(path)
    rules = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
    allowed = {name for name, sources in rules.items() if sources == "'self'"}
    assert allowed == {"style-src", "script-src", "connect-src", "form-action", "frame-ancestors"}
    assert {rules[name] for name in rules.keys() - allowed} == {"'none'"}
    assert not re.search(r"""https?:|url\(|\sstyle=|\son\w+=|<style|<script>""", page.html)
    loaded = re.findall(r'<(?:link|script) [^>]*(?:href|src)="([^"]+)"', page.html)
    assert [name.partition("?")[0] for name in loaded] == [f"/d360/static/{name}" for name in ASSETS]
    for address in loaded:
        file = visitor.get(address, user=None)
        assert (file.status, "immutable" in file.headers["cache-control"]) == (200, True)
        assert not re.search(r"https?:|@import|url\(", file.html)
    assert (page.headers["cache-control"], page.headers["x-content-type-options"]) == ("no-store", "nosniff")


@pytest.mark.parametrize("message_id", ["wamid.HBgL+/==", "a/../b", "a?b#c", "gBGG 1", "naïve"])
def test_the_link_of_any_message_id_leads_to_its_timeline(visitor, store, message_id):
    send(store, message_id)
    [link] = [link for link in visitor.get().links if link.startswith("/d360/messages/")]
    assert link == page_of(message_id)
    assert f"Details Message {short_id(message_id)} " in visitor.get(link).text
    assert message_id not in visitor.get(link).html


def test_the_timeline_shows_each_status_with_its_time_and_what_the_message_cost(visitor, store):
    send(store, "m1", at=1_780_000_000.0)
    tell(store, "m1", "read", at=1_780_007_200.0)
    tell(store, "m1", "sent", at=1_780_000_002.0, pricing={"billable": False, "category": "service"})
    tell(store, "m1", "delivered", at=1_780_000_090.0)
    text = visitor.get(page_of("m1")).text
    assert "Dag shop Dag Run scheduled__2026-01-01T00:00:00+00:00 Task tell Message to 49…78 Read" in text
    assert "Source Task, try 1" in text
    assert "Cost service (free)" in text
    assert re.search(
        r"Accepted 2026-05-28 20:26:40 .* Sent 2026-05-28 20:26:42 after 2 s "
        r"Delivered 2026-05-28 20:28:10 after 1.5 min Read 2026-05-28 22:26:40 after 2 h Details",
        text,
    )


def test_a_time_that_no_calendar_has_is_no_error(visitor, store):
    send(store, "m1")
    tell(store, "m1", "sent", at=9e10)
    assert visitor.get(page_of("m1")).status == 200


def test_while_nothing_is_known_the_timeline_says_so(visitor, store):
    send(store, "m1")
    assert "Nothing more is known yet" in visitor.get(page_of("m1")).text


@pytest.mark.parametrize("path", ["/d360/messages", page_of("m1")])
def test_without_the_store_there_is_a_page_that_says_so(tmp_path, gate, path):
    away = Store(f"sqlite:///{tmp_path}/nowhere/store.sqlite", retry_seconds=0)
    with served(airflow_with(lambda: away)) as port:
        page = Visitor(port).get(path)
    assert (page.status, "The store is not available" in page.text) == (503, True)
    assert "nowhere" not in page.text


def test_waiting_for_the_store_stops_nobody_else(tmp_path, gate):
    asked, go_on = threading.Event(), threading.Event()

    class Slow(Messages):
        def recent(self, **filters: Any) -> Any:
            asked.set()
            assert go_on.wait(20)
            return super().recent(**filters)

    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    store.messages = Slow(store._database)
    with served(airflow_with(lambda: store)) as port:
        slow = threading.Thread(target=Visitor(port).get)
        slow.start()
        assert asked.wait(20)
        assert Visitor(port).get(page_of("m1")).status == 404
        go_on.set()
        slow.join()
    store.close()


def test_few_pages_at_a_time_wait_for_the_store_and_the_others_for_their_turn(tmp_path, gate):
    go_on, lock = threading.Event(), threading.Lock()
    waiting: list[int] = [0]

    class Slow(Messages):
        def recent(self, **filters: Any) -> Any:
            with lock:
                waiting.append(waiting[-1] + 1)
            assert go_on.wait(60)
            with lock:
                waiting.append(waiting[-1] - 1)
            return super().recent(**filters)

    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    store.messages = Slow(store._database)
    with served(airflow_with(lambda: store)) as port, ThreadPoolExecutor(12) as people:
        pages = [people.submit(Visitor(port).get) for _ in range(12)]
        while max(waiting) < 4:
            time.sleep(0.01)
        go_on.set()
        assert {page.result().status for page in pages} == {200}
    assert max(waiting) == 4
    store.close()


def test_links_stay_below_the_path_that_airflow_lives_at(visitor, store, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.org/team/airflow/")
    send(store, "m1")
    for page in (visitor.get(), visitor.get(page_of("m1")), visitor.get(user=None)):
        assert page.links
        assert all(link.startswith("/team/airflow/") for link in page.links)
    hrefs = {view["href"] for view in plugin.views()}
    assert "/team/airflow/d360/messages" in hrefs
    assert all(href.startswith("/team/airflow/d360/") for href in hrefs)


def test_the_menu_entry_exists_in_every_api_server(monkeypatch):
    assert importlib.reload(plugin).D360Plugin.external_views == []
    monkeypatch.setattr(sys, "argv", ["airflow", "api-server"])
    view, *tabs = importlib.reload(plugin).D360Plugin.external_views
    assert (view["name"], view["href"]) == ("WhatsApp", "/d360/messages")
    assert (view["destination"], view["category"]) == ("nav", "browse")
    assert [tab["destination"] for tab in tabs] == ["dag", "dag_run", "task", "task_instance"]
    assert len({tab["url_route"] for tab in (view, *tabs)}) == 5  # Airflow finds a view by its route alone
    monkeypatch.undo()
    importlib.reload(plugin)


def test_what_whatsapp_reports_stands_above_the_messages_until_it_is_over(visitor, store):
    assert "WhatsApp reports this" not in visitor.get().text
    paused = NoticeEvent("template", "airflow_alert (en)", "status", "PAUSED", Level.FAILED, "<b>", NOW - 60)
    flagged = NoticeEvent("number", "4930901820", "quality", "FLAGGED", Level.WARNING, at=NOW - 60)
    store.add([paused, flagged], NOW)
    page = visitor.get()
    for text in (
        "Template airflow_alert (en): status PAUSED",
        "Number 49…20: quality FLAGGED",
        "another approved",
    ):
        assert text in page.text
    assert page.html.index("PAUSED") < page.html.index("FLAGGED") < page.html.index("No messages in")
    assert "4930901820" not in page.html
    assert "&lt;b&gt;" in page.html
    store.add([NoticeEvent("template", "airflow_alert (en)", "status", "APPROVED", Level.OK, at=NOW)], NOW)
    assert "PAUSED" not in visitor.get().text
