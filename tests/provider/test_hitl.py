"""Questions of Airflow's own operators on the phone, their answers, and answers that come late."""

import json
import os
import time
from datetime import timedelta

import pytest
from airflow.exceptions import TaskDeferred
from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
from airflow.sdk import Param

from airflow_provider_d360.api.errors import D360UnavailableError
from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.conversations import desk as desks
from airflow_provider_d360.conversations.airflow_account import configured_account
from airflow_provider_d360.conversations.desk import Desk
from airflow_provider_d360.emulator import Webhook
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.notifications.hitl import D360HITLNotifier
from airflow_provider_d360.operators.questions import D360ApprovalOperator, D360AskOperator
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.store.question_lists import QuestionSelection
from airflow_provider_d360.transport.airflow_api import (
    AirflowApi,
    AirflowUnavailableError,
    TaskPlace,
    Verdict,
)
from tests.provider.airflow_service import PASSWORD, USER, serve_airflow
from tests.provider.inboxes import ANN, BOB, EVE, arrive, context, deliver


@pytest.fixture
def store(store_path):
    store = configured_store()
    yield store
    store.close()


@pytest.fixture
def emulator(d360_emulator):
    key = next(iter(d360_emulator.numbers))
    d360_emulator.numbers[key].webhook = Webhook("http://127.0.0.1:9/nobody")
    d360_emulator.retry_delays_seconds = ()
    d360_emulator.set_statuses([])
    return d360_emulator


@pytest.fixture
def service(monkeypatch):
    """Airflow, with the account of a bot."""
    with serve_airflow() as service:
        connection = {"conn_type": "http", "host": service.url, "login": USER, "password": PASSWORD}
        monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_BOT", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW__D360__AIRFLOW_CONN_ID", "airflow_bot")
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
        yield service


def look_up(conn_id):
    return D360Hook.get_connection(conn_id)


@pytest.fixture
def desk(store, service):
    return Desk(store, D360Hook, lambda: configured_account(look_up))


def hitl(**arguments):
    defaults = {"task_id": "approve", "subject": "Deploy version 2?", "options": ["Deploy", "Wait"]}
    return HITLOperator(**defaults | arguments)


def notify(operator, to=ANN, *, try_number=1, **arguments):
    ctx = context(task_id="approve", try_number=try_number)
    ctx |= {"task": operator, "task_instance": ctx["ti"]}
    D360HITLNotifier(to, **arguments)(ctx)


def ask(service, to=ANN, **arguments):
    """Let the task ask in Airflow and on the phone."""
    operator = hitl(**arguments)
    service.ask(operator.options, time.time() - 0.5)
    notify(operator, to)


def tap(emulator, store, choice, number=-1):
    sent = [one for one in emulator.sent if "interactive" in one.body]
    emulator.tap(sent[number].message_id, choice)
    deliver(store, emulator)


def told(emulator):
    return [(sent.to, sent.body["text"]["body"]) for sent in emulator.sent if "text" in sent.body]


def states(store):
    questions = store.question_lists.recent(QuestionSelection(0.0), time.time())
    return [question.state for _, question in questions]


LINK = "https://airflow.example.com/dags/dag/runs/run/tasks/approve/required_actions?map_index=-1"


# The question


def test_the_question_has_the_options_as_buttons_and_a_link(emulator, store, service):
    notify(hitl(body="All tests are green."))
    (sent,) = emulator.sent
    content = sent.body["interactive"]
    assert content["body"]["text"] == f"Deploy version 2?\n\nAll tests are green.\n\n{LINK}"
    assert [button["reply"]["title"] for button in content["action"]["buttons"]] == ["Deploy", "Wait"]


def test_airflows_approval_operator_has_two_buttons(emulator, store, service):
    notify(ApprovalOperator(task_id="approve", subject="Deploy?"))
    buttons = emulator.sent[0].body["interactive"]["action"]["buttons"]
    assert [button["reply"]["title"] for button in buttons] == ["Approve", "Reject"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"multiple": True},
        {"params": {"reason": Param("", type="string")}},
        {"options": [str(n) for n in range(11)]},
        {"options": ["a" * 97, "b", "c", "d"]},
    ],
)
def test_what_a_phone_cannot_answer_comes_as_a_link(emulator, store, service, arguments):
    notify(hitl(**arguments))
    assert told(emulator) == [(ANN, f"Deploy version 2?\n\n{LINK}")]


