"""A staging Airflow cannot write to customers, whoever sends: hook, operator, notifier, or a call by hand."""

import asyncio
import logging
import sqlite3
from contextlib import closing

import pytest
from airflow.exceptions import TaskDeferred

from airflow_provider_d360.api.endpoints.messages import send_message
from airflow_provider_d360.api.errors import D360Error, D360RecipientError, D360RequestError
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.emulator import CLOUD_KEY, Webhook
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import buttons, image, location, template, text
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.questions import D360ApprovalOperator, D360AskOperator
from airflow_provider_d360.sending import rates
from airflow_provider_d360.store.configured import configured_store
from tests.provider.inboxes import context, deliver

CUSTOMER = "33612345678"
TESTER = "4915112345689"


@pytest.fixture(autouse=True)
def store(monkeypatch, store_path):
    monkeypatch.setattr(rates, "_limiters", {})
    return store_path


@pytest.fixture
def staging(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(only_to="+49 151*"))
    return d360_emulator


@pytest.fixture
def redirected(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(redirect_to="+49 151 123456-89"))
    return d360_emulator


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "plot.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return image(path=str(file))


def send(to, message, **options):
    return D360Hook().send(to, message, **options)


def asend(to, message, **options):
    async def work():
        hook = D360Hook()
        try:
            return await hook.asend(to, message, **options)
        finally:
            await hook.aclose()

    return asyncio.run(work())


def call(to, message):
    return D360Hook().call(send_message(CLOUD, to, text(message)))


def acall(to, message):
    async def work():
        hook = D360Hook()
        try:
            return await hook.acall(send_message(CLOUD, to, text(message)))
        finally:
            await hook.aclose()

    return asyncio.run(work())


def operator(to, message):
    return D360SendMessageOperator(task_id="send", to=to, message=message).execute({})


def rows(store):
    with sqlite3.connect(store) as connection:
        return connection.execute("SELECT state, recipient FROM d360_ledger").fetchall()


both = pytest.mark.parametrize("send", [send, asend])


@pytest.mark.parametrize("way", [send, asend, call, acall, operator])
def test_nobody_else_gets_a_message_whoever_sends_it(staging, way):
    with pytest.raises((D360RecipientError, AirflowFailException), match="may not write to 33…78") as caught:
        way(CUSTOMER, "Hi")
    assert CUSTOMER not in str(caught.value)
    assert staging.requests == []
    way(TESTER, "Hi")
    assert [sent.to for sent in staging.sent] == [TESTER]


@both
def test_a_refused_message_is_not_uploaded_and_leaves_no_intent(staging, store, send, picture):
    with pytest.raises(D360RecipientError):
        send(CUSTOMER, picture, idempotency_key="invoice 17")
    assert staging.requests == []
    assert rows(store) == [("refused", "33…78")]


@both
def test_a_redirected_text_says_for_whom_it_was(redirected, send):
    send(CUSTOMER, "Hi", reply_to="wamid.1")
    (sent,) = redirected.sent
    assert (sent.to, sent.body["text"]["body"]) == (TESTER, "[For 33…78]\nHi")
    assert "context" not in sent.body  # the quoted message is in the customer's chat


def test_captions_and_bodies_say_it_too(redirected, picture):
    send(CUSTOMER, picture)
    send(CUSTOMER, image(link="https://example.com/a.png", caption="Orders"))
    send(CUSTOMER, buttons("Deploy?", {"yes": "Yes"}))
    bodies = [sent.body for sent in redirected.sent]
    assert [body["image"]["caption"] for body in bodies[:2]] == ["[For 33…78]", "[For 33…78]\nOrders"]
    assert bodies[2]["interactive"]["body"] == {"text": "[For 33…78]\nDeploy?"}


def test_messages_without_free_text_go_out_unchanged(redirected):
    for message in (template("hello", "en"), location(52.5, 13.4)):
        send(CUSTOMER, message)
        sent = redirected.sent[-1]
        assert sent.to == TESTER
        assert {name: sent.body[name] for name in message} == message


def test_a_text_of_the_longest_size_is_cut_rather_than_refused(redirected):
    send(CUSTOMER, "x" * 4096)
    body = redirected.sent[0].body["text"]["body"]
    assert len(body) == 4096
    assert body.startswith("[For 33…78]\nx")
    assert body.endswith("x…")


def test_an_allowed_recipient_gets_the_message_as_it_is(redirected):
    send(TESTER, "Hi", reply_to="wamid.1")
    (sent,) = redirected.sent
    assert (sent.body["text"]["body"], sent.body["context"]) == ("Hi", {"message_id": "wamid.1"})


