"""What the pages say of each state of a message, who settles the unknown ones, and the search by number."""

from __future__ import annotations

import re
import time
from urllib.parse import quote

import pytest

from airflow_provider_d360.receiver.settings import SettingsError
from airflow_provider_d360.store import State, Store
from tests.receiver.doors import served
from tests.receiver.visitors import NOW, Visitor, airflow_with, page_of, path_of, send, tell
from tests.recorded import NUMBER, outside

NOTHING_DONE = "Nothing was changed."


@pytest.fixture
def lost(store):
    return send(store, state=State.UNKNOWN)


def state_of(store, entry):
    return store.ledger.find(entry.id).state.value


STATES = {
    "refused": (
        {"state": State.REFUSED, "reason": "D360RecipientError: Not on WhatsApp"},
        "Correct the cause. The next retry or Clear of its task sends it. It was not sent. D360RecipientError: Not on WhatsApp",
    ),
    "held": (
        {"state": State.HELD, "message_id": "m1", "reason": "held_for_quality_assessment"},
        "If this happens often, look at the template in WhatsApp Manager. WhatsApp holds it back. held_for_q",
    ),
    "unknown": ({"state": State.UNKNOWN}, "settle it as sent or as not sent. It may be on its way: the response was lost"),
    "withheld": (
        {"state": State.WITHHELD},
        "clear the task. It was not sent: it counts as a message that this task had sent to this person before. A",
    ),
    "intended": ({"state": State.INTENDED, "at": NOW - 700}, "as not sent. It may be on its way: the process ended while it was sending"),
    "suppressed": ({"state": State.SUPPRESSED}, "It was not sent: this person asked for no more messages"),
}  # fmt: skip


@pytest.mark.parametrize(("known", "said"), STATES.values(), ids=STATES)
def test_each_state_is_explained_in_the_list_and_on_the_message(visitor, store, known, said):
    entry = send(store, **known)
    name = page_of("m1") if entry.message_id else path_of(entry)
    for path in ("/d360/messages", name):
        page = visitor.get(path)
        assert f"{entry.state.value.capitalize()} " in page.text
        assert said in page.text
    query = f"?status={entry.state.value}"
    assert name + query in visitor.get(f"/d360/messages{query}").links


def test_a_message_that_is_being_sent_is_not_to_be_settled_yet(visitor, store):
    entry = send(store, state=State.INTENDED, at=time.time())
    page = visitor.get(path_of(entry), "ops")
    assert "It is being sent" in page.text
    assert "<button" not in page.html
    assert visitor.post(path_of(entry), {"settle": "not sent"}, "ops").status == 303
    assert state_of(store, entry) == "intended"


def test_a_status_says_more_than_the_state(visitor, store):
    send(store, "m1", state=State.HELD)
    tell(store, "m1", "delivered")
    for path in ("/d360/messages", page_of("m1")):
        page = visitor.get(path)
        assert "Delivered" in page.text
        assert "holds it back" not in page.text.partition("What Became of It")[0]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "The next retry or Clear of its task sends it."),
        ({"source": "alert"}, "Nothing sends an alert again by itself."),
        (outside(kept=True), "The next call with the same idempotency_key sends it."),
        (outside(), "Nothing sends it again by itself."),
    ],
)
def test_the_message_says_what_sends_it_when_it_was_not_sent(visitor, store, known, said):
    assert f"Not sent: {said}" in visitor.get(path_of(send(store, state=State.UNKNOWN, **known)), "ops").text


def test_what_a_hook_sent_outside_of_a_task_is_shown_without_links_to_a_task(visitor, store):
    send(store, "m1", **outside())
    for user in ("ada", "bob"):
        for path in ("/d360/messages", page_of("m1")):
            page = visitor.get(path, user)
            assert "utside of Dags" in page.text
            assert "Hook" in page.text
            assert not [link for link in page.links if "/dags/" in link or "dag=" in link]
    assert page_of("m1") not in visitor.get("/d360/messages?dag=shop").links
    assert visitor.get(page_of("m1"), "clerk").status == 403