def test_without_an_account_the_question_is_a_link(emulator, store, service, monkeypatch):
    monkeypatch.delenv("AIRFLOW__D360__AIRFLOW_CONN_ID")
    notify(hitl())
    assert told(emulator) == [(ANN, f"Deploy version 2?\n\n{LINK}")]


def test_a_long_text_is_cut_and_keeps_its_link(emulator, store, service):
    notify(hitl(body="x" * 2000))
    body = emulator.sent[0].body["interactive"]["body"]["text"]
    assert len(body) == 1024
    assert body.endswith(f"…\n\n{LINK}")


def test_outside_the_window_a_template_is_sent_with_a_payload_for_each_option(emulator, store, service):
    notify(hitl(), template="airflow_question")
    content = emulator.sent[0].body["template"]
    assert content["components"][0]["parameters"][0] == {"type": "text", "text": "Deploy version 2?"}
    assert [one["sub_type"] for one in content["components"][1:]] == ["quick_reply", "quick_reply"]


@pytest.mark.parametrize("to", ["", "nobody", "{{ missing.name }}", [None]])
def test_nothing_that_goes_wrong_fails_the_task(emulator, store, service, to, caplog, capsys):
    notify(hitl(), to)
    assert emulator.sent == []
    assert "The question was not sent on WhatsApp" in caplog.text + capsys.readouterr().out


def test_a_person_who_cannot_be_reached_fails_no_task_and_keeps_nobody_else_from_answering(
    emulator, store, service, desk
):
    emulator.reject(131026, to=ANN)
    ask(service, [ANN, BOB])
    tap(emulator, store, "Deploy")
    desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]


# The answer


def test_a_tap_answers_for_airflow_and_the_note_says_who(emulator, store, service, desk):
    ask(service)
    tap(emulator, store, "Deploy")
    desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]
    assert service.notes == ["Answered on WhatsApp by 49…89: Deploy"]
    assert states(store) == ["answered"]
    assert told(emulator) == []


@pytest.mark.parametrize(
    ("written", "chosen"), [("deploy", ["Deploy"]), ("Wait ", ["Wait"]), ("perhaps", None)]
)
def test_a_quote_in_words_answers_for_airflow_if_it_names_an_option(
    emulator, store, service, desk, written, chosen
):
    ask(service)
    for _ in range(2):
        emulator.quote(emulator.sent[0].message_id, written)
        deliver(store, emulator)
        desk.serve()
    assert (service.detail.get("chosen_options") or None) == chosen
    assert told(emulator) == ([] if chosen else [(ANN, "Please choose one of the answers.")])


def test_what_was_served_is_not_served_again(emulator, store, service, desk):
    ask(service)
    tap(emulator, store, "Deploy")
    for _ in range(2):
        desk.serve()
    assert service.patches == 1


def test_of_two_people_the_first_answers_and_the_second_is_told_once(emulator, store, service, desk):
    ask(service, [ANN, BOB])
    tap(emulator, store, "Deploy", 0)
    desk.serve()
    for _ in range(2):
        tap(emulator, store, "Wait", 1)
        desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]
    assert told(emulator) == [(BOB, "Thank you. This has been settled already.")]


def test_who_answers_after_the_user_interface_is_told(emulator, store, service, desk):
    ask(service)
    assert service.respond("Wait") == 200
    tap(emulator, store, "Deploy")
    desk.serve()
    assert service.detail["chosen_options"] == ["Wait"]
    assert told(emulator) == [(ANN, "Thank you. This has been settled already.")]


def test_both_at_the_same_moment_are_one_answer(emulator, store, service, desk, monkeypatch):
    ask(service)
    tap(emulator, store, "Deploy")
    handle = service.handle

    def overtaken(method, path, token, body):
        if method == "PATCH" and "hitl" in path:
            service.respond("Wait")
        return handle(method, path, token, body)

    monkeypatch.setattr(service, "handle", overtaken)
    desk.serve()
    assert service.detail["chosen_options"] == ["Wait"]
    assert told(emulator) == [(ANN, "Thank you. This has been settled already.")]


