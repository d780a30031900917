"""Nothing leaks: whatever happens, neither key nor number nor text gets to where people or programs read."""

import logging
import pickle
import traceback
import types
from dataclasses import replace

import pytest
from airflow.exceptions import TaskDeferred
from airflow.sdk import DAG

from airflow_provider_d360.emulator import faults
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import image, template
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.webhooks import D360ConfigureWebhookOperator

KEY = "canary-key-5d1c9e"
NUMBER = "4915112345689"
TEXT = "canary text, private"
LOGIN = "canary-password"
CANARIES = (KEY, NUMBER, "15112345689", TEXT, LOGIN, "Y2FuYXJ5")  # the last: a login in base64


class StateStore(dict):
    set = dict.__setitem__

    def delete(self, key):
        self.pop(key, None)


def operators():
    yield "text", lambda: D360SendMessageOperator(task_id="t", to="{{ to }}", message="{{ text }}")
    yield (
        "image",
        lambda: D360SendMessageOperator(
            task_id="t",
            to="{{ to }}",
            message=image(link="https://e.example/{{ text }}", caption="{{ text }}"),
        ),
    )
    yield (
        "template",
        lambda: D360SendMessageOperator(
            task_id="t", to="{{ to }}", message=template("t", "en", body=["{{ text }}"]), wait_for="read"
        ),
    )
    yield (
        "webhook",
        lambda: D360ConfigureWebhookOperator(
            task_id="t", url="https://hooks.example/d360", headers={"X-Token": "{{ text }}"}
        ),
    )


def echo(status):
    """An answer that repeats everything that a gateway could know."""
    return faults.answers(status, f"{KEY} {NUMBER} +49 151 123456-89 {TEXT} {LOGIN} " * 3)


def order(fault):
    return lambda emulator: emulator.fail_next(fault, 9)


FAULTS = {
    "success": None,
    "wrong recipient": lambda emulator: emulator.refuse(131026),
    "closed window": lambda emulator: emulator.refuse(131047),
    "wrong key": lambda emulator: emulator.numbers.clear(),
    **{f"echo {status}": order(echo(status)) for status in (200, 302, 400, 401, 500)},
}
for name in ("too_many_requests", "rate_limit_400", "server_error", "html_page", "truncated_json"):
    FAULTS[name] = order(name)
for name in ("empty_body", "reset", "accepted_and_cut_off", "cut_midway"):
    FAULTS[name] = order(name)


@pytest.fixture
def emulator(d360_emulator, monkeypatch, tmp_path):
    extra = {"webhook_username": "canary", "webhook_password": LOGIN, "max_attempts": 2}
    number = d360_emulator.numbers.pop("cloud-key")
    d360_emulator.numbers[KEY] = replace(number, key=KEY)
    monkeypatch.setenv(
        "AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(**extra).replace("cloud-key", KEY)
    )
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    monkeypatch.setattr("airflow_provider_d360.transport.time.sleep", lambda seconds: None)
    return d360_emulator


def everything_visible(operator, context):
    """Run a task and collect all that Airflow would show or store of it."""
    seen = []
    with DAG("dag", schedule=None) as dag:
        dag.add_task(operator)
    operator.render_template_fields({"to": NUMBER, "text": TEXT})
    seen += [repr(getattr(operator, name)) for name in operator.template_fields]
    try:
        seen.append(repr(operator.execute(context)))
    except TaskDeferred as deferred:
        seen += [repr(deferred.trigger.serialize()), repr(deferred.kwargs)]
    except Exception as error:  # noqa: BLE001 - any error is what is looked at
        seen += [
            "".join(traceback.format_exception(error)),
            str(pickle.dumps([error, error.__cause__, error.__context__])),
        ]
    return [*seen, repr(context["task_state_store"])]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("make", [make for _, make in operators()], ids=[name for name, _ in operators()])
def test_no_operator_leaks_whatever_happens(emulator, caplog, capsys, tmp_path, make, fault):
    caplog.set_level(logging.DEBUG)
    D360Hook().configure_webhook("https://hooks.example/before", {"X-Token": TEXT})
    if fault:
        fault(emulator)
    place = {
        "dag_id": "dag",
        "run_id": "run",
        "task_id": "t",
        "map_index": -1,
        "max_tries": 0,
        "try_number": 1,
    }
    context = {"ti": types.SimpleNamespace(**place), "task_state_store": StateStore()}
    operator = make()
    operator.ambiguity_wait_seconds = 0
    seen = everything_visible(operator, context)
    captured = capsys.readouterr()
    seen += [caplog.text, captured.out, captured.err]
    seen += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir() if file.is_file()]
    leaks = [(canary, text[:300]) for canary in CANARIES for text in seen if canary in text]
    assert leaks == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_connection_test_leaks_nothing(emulator, fault):
    if fault:
        fault(emulator)
    _, message = D360Hook().test_connection()
    assert message
    assert [canary for canary in CANARIES if canary in message] == []


def test_what_is_sent_holds_all_of_it_so_that_the_search_can_find_something(emulator):
    operator = D360SendMessageOperator(task_id="t", to=NUMBER, message=TEXT)
    operator.execute({})
    assert NUMBER in str(emulator.requests[0].body)
    assert TEXT in str(emulator.requests[0].body)
    assert KEY in str(emulator.requests[0].headers)