def test_an_alert_is_shown_as_such_with_what_it_is_about(visitor, store):
    send(store, "m1", source="alert", try_number=0)
    send(store, "m2", source="alert", task_id="", try_number=0)
    assert "Accepted shop tell 49…78 Alert" in visitor.get().text
    assert "/dags/shop/runs/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/tell" in visitor.get().links
    page = visitor.get(page_of("m2"))
    assert "Source Alert Connection" in page.text
    assert not [link for link in page.links if "/tasks/" in link]


@pytest.mark.parametrize(("outcome", "state"), [("sent", "accepted"), ("not sent", "refused")])
@pytest.mark.parametrize(
    "known", [{"state": State.UNKNOWN}, {"state": State.WITHHELD}, {"state": State.INTENDED, "at": NOW - 700}]
)
def test_who_may_edit_runs_settles_a_message(visitor, store, caplog, outcome, state, known):
    caplog.set_level("INFO")
    entry = send(store, **known)
    assert f'name="settle" value="{outcome}"' in visitor.get(path_of(entry), "ops").html
    response = visitor.post(path_of(entry), {"settle": outcome}, "ops")
    assert (response.status, response.headers["location"]) == (303, path_of(entry))
    page = visitor.get(path_of(entry), "ops")
    assert f"{state.capitalize()} " in page.text
    assert f"ettled by hand: {outcome}" in page.text
    assert "<button" not in page.html
    assert f"{entry.id} was settled as {outcome} by ops" in caplog.text
    assert visitor.post(path_of(entry), {"settle": "sent"}, "ops").status == 303  # it came too late
    assert state_of(store, entry) == state


def test_what_is_outside_of_dags_is_settled_by_who_may_edit_runs_in_general(visitor, store):
    entry = send(store, state=State.UNKNOWN, **outside())
    assert visitor.post(path_of(entry), {"settle": "sent"}, "ada").status == 403
    assert visitor.post(path_of(entry), {"settle": "sent"}, "ops").status == 303
    assert state_of(store, entry) == "accepted"


@pytest.mark.parametrize(
    ("user", "dag_id", "status"),
    [
        (None, "shop", 401),
        ("stranger", "shop", 403),
        ("ada", "shop", 403),
        ("ron", "shop", 403),  # may edit the DAG, but not its runs
        ("ops", "billing", 403),  # may edit runs, but not this DAG
        ("ops", "secret", 404),
    ],
)
def test_who_may_not_edit_runs_settles_nothing(visitor, store, user, dag_id, status):
    entry = send(store, state=State.UNKNOWN, dag_id=dag_id)
    assert visitor.post(path_of(entry), {"settle": "not sent"}, user).status == status
    assert state_of(store, entry) == "unknown"
    assert 'name="settle"' not in visitor.get(path_of(entry), user).html


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},  # another port
        {"Sec-Fetch-Site": "cross-site", "Origin": "OWN"},
        {"Sec-Fetch-Site": "same-site", "Origin": "OWN"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": "OWN/d360/messages"},
    ],
)
@pytest.mark.parametrize("form", [{"settle": "not sent"}, {"q": NUMBER}])
def test_a_form_of_another_site_is_refused(visitor, store, lost, headers, form):
    own = f"http://127.0.0.1:{visitor.port}"
    sent = {name: value.replace("OWN", own) for name, value in headers.items()}
    page = visitor.post(path_of(lost) if "settle" in form else "/d360/messages", form, "ops", sent)
    assert (page.status, "This did not come from Airflow's own page" in page.text) == (403, True)
    assert state_of(store, lost) == "unknown"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "OWN"},  # from a browser that sends no Sec-Fetch-Site: over plain HTTP
        {"Origin": "https://airflow.example"},  # through a proxy that names another host
    ],
)
def test_a_form_of_ours_is_accepted_from_any_browser(visitor, store, lost, monkeypatch, headers):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    sent = {name: value.replace("OWN", f"http://127.0.0.1:{visitor.port}") for name, value in headers.items()}
    assert visitor.post(path_of(lost), {"settle": "sent"}, "ops", sent).status == 303
    assert state_of(store, lost) == "accepted"


