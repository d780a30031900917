"""What the lists show: filters, the search by id, the tabs of DAGs, runs and tasks, and the inbox."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.pages import inbox as inbox_module
from airflow_provider_d360.pages.inbox import text_of
from airflow_provider_d360.store import State
from tests.receiver.visitors import NOW, messages_in, page_of, send
from tests.recorded import NUMBER, outside

RUN = "scheduled__2026-01-01T00:00:00+00:00"


def receive(store, *messages, at=NOW - 60):
    value = {"messaging_product": "whatsapp", "messages": list(messages)}
    store.add(read_events({"entry": [{"changes": [{"field": "messages", "value": value}]}]}), at)


def incoming(number, *, sender=NUMBER, **content):
    return {"id": f"in.{number}", "from": sender, "timestamp": str(int(NOW) - 60), **content}


def text(number, body, **more):
    return incoming(number, type="text", text={"body": body}, **more)


# --- Filters ---


@pytest.mark.parametrize("part", ["shop", "ho", "HO", "s"])
def test_a_part_of_its_name_finds_a_dag(visitor, store, part):
    send(store, "m1", dag_id="shop")
    send(store, "m2", dag_id="billing")
    send(store, "m3", **outside())
    found = messages_in(visitor.get(f"/d360/messages?dag={part}"))
    assert found == ["m1"]


def test_the_source_can_be_chosen(visitor, store):
    send(store, "m1")
    send(store, "m2", source="alert")
    send(store, "m3", source="hook")
    assert messages_in(visitor.get("/d360/messages?source=alert")) == ["m2"]
    assert set(messages_in(visitor.get("/d360/messages?source=nonsense"))) == {"m1", "m2", "m3"}


def test_each_link_keeps_the_other_filters(visitor, store):
    send(store, "m1")
    page = visitor.get("/d360/messages?days=30&dag=sho&source=task&status=accepted")
    [message] = [link for link in page.links if link.startswith(page_of("m1"))]
    assert message == f"{page_of('m1')}?days=30&dag=sho&status=accepted&source=task"
    assert "/d360/messages?dag=sho&status=accepted&source=task" in page.links  # seven days, the default
    assert "/d360/messages?days=30&dag=sho&source=task" in page.links  # all states
    assert "/d360/messages?days=30&status=accepted&source=task" in page.links  # without the DAG
    assert "/d360/messages" in page.links  # reset
    assert "/d360/messages?days=30&dag=sho&status=accepted&source=task" in visitor.get(message).links
    for field in ("days", "source", "status"):
        assert f'<input type="hidden" name="{field}"' in page.html  # of the form for the DAG


def test_settling_keeps_the_filters(visitor, store):
    entry = send(store, state=State.UNKNOWN)
    path = f"/d360/messages/{entry.id}?status=unknown"
    response = visitor.post(path, {"settle": "sent"}, "ops")
    assert (response.status, response.headers["location"]) == (303, path)


def test_an_empty_page_says_what_to_do_next(visitor):
    page = visitor.get()
    assert "airflow d360 check --to" in page.text
    assert "/d360/messages?days=365" in page.links
    assert "You see the messages of the Dags that you may read." in page.text
    assert "Reset" not in page.text


# --- Search ---


@pytest.mark.parametrize(
    "written", [short_id("wamid.HBgL+/=="), "wamid.HBgL+/==", f" {short_id('wamid.HBgL+/==')} "]
)
def test_a_message_is_found_by_its_id(visitor, store, written):
    send(store, "wamid.HBgL+/==")
    response = visitor.post("/d360/messages", {"q": written})
    assert (response.status, response.headers["location"]) == (303, page_of("wamid.HBgL+/=="))


def test_a_message_without_an_id_is_found_by_that_of_its_row(visitor, store):
    entry = send(store, state=State.REFUSED)
    response = visitor.post("/d360/messages", {"q": entry.id})
    assert (response.status, response.headers["location"]) == (303, f"/d360/messages/{entry.id}")


def test_an_id_that_is_not_there_and_one_of_somebody_else_look_the_same(visitor, store):
    send(store, "wamid.secret", dag_id="secret")
    pages = {visitor.post("/d360/messages", {"q": name})[::2] for name in ("wamid.secret", "wamid.nowhere")}
    assert {status for status, _ in pages} == {404}
    assert len(pages) == 1


# --- Tabs ---

TABS = {
    "/d360/dags/shop/messages": {"m1", "m2", "m3", "m4"},
    f"/d360/dags/shop/runs/{quote(RUN)}/messages": {"m1", "m2", "m3"},
    f"/d360/dags/shop/runs/{RUN}/messages": {"m1", "m2", "m3"},  # as Airflow 3.1 writes it
    "/d360/dags/shop/tasks/tell/messages": {"m1", "m2", "m4"},
    f"/d360/dags/shop/runs/{RUN}/tasks/tell/messages": {"m1", "m2"},
    f"/d360/dags/shop/runs/{RUN}/tasks/tell/mapped/2/messages": {"m2"},
    f"/d360/dags/shop/runs/{RUN}/tasks/tell/mapped/{quote('{MAP_INDEX}')}/messages": {"m1", "m2"},
    "/d360/dags/billing/messages": {"m5"},
    "/d360/dags/empty/messages": set(),
}  # fmt: skip


@pytest.mark.parametrize("path", TABS)
def test_a_tab_shows_what_its_dag_run_or_task_sent(visitor, store, path):
    send(store, "m1")
    send(store, "m2", map_index=2)
    send(store, "m3", task_id="warn")
    send(store, "m4", run_id="manual__1", at=NOW - 200 * 86_400)
    send(store, "m5", dag_id="billing")
    page = visitor.get(path)
    assert page.status == 200
    assert set(messages_in(page)) == TABS[path]
    assert "Search" not in page.text
    assert "/d360/inbox" not in page.links


def test_from_a_tab_and_back(visitor, store):
    send(store, "m1", task_id="tell/a?b")
    path = f"/d360/dags/shop/runs/{quote(RUN, safe='')}/messages"
    [link] = [link for link in visitor.get(path + "?days=30").links if link.startswith(page_of("m1"))]
    page = visitor.get(link)
    assert f"{path}?days=30" in page.links
    assert "/d360/inbox" not in visitor.get(link, "ops").links  # the frame of a tab has no tabs of its own


@pytest.mark.parametrize("of", ["../../logout", "//evil.example/x", "https://evil.example", "/", "."])
def test_the_way_back_stays_on_our_pages(visitor, store, of):
    send(store, "m1")
    page = visitor.get(f"{page_of('m1')}?of={quote(of, safe='')}")
    ours = [link for link in page.links if not link.startswith("/dags/")]
    assert ours
    assert all(link.startswith("/d360/") and ".." not in link.partition("?")[0] for link in ours)


@pytest.mark.parametrize(("user", "status"), [(None, 401), ("stranger", 403), ("bob", 404), ("ada", 200)])
def test_a_tab_is_for_those_who_may_read_the_dag(visitor, store, user, status):
    send(store, "m1")
    page = visitor.get("/d360/dags/shop/messages", user)
    assert (page.status, "tell" in page.text) == (status, status == 200)


def test_who_must_log_in_comes_back_to_the_tab(visitor):
    path = f"/d360/dags/shop/runs/{quote(RUN, safe='')}/messages"
    assert visitor.get(path, None).links == [f"/api/v2/auth/login?next={quote(path, safe='')}"]


# --- Inbox ---


def test_the_inbox_shows_who_wrote_what_without_whole_numbers(visitor, store):
    send(store, "wamid.1")
    receive(store, text(1, "Where is my parcel?"), text(2, "Yes", context={"id": "wamid.1"}))
    page = visitor.get("/d360/inbox", "ops")
    assert "49…78 Text Where is my parcel?" in page.text
    assert page_of("wamid.1") in page.links
    assert NUMBER not in page.html
    assert "/d360/inbox" in visitor.get(user="ops").links


@pytest.mark.parametrize(
    ("user", "status"), [(None, 401), ("stranger", 403), ("ada", 403), ("ron", 403), ("ops", 200)]
)
def test_the_inbox_is_for_those_who_may_edit_runs(visitor, store, user, status):
    receive(store, text(1, "Where is my parcel?"))
    page = visitor.get("/d360/inbox", user)
    assert (page.status, "parcel" in page.text) == (status, status == 200)
    assert ("/d360/inbox" in visitor.get(user=user).links) == (status == 200)


def test_a_reply_to_a_message_of_another_dag_has_no_link(visitor, store):
    send(store, "wamid.1", dag_id="secret")
    receive(store, text(1, "Yes", context={"id": "wamid.1"}))
    assert page_of("wamid.1") not in visitor.get("/d360/inbox", "ops").links


def test_the_newest_come_first_and_older_ones_on_the_next_page(visitor, store, monkeypatch):
    monkeypatch.setattr(inbox_module, "_PAGE_ROWS", 2)
    for number in range(5):
        receive(store, text(number, f"word{number}"), at=NOW - 60 - number)
    shown, path = [], "/d360/inbox"
    while path:
        page = visitor.get(path, "ops")
        shown.append([f"word{number}" for number in range(5) if f"word{number}" in page.text])
        path = page.older
    assert shown == [["word0", "word1"], ["word2", "word3"], ["word4"]]


def test_an_empty_inbox_says_what_to_do_next(visitor):
    assert "airflow d360 check" in visitor.get("/d360/inbox", "ops").text


def test_what_people_write_is_text_and_never_markup(visitor, store):
    receive(store, text(1, "<img src=x onerror=alert(1)>"))
    page = visitor.get("/d360/inbox", "ops")
    assert "<img" not in page.html
    assert "onerror=alert" in page.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"text": {"body": "Hi"}}, "Hi"),
        ({"button": {"text": "Yes", "payload": "y"}}, "Yes"),
        ({"interactive": {"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}}}, "Yes"),
        ({"interactive": {"type": "list_reply", "list_reply": {"id": "y", "title": "Monday"}}}, "Monday"),
        ({"reaction": {"emoji": "👍", "message_id": "wamid.1"}}, "👍"),
        ({"image": {"id": "7", "caption": "The damage"}}, "The damage"),
        ({"document": {"id": "7", "filename": "offer.pdf"}}, "offer.pdf"),
        ({"sticker": {"id": "7"}}, ""),
        ({"text": {"body": 7}}, ""),
        ({"text": ["Hi"]}, ""),
        (None, ""),
        (["Hi"], ""),
    ],
)  # fmt: skip
def test_the_words_of_a_message_are_found_whatever_its_type(content, words):
    assert text_of(content) == words