def test_an_answer_whose_response_was_lost_counts_once(emulator, store, service, desk):
    ask(service)
    tap(emulator, store, "Deploy")
    service.loses = 1
    with pytest.raises(AirflowUnavailableError):
        desk.serve()
    desk.serve()
    assert states(store) == ["answered"]
    assert told(emulator) == []
    assert service.patches == 1


def test_while_airflow_is_away_nothing_is_lost(emulator, store, service, desk):
    ask(service)
    tap(emulator, store, "Deploy")
    service.down = 3
    for _ in range(3):
        with pytest.raises(AirflowUnavailableError, match=r"does not work: (HTTP 503|HTTPError)"):
            desk.serve()
    desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]


def test_a_token_that_has_expired_is_replaced(emulator, store, service, desk):
    ask(service, [ANN, BOB])
    tap(emulator, store, "Deploy", 0)
    desk.serve()
    service.token = "token-1"
    service.ask(["Deploy", "Wait"])
    notify(hitl(), try_number=2)
    tap(emulator, store, "Wait")
    desk.serve()
    assert service.logins == 2


def test_an_account_without_the_right_says_what_it_needs_and_the_person_gets_the_link(
    emulator, store, service, desk, caplog
):
    ask(service)
    service.forbidden = True
    tap(emulator, store, "Deploy")
    desk.serve()
    assert "may not answer task approve of DAG dag. It needs the right to edit" in caplog.text
    assert told(emulator) == [(ANN, f"Airflow did not accept this answer. Please answer here: {LINK}")]
    assert states(store) == ["open"]


def test_a_request_that_is_gone_or_was_replaced_is_not_answered(emulator, store, service, desk):
    ask(service)
    service.ask(["Deploy", "Wait"], time.time() + 120)
    tap(emulator, store, "Deploy")
    desk.serve()
    assert service.patches == 0
    service.detail = None
    notify(hitl(), try_number=2)
    tap(emulator, store, "Deploy")
    desk.serve()
    assert service.patches == 0


def test_the_buttons_of_the_try_before_do_not_answer_the_next_one(emulator, store, service, desk):
    ask(service)
    notify(hitl(), try_number=2)
    tap(emulator, store, "Deploy", 0)
    desk.serve()
    assert service.patches == 0
    tap(emulator, store, "Wait", 1)
    desk.serve()
    assert service.detail["chosen_options"] == ["Wait"]


def test_a_tap_after_the_time_of_the_operator_does_not_count(emulator, store, service, desk, monkeypatch):
    ask(service, response_timeout=timedelta(seconds=60))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 61)
    tap(emulator, store, "Deploy")
    desk.serve()
    assert service.patches == 0
    assert told(emulator) == [(ANN, "Thank you. This has been settled already.")]


def test_another_person_cannot_answer_with_a_payload(emulator, store, service, desk):
    ask(service, [ANN, BOB])
    stolen = emulator.sent[0].body["interactive"]["action"]["buttons"][0]["reply"]
    reply = {"type": "interactive", "interactive": {"type": "button_reply", "button_reply": stolen}}
    arrive(store, reply, sender=EVE)
    arrive(store, reply, sender=BOB)
    desk.serve()
    assert service.patches == 0
    assert told(emulator) == []


def test_a_payload_that_was_changed_answers_nothing(emulator, store, service, desk):
    ask(service)
    reply = emulator.sent[0].body["interactive"]["action"]["buttons"][0]["reply"]
    for forged in (reply["id"].replace(":0:", ":1:"), reply["id"][:-1], f"{reply['id']}0"):
        tap_with = {"type": "button_reply", "button_reply": {"id": forged, "title": "Wait"}}
        arrive(store, {"type": "interactive", "interactive": tap_with})
    desk.serve()
    assert (service.patches, told(emulator)) == (0, [])


def test_a_delivery_that_is_replayed_answers_once(emulator, store, service, desk):
    ask(service)
    emulator.tap(emulator.sent[0].message_id, "Deploy")
    for _ in range(3):
        deliver(store, emulator)
        desk.serve()
    assert (service.patches, told(emulator)) == (1, [])