@pytest.mark.parametrize("form", [{}, {"settle": "perhaps"}, {"sent": "sent"}])
def test_a_form_without_an_outcome_changes_nothing(visitor, store, lost, form):
    page = visitor.post(path_of(lost), form, "ops")
    assert (page.status, NOTHING_DONE in page.text) == (400, True)
    assert state_of(store, lost) == "unknown"


def test_a_form_that_is_too_long_changes_nothing(visitor, store, lost):
    page = visitor.post(path_of(lost), {"settle": "sent", "more": "x" * 20_000}, "ops")
    assert (page.status, state_of(store, lost)) == (413, "unknown")


@pytest.mark.parametrize(
    "number", ["+49 151 12345678", "004915112345678", " 4915112345678 ", "+49 (0)151-12345678"]
)
def test_a_whole_number_leads_to_its_messages_and_is_nowhere_shown(visitor, store, caplog, number):
    caplog.set_level("DEBUG")
    send(store, "m1", at=NOW - 200 * 86_400)
    send(store, "m2", dag_id="secret")
    send(store, "m3", to="4366012345678")
    response = visitor.post("/d360/messages", {"q": number})
    assert response.status == 303
    assert re.fullmatch(r"/d360/messages\?days=365&recipient=[0-9a-f]{32}", response.headers["location"])
    page = visitor.get(response.headers["location"])
    assert {name for name in ("m1", "m2", "m3") if any(page_of(name) in link for link in page.links)} == {
        "m1"
    }
    assert "1 Message " in page.text
    assert "To: one recipient" in page.text
    assert all("recipient=" in link for link in page.links if "status=" in link)
    for shown in (page.html, response.headers["location"], caplog.text):
        assert "15112345678" not in shown
        assert quote(number) not in shown


@pytest.mark.parametrize("recipient", ["BR.1502AbC", "120363000000000000@g.us"])
def test_users_and_groups_are_searched_by_their_ids(visitor, store, recipient):
    send(store, "m1", to=recipient)
    send(store, "m2")
    page = visitor.get(visitor.post("/d360/messages", {"q": recipient}).headers["location"])
    assert {name for name in ("m1", "m2") if any(page_of(name) in link for link in page.links)} == {"m1"}


def test_a_search_that_finds_nothing_says_what_it_cannot_find(visitor, store):
    page = visitor.get(visitor.post("/d360/messages", {"q": NUMBER}).headers["location"])
    assert "Nothing was sent to the recipient that you searched for in the last year." in page.text
    assert "an older version of this provider" in page.text


@pytest.mark.parametrize(
    ("number", "said"), [("0151 12345678", "national"), ("12", "country code"), ("49 151", "phone")]
)
def test_what_is_no_number_is_an_error_that_does_not_repeat_it(visitor, store, number, said):
    page = visitor.post("/d360/messages", {"q": number})
    assert (page.status, "This cannot be searched for" in page.text, said in page.text) == (400, True, True)
    assert number not in page.text


def test_a_search_for_nothing_leads_back(visitor):
    assert visitor.post("/d360/messages", {"q": " "}).headers["location"] == "/d360/messages"


@pytest.mark.parametrize("user", [None, "stranger"])
def test_who_may_not_view_runs_searches_nothing(visitor, user):
    assert visitor.post("/d360/messages", {"q": NUMBER}, user).status in (401, 403)


@pytest.mark.parametrize("problem", [SettingsError("no"), RuntimeError("secret-host")])
def test_a_store_that_cannot_be_opened_is_tried_again_for_each_page(store: Store, gate, caplog, problem):
    problems = [problem]

    def open_store() -> Store:
        if problems:
            raise problems.pop()
        return store

    with served(airflow_with(open_store)) as port:
        page = Visitor(port).get()
        assert (page.status, "The store is not available" in page.text) == (503, True)
        assert Visitor(port).get().status == 200
    assert type(problem).__name__ in caplog.text
    assert "secret-host" not in caplog.text + page.html
