"""Questions to people: what counts as an answer, what is sent, and how a task ends."""

import asyncio
import json
import time
from datetime import timedelta

import pytest
from airflow.exceptions import TaskDeferred

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException
from airflow_provider_d360.conversations.asking import look
from airflow_provider_d360.emulator import Webhook, faults
from airflow_provider_d360.messages import template
from airflow_provider_d360.operators.questions import D360ApprovalOperator, D360AskOperator
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.triggers import replies
from airflow_provider_d360.triggers.questions import D360QuestionTrigger
from tests.provider.inboxes import ANN, BOB, EVE, arrive, context, deliver

DEPLOY = {"yes": "Deploy", "no": "Wait"}


@pytest.fixture
def store(store_path, monkeypatch):
    monkeypatch.setattr(replies, "_POLL_SECONDS", 0.02)
    store = configured_store()
    yield store
    store.close()


@pytest.fixture
def emulator(d360_emulator):
    """An emulator whose number has a webhook; what it would deliver is taken from its records."""
    key = next(iter(d360_emulator.numbers))
    d360_emulator.numbers[key].webhook = Webhook("http://127.0.0.1:9/nobody")
    d360_emulator.retry_delays_seconds = ()
    d360_emulator.set_statuses([])
    return d360_emulator


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests put forward."""
    ahead = [0.0]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + ahead[0])
    return lambda seconds: ahead.__setitem__(0, ahead[0] + seconds)


def ask(**arguments):
    return D360AskOperator(**{"task_id": "ask", "to": ANN, "question": "Deploy version 2?", **arguments})


def defer(task, ctx):
    """Run a task until it waits."""
    with pytest.raises(TaskDeferred) as caught:
        task.execute(ctx)
    assert caught.value.method_name == "resume"
    return caught.value.trigger


def due(trigger, within=10.0):
    """Run a trigger from its serialized form to its event."""
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_d360.triggers.questions.D360QuestionTrigger"

    async def first():
        return (await anext(D360QuestionTrigger(**arguments).run())).payload

    return asyncio.run(asyncio.wait_for(first(), within))


def is_due(trigger, store):
    """Look as the trigger does, without waiting."""
    progress = look(store, trigger.question_id, time.time()).progress
    return progress is None or progress.outcome is not None or bool(progress.due)


def sent_to(emulator, person):
    return [sent for sent in emulator.sent if sent.to == person]


def body(sent):
    content = (
        sent.body["interactive"]["body"]["text"] if "interactive" in sent.body else sent.body["text"]["body"]
    )
    return str(content)


def tap(emulator, store, choice, person=ANN, number=-1):
    emulator.tap(sent_to(emulator, person)[number].message_id, choice)
    deliver(store, emulator)


# One person, one choice


def test_a_tap_is_the_answer(emulator, store):
    ctx = context()
    trigger = defer(ask(choices=DEPLOY), ctx)
    assert not is_due(trigger, store)
    tap(emulator, store, "Deploy")
    event = due(trigger)
    assert event == {"state": "due", "question": trigger.question_id}
    assert ask(choices=DEPLOY).resume(ctx, event) == "yes"
    assert ctx["ti"].pushed == {"answered_by": ["49…89"]}
    assert len(emulator.sent) == 1


@pytest.mark.parametrize(
    ("choices", "kind"),
    [
        (["a", "b", "c"], "button"),
        (["a", "b", "c", "d"], "list"),
        ({str(n): f"{n} is a choice with a long title that goes on below" for n in range(10)}, "list"),
    ],
)
def test_up_to_three_choices_are_buttons_and_up_to_ten_a_list(emulator, store, choices, kind):
    ctx = context()
    trigger = defer(ask(choices=choices), ctx)
    assert emulator.sent[0].body["interactive"]["type"] == kind
    tap(emulator, store, len(choices) - 1)
    assert is_due(trigger, store)
    assert ask(choices=choices).resume(ctx) == list(choices)[-1]


@pytest.mark.parametrize("written", ["Deploy", "deploy ", "YES"])
def test_a_quote_that_names_a_choice_is_the_answer(emulator, store, written):
    ctx = context()
    defer(ask(choices=DEPLOY), ctx)
    emulator.quote(emulator.sent[0].message_id, written)
    deliver(store, emulator)
    assert ask(choices=DEPLOY).resume(ctx) == "yes"


def test_a_retry_or_a_killed_worker_asks_nobody_again_and_waits_for_the_same_end(emulator, store, clock):
    first = defer(ask(choices=DEPLOY, wait_timeout=100), context())
    clock(50)
    again = defer(ask(choices=DEPLOY, wait_timeout=100), context(try_number=2))
    assert again.question_id == first.question_id
    assert len(emulator.sent) == 1
    clock(51)
    with pytest.raises(AirflowFailException, match="Nobody has answered in time"):
        ask(choices=DEPLOY, wait_timeout=100).execute(context(try_number=3))


def test_a_worker_that_is_killed_after_it_has_sent_sends_nothing_again(emulator, store, monkeypatch):
    monkeypatch.setattr(store.questions.__class__, "note", lambda *args: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        ask(choices=DEPLOY).execute(context())
    monkeypatch.undo()
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", store.url.database)
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection())
    ctx = context(try_number=2)
    defer(ask(choices=DEPLOY), ctx)
    assert len(emulator.sent) == 1
    tap(emulator, store, "Wait")
    assert ask(choices=DEPLOY).resume(ctx) == "no"


def test_an_answer_is_the_same_when_the_task_is_killed_after_it_was_settled(emulator, store):
    ctx = context()
    defer(ask(accept_next=True), ctx)
    arrive(store, "the first answer")
    assert ask(accept_next=True).resume(ctx) == "the first answer"
    arrive(store, "a later message")
    assert ask(accept_next=True).execute(context(try_number=2)) == "the first answer"


def test_a_lost_response_to_a_question_with_buttons_does_not_lose_it(emulator, store, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.conversations.asking._PROOF_SECONDS", 0.0)
    emulator.fail_next(faults.accepted_and_cut_off())
    ctx = context()
    defer(ask(choices=DEPLOY), ctx)
    tap(emulator, store, "Deploy")
    assert ask(choices=DEPLOY).resume(ctx) == "yes"


# What is no answer


def open_questions(emulator, store):
    """Ask Ann twice, in two runs; return the triggers."""
    return [defer(ask(choices=DEPLOY), context(run_id=run_id)) for run_id in ("old", "new")]


def test_a_button_of_an_older_question_does_not_answer_a_newer_one(emulator, store):
    old, new = open_questions(emulator, store)
    tap(emulator, store, "Deploy", number=0)
    assert is_due(old, store)
    assert not is_due(new, store)


def payload_of(sent, place=0):
    return sent.body["interactive"]["action"]["buttons"][place]["reply"]["id"]


def tap_with(payload):
    reply = {"type": "button_reply", "button_reply": {"id": payload, "title": "Deploy"}}
    return {"type": "interactive", "interactive": reply}


def test_another_person_cannot_use_a_payload(emulator, store):
    trigger = defer(ask(choices=DEPLOY, to=[ANN, BOB], needed=2), context())
    stolen = payload_of(sent_to(emulator, ANN)[0])
    arrive(store, tap_with(stolen), sender=BOB)
    arrive(store, tap_with(stolen), sender=BOB, reply_to=sent_to(emulator, BOB)[0].message_id)
    arrive(store, tap_with(stolen), sender=EVE, reply_to=sent_to(emulator, ANN)[0].message_id)
    progress = look(store, trigger.question_id, time.time()).progress
    assert progress is not None
    assert (progress.outcome, progress.due) == (None, ())
    tap(emulator, store, "Deploy", BOB)
    assert not is_due(trigger, store)
    tap(emulator, store, "Deploy", ANN)
    assert is_due(trigger, store)


@pytest.mark.parametrize(
    "forge",
    [
        lambda payload: payload.replace(":0:", ":1:"),
        lambda payload: payload[:-1] + ("0" if payload[-1] != "0" else "1"),
        lambda payload: payload + "0",
        lambda payload: payload.rpartition(":")[0] + ":",
        lambda payload: payload.replace(":0:", ":99:"),
        lambda payload: payload.replace(":0:", ":-1:"),
        lambda payload: payload.replace(":0:", ":\N{ARABIC-INDIC DIGIT ZERO}:"),
        lambda payload: "d360q:" + 64 * "0" + ":0:" + 32 * "0",
        lambda payload: "yes",
        lambda payload: "",
    ],
)
def test_a_forged_payload_is_no_answer(emulator, store, forge):
    trigger = defer(ask(choices=DEPLOY), context())
    forged = forge(payload_of(emulator.sent[0]))
    arrive(store, tap_with(forged), reply_to=emulator.sent[0].message_id)
    assert not is_due(trigger, store)


def test_payloads_of_two_people_and_two_questions_have_nothing_in_common(emulator, store):
    defer(ask(choices=DEPLOY, to=[ANN, BOB], needed=2), context(run_id="1"))
    defer(ask(choices=DEPLOY), context(run_id="2"))
    payloads = [payload_of(sent, place) for sent in emulator.sent for place in (0, 1)]
    assert len({payload.rpartition(":")[2] for payload in payloads}) == 6


def test_a_second_tap_of_a_person_changes_nothing(emulator, store):
    ctx = context()
    defer(ask(choices=DEPLOY, to=[ANN, BOB], needed=2), ctx)
    tap(emulator, store, "Deploy", ANN)
    tap(emulator, store, "Wait", ANN)
    tap(emulator, store, "Deploy", BOB)
    assert ask(choices=DEPLOY, to=[ANN, BOB], needed=2).resume(ctx) == "yes"
    assert ctx["ti"].pushed == {"answered_by": ["49…89", "49…70"]}


def test_a_delivery_that_is_replayed_counts_once(emulator, store):
    trigger = defer(ask(choices=DEPLOY, to=[ANN, BOB], needed=2), context())
    emulator.tap(sent_to(emulator, ANN)[0].message_id, "Deploy")
    for _ in range(3):
        deliver(store, emulator)
    assert not is_due(trigger, store)


def test_a_tap_after_the_end_is_no_answer(emulator, store, clock):
    ctx = context()
    defer(ask(choices=DEPLOY, wait_timeout=60), ctx)
    clock(61)
    tap(emulator, store, "Deploy")
    with pytest.raises(AirflowFailException, match="Nobody has answered in time"):
        ask(choices=DEPLOY, wait_timeout=60).resume(ctx)


def test_clearing_a_task_asks_anew_and_its_old_buttons_are_dead(emulator, store):
    old = defer(ask(choices=DEPLOY), context(dag_run={"clear_number": 0}))
    cleared = context(dag_run={"clear_number": 1}) | {"dag_run": {"clear_number": 1}}
    new = defer(ask(choices=DEPLOY), cleared)
    assert len(emulator.sent) == 2
    assert store.questions.find(old.question_id).state == "cancelled"
    tap(emulator, store, "Deploy", number=0)
    assert not is_due(new, store)
    tap(emulator, store, "Wait", number=1)
    assert ask(choices=DEPLOY).resume(cleared) == "no"


def test_a_plain_message_is_no_answer_unless_the_next_one_counts(emulator, store):
    trigger = defer(ask(), context())
    arrive(store, "just chatting")
    assert not is_due(trigger, store)
    ctx = context(run_id="other")
    next_one = defer(ask(accept_next=True), ctx)
    arrive(store, "quoting something else", reply_to="wamid.other")
    arrive(store, "of somebody else", sender=EVE)
    assert not is_due(next_one, store)
    arrive(store, "42 is the answer")
    assert is_due(next_one, store)


def test_the_next_message_is_for_the_newest_question_that_is_open(emulator, store):
    contexts = [context(run_id=run_id) for run_id in ("old", "new")]
    old, new = (defer(ask(accept_next=True), ctx) for ctx in contexts)
    arrive(store, "for the new one")
    assert (is_due(old, store), is_due(new, store)) == (False, True)
    assert ask(accept_next=True).resume(contexts[1]) == "for the new one"
    assert not is_due(old, store)
    arrive(store, "for the old one")
    assert ask(accept_next=True).resume(contexts[0]) == "for the old one"


def test_a_message_from_before_the_question_is_no_answer_to_it(emulator, store):
    arrive(store, "a minute ago", received_at=time.time() - 60)
    assert not is_due(defer(ask(accept_next=True), context()), store)


def test_a_reaction_is_no_answer(emulator, store):
    trigger = defer(ask(accept_next=True), context())
    arrive(store, {"type": "reaction", "reaction": {"message_id": "x", "emoji": "+"}})
    assert not is_due(trigger, store)


def test_ten_thousand_messages_of_one_person_hide_nobody(emulator, store):
    ctx = context()
    trigger = defer(ask(choices=DEPLOY, to=[ANN, BOB], needed=2), ctx)
    spam = [{"from": BOB, "id": f"w{n}", "type": "text", "text": {"body": "spam"}} for n in range(10_000)]
    store.add(read_events({"messages": spam}), time.time())
    tap(emulator, store, "Deploy", ANN)
    tap(emulator, store, "Deploy", BOB)
    assert due(trigger)
    assert ask(choices=DEPLOY, to=[ANN, BOB], needed=2).resume(ctx) == "yes"


# Free answers


@pytest.mark.parametrize(
    ("arguments", "written", "value"),
    [
        ({}, " any text ", "any text"),
        ({"pattern": r"[0-9]{5} \w+"}, "10115 Berlin", "10115 Berlin"),
        ({"pattern": "(?i)later|tomorrow"}, "Tomorrow", "Tomorrow"),  # flags may stand at the start alone
        ({"pattern": "(?x) later  # or never"}, "later", "later"),
        ({"answer": "number"}, "42", 42),
        ({"answer": "number"}, "-3,5", -3.5),
        ({"answer": "date"}, "2026-02-28", "2026-02-28"),
        ({"answer": "date"}, "1.3.2026", "2026-03-01"),
    ],
)
def test_a_free_answer_is_read(emulator, store, arguments, written, value):
    ctx = context()
    defer(ask(**arguments), ctx)
    emulator.quote(emulator.sent[0].message_id, written)
    deliver(store, emulator)
    assert ask(**arguments).resume(ctx) == value


def test_the_answer_of_a_file_is_its_media_id(emulator, store):
    ctx = context()
    defer(ask(answer="file"), ctx)
    emulator.quote(emulator.sent[0].message_id, {"type": "image", "image": {"id": "4711"}})
    deliver(store, emulator)
    assert ask(answer="file").resume(ctx) == "4711"


@pytest.mark.parametrize(
    ("arguments", "written", "said"),
    [
        ({"answer": "number"}, "1.500", "number"),
        ({"answer": "number"}, "many", "number"),
        ({"answer": "date"}, "2026-02-30", "date"),
        ({"answer": "date"}, "03/04/2026", "date"),
        ({"answer": "file"}, "no file", "file"),
        ({"pattern": "[0-9]{5}"}, "123456", "form"),
        ({"pattern": "a+"}, "a" * 1001, "form"),
        ({"choices": DEPLOY}, "perhaps", "choose"),
    ],
)
def test_an_answer_that_is_not_valid_gets_a_second_try_and_no_third(
    emulator, store, arguments, written, said
):
    ctx = context()
    task = ask(on_timeout="default", default="none", **arguments)
    defer(task, ctx)
    for number in range(2):
        emulator.quote(sent_to(emulator, ANN)[-1].message_id, written)
        deliver(store, emulator)
        if number == 0:
            defer(task, ctx)
            defer(task, ctx)  # and again, as after a kill
            assert said in body(emulator.sent[-1])
    assert task.resume(ctx) == "none"
    assert len(emulator.sent) == 2


def test_the_second_try_may_be_valid(emulator, store):
    ctx = context()
    task = ask(answer="number", invalid_text="Just a number, please.")
    defer(task, ctx)
    emulator.quote(emulator.sent[0].message_id, "many")
    deliver(store, emulator)
    defer(task, ctx)
    assert body(emulator.sent[1]) == "Just a number, please."
    assert emulator.sent[1].body["context"]["message_id"] == emulator.sent[0].message_id
    emulator.quote(emulator.sent[1].message_id, "12")
    deliver(store, emulator)
    assert task.resume(ctx) == 12


# Time


def test_a_reminder_goes_to_those_who_have_not_answered_once(emulator, store, clock):
    ctx = context()
    task = ask(choices=DEPLOY, to=[ANN, BOB, EVE], needed=2, reminders=[60, 120], wait_timeout=600)
    trigger = defer(task, ctx)
    tap(emulator, store, "Deploy", ANN)
    assert not is_due(trigger, store)
    clock(61)
    assert due(trigger)
    trigger = defer(task, ctx)
    assert [sent.to for sent in emulator.sent[3:]] == [BOB, EVE]
    assert body(emulator.sent[3]) == "Reminder: Deploy version 2?"
    tap(emulator, store, "Deploy", BOB)
    assert task.resume(ctx) == "yes"
    assert len(emulator.sent) == 5


def test_a_reminder_that_does_not_go_out_loses_no_question(emulator, store, clock):
    ctx = context()
    task = ask(choices=DEPLOY, reminders=[60], wait_timeout=600)
    defer(task, ctx)
    clock(61)
    emulator.reject(131026, to=ANN)
    defer(task, ctx)
    tap(emulator, store, "Deploy")
    assert task.resume(ctx) == "yes"


def test_of_several_reminders_that_were_missed_one_is_sent(emulator, store, clock):
    task = ask(choices=DEPLOY, reminders=[60, 120, 180], wait_timeout=600)
    defer(task, context())
    clock(200)
    defer(task, context())
    assert len(emulator.sent) == 2


@pytest.mark.parametrize(
    ("policy", "end"), [("fail", AirflowFailException), ("skip", AirflowSkipException), ("default", None)]
)
def test_when_no_answer_comes_the_policy_decides(emulator, store, clock, policy, end):
    ctx = context()
    task = ask(choices=DEPLOY, wait_timeout=60, on_timeout=policy, default="no")
    trigger = defer(task, ctx)
    clock(61)
    assert due(trigger)
    if end is None:
        assert task.resume(ctx) == "no"
    else:
        with pytest.raises(end, match="Nobody has answered in time"):
            task.resume(ctx)


def test_the_numbers_are_erased_when_a_question_ends(emulator, store, clock):
    ctx = context()
    task = ask(choices=DEPLOY, wait_timeout=60, on_timeout="default")
    question_id = defer(task, ctx).question_id
    assert store.questions.find(question_id).people[0].number == ANN
    clock(61)
    task.resume(ctx)
    assert store.questions.find(question_id).people[0].number is None


# Who cannot be reached


def test_a_refused_question_fails_the_task_at_once(emulator, store):
    emulator.reject(131026, to=ANN)
    with pytest.raises(AirflowFailException, match="D360RecipientError"):
        ask(choices=DEPLOY).execute(context())


def test_a_question_that_fails_on_its_way_wakes_the_task(emulator, store):
    ctx = context()
    task = ask(choices=DEPLOY)
    trigger = defer(task, ctx)
    status = {"id": emulator.sent[0].message_id, "status": "failed", "errors": [{"code": 131026}]}
    store.add(read_events({"statuses": [status]}), time.time())
    assert due(trigger)
    with pytest.raises(AirflowFailException, match="could not be delivered"):
        task.resume(ctx)


def test_of_several_people_one_may_be_out_of_reach(emulator, store):
    emulator.reject(131026, to=ANN)
    ctx = context()
    task = ask(choices=DEPLOY, to=[ANN, BOB, EVE], needed=2)
    defer(task, ctx)
    for person in (BOB, EVE):
        tap(emulator, store, "Deploy", person)
    assert task.resume(ctx) == "yes"


def test_two_who_cannot_be_reached_are_too_many_for_two_of_three(emulator, store):
    for person in (ANN, BOB):
        emulator.reject(131026, to=person)
    with pytest.raises(AirflowFailException, match="could not be delivered"):
        ask(choices=DEPLOY, to=[ANN, BOB, EVE], needed=2).execute(context())


def test_outside_the_window_a_template_with_payloads_is_sent_and_inside_the_question(emulator, store):
    emulator.strict = True
    emulator.templates.add(
        {
            "name": "approve", "language": "en", "category": "UTILITY",
            "components": [
                {"type": "BODY", "text": "Deploy {{1}}?", "example": {"body_text": [["2"]]}},
                {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": one} for one in ("Deploy", "Wait")]},
            ],
        },
        status="approved",
    )  # fmt: skip
    emulator.receive("Hello", sender=BOB)
    deliver(store, emulator)
    ctx = context()
    task = ask(choices=DEPLOY, to=[ANN, BOB], needed=2, template=template("approve", "en", body=["2"]))
    defer(task, ctx)
    assert [sent.body["type"] for sent in emulator.sent] == ["template", "interactive"]
    tap(emulator, store, "Deploy", ANN)
    tap(emulator, store, "Deploy", BOB)
    assert task.resume(ctx) == "yes"


# Several people


def test_a_choice_of_two_of_three_decides_and_the_third_is_not_waited_for(emulator, store):
    ctx = context()
    task = ask(choices=DEPLOY, to=[ANN, BOB, EVE], needed=2)
    trigger = defer(task, ctx)
    tap(emulator, store, "Deploy", ANN)
    tap(emulator, store, "Wait", BOB)
    assert not is_due(trigger, store)
    tap(emulator, store, "Wait", EVE)
    assert task.resume(ctx) == "no"


def test_people_who_cannot_agree_any_more_end_the_question(emulator, store):
    ctx = context()
    task = ask(choices=["a", "b", "c"], to=[ANN, BOB], needed=2)
    defer(task, ctx)
    tap(emulator, store, "a", ANN)
    tap(emulator, store, "b", BOB)
    with pytest.raises(AirflowFailException, match="Too few people have chosen the same"):
        task.resume(ctx)


def test_one_person_in_two_writings_is_asked_once(emulator, store):
    defer(ask(choices=DEPLOY, to=[ANN, "+49 151 12345689"]), context())
    assert len(emulator.sent) == 1


# Approvals


class Relatives:
    """Stands for the tasks downstream."""


def approval(**arguments):
    return D360ApprovalOperator(**{"task_id": "ask", "to": ANN, "question": "Deploy?", **arguments})


def test_an_approval_returns_approve(emulator, store):
    ctx = context()
    defer(approval(), ctx)
    tap(emulator, store, "Approve")
    assert approval().resume(ctx) == "approve"


def test_a_rejection_fails_the_task_if_wanted(emulator, store):
    ctx = context()
    defer(approval(fail_on_reject=True), ctx)
    tap(emulator, store, "Reject")
    with pytest.raises(AirflowFailException, match="rejected"):
        approval(fail_on_reject=True).resume(ctx)


def test_a_rejection_skips_what_is_directly_downstream(emulator, store):
    from airflow.providers.common.compat.sdk import DownstreamTasksSkipped
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    with DAG("dag", schedule=None):
        task = approval()
        task >> EmptyOperator(task_id="deploy") >> EmptyOperator(task_id="tell")
    ctx = context()
    defer(task, ctx)
    tap(emulator, store, "Reject")
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        task.resume(ctx)
    assert [*skipped.value.tasks] == ["deploy"]
    assert ctx["ti"].pushed["return_value"] == "reject"


@pytest.mark.parametrize("gives_one", [True, False])
def test_a_rejection_may_ask_for_the_reason(emulator, store, clock, gives_one):
    ctx = context()
    task = approval(fail_on_reject=True, ask_reason=True, to=[ANN, BOB], reason_timeout=60)
    defer(task, ctx)
    tap(emulator, store, "Reject", BOB)
    defer(task, ctx)
    assert (emulator.sent[-1].to, body(emulator.sent[-1])) == (BOB, "Why? Please answer with a message.")
    if gives_one:
        arrive(store, "It is Friday", sender=BOB)
    else:
        clock(61)
    with pytest.raises(AirflowFailException, match="rejected"):
        task.resume(ctx)
    assert ctx["ti"].pushed["reason"] == ("It is Friday" if gives_one else None)
    assert len(emulator.sent) == 3


# Arguments, and what nobody may see


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"choices": [str(n) for n in range(11)]}, "11 choices"),
        ({"choices": []}, "0 choices"),
        ({"choices": ["a", "A"]}, "same key or title"),
        ({"choices": ["a" * 21]}, "21 characters"),
        ({"choices": "abc"}, "dict of keys and titles"),
        ({"choices": DEPLOY, "needed": 2}, "needed is 2, and 1 people"),
        ({"needed": 2, "to": [ANN, BOB]}, "needed is for questions with choices"),
        ({"to": []}, "to is empty|needed is 1, and 0 people"),
        ({"to": [None]}, "to is None"),
        ({"question": ""}, "question is empty"),
        ({"pattern": "("}, "no regular expression"),
        ({"question": ["a"]}, "question is a value of type list"),
        ({"choices": [None, "Wait"]}, "A choice is None or nan"),
        ({"choices": {"yes": float("nan"), "no": "No"}}, "A choice is None or nan"),
        ({"choices": DEPLOY, "pattern": "x"}, "pattern is for answer='text'"),
        ({"choices": DEPLOY, "template": "ask"}, "template is no message"),
    ],
)
def test_a_wrong_argument_fails_the_task_before_anything_is_sent(emulator, store, arguments, said):
    with pytest.raises(AirflowFailException, match=said):
        ask(**arguments).execute(context())
    assert emulator.sent == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"answer": "music"},
        {"on_timeout": "hope"},
        {"wait_timeout": -1},
        {"wait_timeout": 31 * 86_400},
        {"wait_timeout": 0},
        {"reminders": ["soon"]},
        {"reminders": "1"},
        {"reminders": timedelta(hours=4)},
        {"reminders": [0]},
        {"accept_next": "maybe"},
        {"tries": 0},
        {"tries": float("nan")},
        {"needed": "2"},
        {"needed": True},
        {"reminders": [86_400]},
        {"reminder_text": 5},
        {"settled_text": 5},
        {"invalid_text": ["x"]},
    ],
)
def test_a_wrong_option_breaks_the_dag_file(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        ask(**arguments)


@pytest.mark.parametrize("name", ["choices", "answer", "pattern"])
def test_an_approval_has_its_own_choices(name):
    with pytest.raises(ValueError, match=f"{name} is not for approvals"):
        approval(**{name: None})


def test_nothing_is_sent_while_the_store_is_away(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/no/such/place/d360.sqlite")
    with pytest.raises(Exception, match="not available"):
        ask(choices=DEPLOY).execute(context())
    assert emulator.sent == []


def test_neither_log_nor_trigger_nor_event_hold_number_question_or_answer(emulator, store, caplog, capsys):
    ctx = context()
    task = ask(question="a secret question", accept_next=True)
    trigger = defer(task, ctx)
    arrive(store, "a secret answer")
    event = due(trigger)
    assert task.resume(ctx, event) == "a secret answer"
    seen = caplog.text + capsys.readouterr().out + json.dumps([trigger.serialize(), event]) + repr(trigger)
    assert "Answered by 49…89" in seen
    assert [one for one in ("secret", ANN, "wamid") if one in seen] == []


def test_the_store_keeps_neither_question_nor_free_answer_beside_the_inbox(emulator, store):
    ctx = context()
    task = ask(question="a secret question", accept_next=True)
    question_id = defer(task, ctx).question_id
    arrive(store, "a secret answer")
    task.resume(ctx)
    assert "secret" not in repr(store.questions.find(question_id)) + json.dumps(
        [dict(store.questions.find(question_id).spec), dict(store.questions.find(question_id).outcome)]
    )