def test_ten_thousand_quotes_of_one_person_keep_nobody_else_from_answering(emulator, store, service, desk):
    ask(service, [ANN, BOB])
    quoted = {"id": emulator.sent[1].message_id}
    spam = [
        {"from": EVE, "id": f"w{n}", "type": "text", "text": {"body": "Wait"}, "context": quoted}
        for n in range(10_000)
    ]
    store.add(read_events({"messages": spam}), time.time())
    tap(emulator, store, "Deploy", 0)
    desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]
    assert told(emulator) == []


def test_a_broken_tap_stops_nobody(emulator, store, service, desk):
    for payload in ("d360q:none:0:0", "d360q", "yes", None, 5):
        reply = {"type": "button_reply", "button_reply": {"id": payload, "title": "x"}}
        arrive(store, {"type": "interactive", "interactive": reply})
    arrive(store, {"type": "button", "button": None})
    ask(service)
    tap(emulator, store, "Deploy")
    desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]


def test_neither_password_token_number_nor_id_is_logged(emulator, store, service, desk, caplog, capsys):
    ask(service)
    tap(emulator, store, "Deploy")
    desk.serve()
    seen = caplog.text + capsys.readouterr().out
    assert "Answer of 49…89 to task approve: accepted" in seen
    assert [one for one in (PASSWORD, "token-0", ANN, "wamid", "version 2") if one in seen] == []


@pytest.mark.parametrize("missing", ["login", "password", "host"])
def test_an_account_that_lacks_something_is_an_error(service, monkeypatch, missing):
    connection = {"conn_type": "http", "host": service.url, "login": USER, "password": PASSWORD, missing: ""}
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_BOT", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")
    with pytest.raises(ValueError, match="needs a host"):
        configured_account(look_up)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"host": "airflow.local", "port": 8080, "schema": "http"}, "http://airflow.local:8080"),
        ({"host": "airflow.local"}, "https://airflow.local"),
        ({"host": "https://airflow.local/base/"}, "https://airflow.local/base"),
        ({}, "https://airflow.example.com"),
    ],
)
def test_where_airflow_is_stands_in_the_connection_or_in_its_own_configuration(
    service, monkeypatch, given, url
):
    connection = {"conn_type": "http", "login": USER, "password": PASSWORD, **given}
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_BOT", json.dumps(connection))
    account = configured_account(look_up)
    assert account is not None
    assert account.base_url == url


# Late answers to questions of our own operators


def settle(emulator, store, operator):
    """Let Ann and Bob, of three people, decide."""
    ctx = context()
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)
    for number in (0, 1):
        tap(emulator, store, 0, number)
    return ctx


def test_who_answers_late_is_told_once_how_it_was_settled(emulator, store, service, desk):
    task = D360ApprovalOperator(task_id="ask", to=[ANN, BOB, EVE], question="Deploy?", needed=2)
    ctx = settle(emulator, store, task)
    assert task.resume(ctx) == "approve"
    for _ in range(2):
        tap(emulator, store, 1, 2)
        desk.serve()
    assert told(emulator) == [(EVE, "Thank you. This has been settled already: Approve.")]


def test_who_answers_after_the_decision_and_before_the_task_has_seen_it_is_told(
    emulator, store, service, desk
):
    task = D360ApprovalOperator(task_id="ask", to=[ANN, BOB, EVE], question="Deploy?", needed=2)
    settle(emulator, store, task)
    tap(emulator, store, 1, 2)
    desk.serve()
    assert told(emulator) == [(EVE, "Thank you. This has been settled already.")]


def test_who_answers_late_in_words_is_told_as_well(emulator, store, service, desk):
    task = D360AskOperator(task_id="ask", to=[ANN, BOB], question="Which address?")
    ctx = context()
    with pytest.raises(TaskDeferred):
        task.execute(ctx)
    emulator.quote(emulator.sent[0].message_id, "Beispielweg 1")
    deliver(store, emulator)
    desk.serve()
    assert task.resume(ctx) == "Beispielweg 1"
    for _ in range(2):
        emulator.quote(emulator.sent[1].message_id, "Beispielweg 2")
        emulator.quote(emulator.sent[0].message_id, "Thanks")
        deliver(store, emulator)
        desk.serve()
    assert told(emulator)[2:] == [(BOB, "Thank you. This has been settled already.")]