def test_the_ledger_knows_the_message_by_the_person_that_it_was_for(redirected, store, monkeypatch):
    first = send(CUSTOMER, "Hi", idempotency_key="invoice 17")
    assert send(CUSTOMER, "Hi", idempotency_key="invoice 17").message_id == first.message_id
    send("+33 6 12 34 56 79", "Hi", idempotency_key="invoice 17")
    assert len(redirected.sent) == 2
    assert rows(store) == [("accepted", "33…78"), ("accepted", "33…79")]


def test_the_rate_limit_counts_for_the_person_who_gets_it(redirected):
    for number in range(45):
        send(f"336123456{number:02}", "Hi")
    with pytest.raises(Exception, match="as much as WhatsApp accepts"):
        D360Hook(budget_seconds=1).send(CUSTOMER, "Hi")


def test_the_log_says_once_that_it_is_on(redirected, caplog):
    hook = D360Hook()
    with caplog.at_level(logging.WARNING):
        hook.send(CUSTOMER, "Hi")
        hook.send(TESTER, "Hi")
    assert caplog.messages == [
        "Connection 'd360_default' is restricted: redirect_to is set; messages to anybody else go to 49…89.",
        "The message for 33…78 goes to 49…89 (redirect_to).",
    ]


def alert(notifier):
    notifier({})


def await_alert(notifier):
    async def work():
        await type(notifier)(to=notifier.to, message=notifier.message, context={})

    asyncio.run(work())


both_alerts = pytest.mark.parametrize("alert", [alert, await_alert])


@both_alerts
def test_an_alert_reaches_those_who_may_get_it(staging, alert):
    with pytest.raises(D360RecipientError, match="may not write to 33…78"):
        alert(D360Notifier(to=[CUSTOMER, TESTER], message="Down"))
    assert [sent.to for sent in staging.sent] == [TESTER]


@both_alerts
def test_the_file_of_an_alert_is_not_uploaded_for_nobody(staging, alert, picture):
    with pytest.raises(D360Error):
        alert(D360Notifier(to=[CUSTOMER, "110"], message=picture))
    assert staging.requests == []


@both_alerts
def test_an_alert_is_redirected(redirected, alert):
    alert(D360Notifier(to=CUSTOMER, message="Down"))
    assert [(sent.to, sent.body["text"]["body"]) for sent in redirected.sent] == [
        (TESTER, "[For 33…78]\nDown")
    ]


def test_people_can_be_blocked_all_the_same(staging):
    D360Hook().block_users([CUSTOMER])
    (request,) = staging.requests
    assert CUSTOMER.encode() in request.body


@pytest.mark.parametrize("name", ["only_to", "redirect_to"])
def test_an_extra_that_cannot_be_read_lets_nothing_through(d360_emulator, monkeypatch, name):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(**{name: "110"}))
    with pytest.raises(D360RequestError, match=f"Connection 'd360_default': extra .*{name}"):
        send(TESTER, "Hi")
    assert d360_emulator.requests == []


# --- Questions ---


@pytest.fixture
def heard(d360_emulator):
    """Let questions be asked: the number has a webhook, which nobody serves."""
    d360_emulator.numbers[CLOUD_KEY].webhook = Webhook("http://127.0.0.1:9/nobody")
    d360_emulator.retry_delays_seconds = ()


@pytest.mark.parametrize("kind", [D360AskOperator, D360ApprovalOperator])
def test_no_customer_is_asked_from_a_staging_airflow(staging, heard, kind):
    with pytest.raises(AirflowFailException, match=r"only_to"):
        kind(task_id="ask", to=f"+{CUSTOMER}", question="Deploy?").execute(context())
    assert staging.sent == []


@pytest.mark.parametrize("kind", [D360AskOperator, D360ApprovalOperator])
def test_a_question_to_a_customer_goes_to_the_tester_and_says_so(redirected, heard, kind):
    with pytest.raises(TaskDeferred):
        kind(task_id="ask", to=f"+{CUSTOMER}", question="Deploy?").execute(context())
    (question,) = redirected.sent
    assert question.to == TESTER
    assert "[For 33…78]" in str(question.body)


def test_the_tester_answers_in_the_customers_place(redirected, heard):
    task, where = (
        D360AskOperator(
            task_id="ask", to=f"+{CUSTOMER}", question="Deploy?", choices={"yes": "Deploy", "no": "Wait"}
        ),
        context(),
    )
    with pytest.raises(TaskDeferred):
        task.execute(where)
    redirected.tap(redirected.sent[0].message_id, "Deploy")
    with closing(configured_store()) as store:
        deliver(store, redirected)
    assert task.resume(where) == "yes"