def test_a_quote_of_another_message_of_the_task_or_of_none_of_ours_is_nobodys_answer(
    emulator, store, service, desk
):
    ask(service)
    other = D360Hook().send(ANN, "The report is ready")
    for message_id in (other.message_id, "wamid.unknown"):
        arrive(store, "Deploy", reply_to=message_id)
    desk.serve()
    assert (service.patches, len(told(emulator))) == (0, 1)


def test_who_has_decided_is_not_told_that_it_is_settled(emulator, store, service, desk):
    task = D360ApprovalOperator(task_id="ask", to=[ANN, BOB, EVE], question="Deploy?", needed=2)
    ctx = settle(emulator, store, task)
    desk.serve()
    task.resume(ctx)
    tap(emulator, store, 1, 0)
    desk.serve()
    assert told(emulator) == []


def test_nobody_is_told_anything_if_the_author_wants_none(emulator, store, service, desk):
    task = D360AskOperator(
        task_id="ask", to=[ANN, BOB, EVE], question="?", choices=["a", "b"], needed=2, settled_text=None
    )
    ctx = settle(emulator, store, task)
    task.resume(ctx)
    tap(emulator, store, 1, 2)
    desk.serve()
    assert told(emulator) == []


def test_taps_older_than_a_day_are_passed_over(emulator, store, service, desk):
    ask(service)
    emulator.tap(emulator.sent[0].message_id, "Deploy")
    store.cursors.ensure(desks.CURSOR, 0.0)
    for delivery in emulator.wait_for_deliveries():
        store.add(read_events(delivery.body), time.time() - 2 * 86_400)
    desk.serve()
    assert service.patches == 0


def test_a_purge_keeps_nothing_for_the_desk(store, caplog):
    store.cursors.ensure(desks.CURSOR, 0.0)
    arrive(store, "old", received_at=time.time() - 40 * 86_400)
    assert store.inbox.purge(time.time() - 30 * 86_400, time.time()) == 1
    assert "keeps" not in caplog.text


# Airflow's API


def test_a_token_is_not_replaced_by_credentials_of_a_netrc_file(
    emulator, store, service, monkeypatch, tmp_path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api = AirflowApi(service.url, USER, PASSWORD)
    ask(service)
    place = TaskPlace("dag", "run", "approve", -1)
    assert api.answer(place, "Deploy", time.time(), "note") is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_address_that_redirects_is_not_taken_for_a_refusal(emulator, store, service, desk, status):
    ask(service)
    tap(emulator, store, "Deploy")
    service.redirects = status
    with pytest.raises(AirflowUnavailableError, match=f"HTTP {status}.*whole address"):
        desk.serve()
    assert told(emulator) == []
    service.redirects = 0
    desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]


def test_a_login_that_airflow_refuses_is_named(service):
    api = AirflowApi(service.url, USER, "wrong")
    with pytest.raises(AirflowUnavailableError, match="refuses the login and password"):
        api.answer(TaskPlace("dag", "run", "approve", -1), "Deploy", time.time(), "note")


def test_a_tap_whose_connection_is_gone_holds_up_no_other_one(emulator, store, service, desk, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_OLD", os.environ["AIRFLOW_CONN_D360_DEFAULT"])
    service.ask(["Deploy", "Wait"], time.time() - 0.5)
    notify(hitl(), d360_conn_id="old")
    notify(hitl(), to=BOB, try_number=2)  # who taps on the first try is told that it does not count any more
    tap(emulator, store, "Deploy", 0)
    tap(emulator, store, "Deploy")
    monkeypatch.delenv("AIRFLOW_CONN_OLD")
    with pytest.raises(D360UnavailableError):
        desk.serve()
    assert service.detail["chosen_options"] == ["Deploy"]


def test_a_link_reaches_the_others_although_one_cannot_be_reached(
    emulator, store, service, monkeypatch, caplog, capsys
):
    monkeypatch.setenv("AIRFLOW__D360__AIRFLOW_CONN_ID", "")
    emulator.reject(131026, to=ANN)
    notify(hitl(), [ANN, BOB])
    assert [sent.to for sent in emulator.sent] == [BOB]
    assert "The question was not sent on WhatsApp" in caplog.text + "".join(capsys.readouterr())
