"""Nothing leaks: whatever happens, neither key nor number nor text gets to where people or programs read."""

import asyncio
import base64
import binascii
import contextlib
import json
import logging
import pickle
import re
import time
import traceback
import types
from dataclasses import replace
from urllib.parse import quote, unquote

import pytest
from airflow.exceptions import TaskDeferred
from airflow.sdk import DAG

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.api.retries import wait_seconds
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.emulator.message_ids import new_message_id
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import document, image, template
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.operators.media import (
    D360DeleteMediaOperator,
    D360DownloadMediaOperator,
    D360UploadMediaOperator,
)
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.templates import (
    D360CreateTemplateOperator,
    D360DeleteTemplateOperator,
    D360EditTemplateOperator,
)
from airflow_provider_d360.operators.webhooks import D360ConfigureWebhookOperator
from airflow_provider_d360.sending.media import upload_media
from airflow_provider_d360.sensors.messages import D360MessageStatusSensor
from airflow_provider_d360.sensors.templates import D360TemplateApprovedSensor
from airflow_provider_d360.store.configured import configured_store

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # before 3.2
    from airflow.serialization.serialized_objects import (  # type: ignore[attr-defined, assignment]
        SerializedDAG as DagSerialization,
    )

KEY = "canary-key-5d1c9e"
NUMBER = "4915112345689"
FAILED = "wamid." + base64.b64encode(b"\x1d\x18\x0d" + NUMBER.encode() + b"\x15\x02\x00A1B2").decode()
TEXT = "canary text, private"
LOGIN = "canary-password"
TOKEN = "canary-token"
CANARIES = (KEY, NUMBER, "15112345689", TEXT, LOGIN, TOKEN, "Y2FuYXJ5")  # the last: a login in base64


PATH = "report.pdf"
TEMPLATE = [{"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["Ann"]]}}]


class StateStore(dict):
    set = dict.__setitem__

    def delete(self, key):
        self.pop(key, None)


def send(message="{{ text }}", **arguments):
    return D360SendMessageOperator(
        task_id="t", to="{{ to }}", message=message, ambiguity_wait_seconds=0, **arguments
    )


TASKS = {
    "text": send,
    "image": lambda: send(image(link="https://e.example/{{ text }}", caption="{{ text }}")),
    "file": lambda: send(document(path="{{ folder }}/report.pdf", caption="{{ text }}")),
    "template": lambda: send(template("t", "en", body=["{{ text }}"]), wait_for="read"),
    "compared template": lambda: send(template("t", "en", body=["{{ text }}"]), preflight=True),
    "resent": lambda: send(on_ambiguous="resend", resend=True, retries=2),
    "webhook": lambda: D360ConfigureWebhookOperator(
        task_id="t", url="https://hooks.example/d360?token={{ token }}", headers={"X-Token": "{{ text }}"}
    ),
    "upload": lambda: D360UploadMediaOperator(task_id="t", path="{{ folder }}/report.pdf"),
    "download": lambda: D360DownloadMediaOperator(task_id="t", media_id="{{ media }}", path="{{ folder }}/x"),
    "delete": lambda: D360DeleteMediaOperator(task_id="t", media_id="{{ media }}"),
    "new template": lambda: D360CreateTemplateOperator(
        task_id="t", name="t", language="en", category="UTILITY", components=TEMPLATE
    ),
    "changed template": lambda: D360EditTemplateOperator(task_id="t", template_id="1", components=TEMPLATE),
    "removed template": lambda: D360DeleteTemplateOperator(task_id="t", name="t"),
    "approval": lambda: D360TemplateApprovedSensor(
        task_id="t", name="t", language="en", timeout=0.05, poke_interval=0.01
    ),
    "awaited approval": lambda: D360TemplateApprovedSensor(
        task_id="t", name="t", language="en", deferrable=True
    ),
    "status": lambda: D360MessageStatusSensor(
        task_id="t", message_id=FAILED, timeout=0.05, poke_interval=0.01
    ),
    "awaited status": lambda: D360MessageStatusSensor(task_id="t", message_id=FAILED, deferrable=True),
}


def echo(status):
    """Let answers repeat everything that a gateway was told."""
    known = f"{KEY} {NUMBER} +49 151 123456-89 {LOGIN} "

    def fault(emulator, told):
        emulator.fail_next(faults.any_response(status, 3 * f"{known}{told} "))
        emulator.fail_next(faults.any_response(status, 3 * known), 8)

    return fault


def order(fault):
    return lambda emulator, told: emulator.fail_next(fault, 9)


FAULTS = {
    "success": None,
    "wrong recipient": lambda emulator, told: emulator.reject(131026),
    "closed window": lambda emulator, told: emulator.reject(131047),
    "wrong key": lambda emulator, told: emulator.numbers.clear(),
    **{f"echo {status}": echo(status) for status in (200, 302, 400, 401, 500)},
}
for name in ("too_many_requests", "rate_limit_400", "server_error", "html_page", "truncated_json"):
    FAULTS[name] = order(name)
for name in ("empty_body", "reset", "accepted_and_cut_off", "cut_midway"):
    FAULTS[name] = order(name)


def at_once(error, **known):
    """Try again as often as usual, without the waits."""
    return None if wait_seconds(error, **known) is None else 0.0


@pytest.fixture
def emulator(d360_emulator, monkeypatch, store_path):
    extra = {"webhook_username": "canary", "webhook_password": LOGIN, "max_attempts": 2}
    number = d360_emulator.numbers.pop("cloud-key")
    d360_emulator.numbers[KEY] = replace(number, key=KEY)
    monkeypatch.setenv(
        "AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(**extra).replace("cloud-key", KEY)
    )
    monkeypatch.setenv("AIRFLOW__D360__WEBHOOK_ENABLED", "True")
    monkeypatch.setattr("airflow_provider_d360.transport.flows.wait_seconds", at_once)
    return d360_emulator


def everything_visible(operator, context, **values):
    """
    Run a task and collect all that Airflow would show or store of it.

    What holds message ids as a whole is apart: XCom, arguments of triggers, and Airflow's state of the task.
    """
    seen, whole, waiting = [], [], None
    with DAG("dag", schedule=None) as dag:
        dag.add_task(operator)
    try:
        operator.render_template_fields({"to": NUMBER, "text": TEXT, "token": TOKEN, **values})
        whole.append(repr(operator.execute(context)))
    except TaskDeferred as deferred:
        seen.append(repr(deferred.trigger))
        whole += [repr(deferred.trigger.serialize()), repr(deferred.kwargs)]
        waiting = deferred
    except Exception as error:  # noqa: BLE001 - any error is what is looked at
        seen += told_by(error)
    if waiting is not None:
        seen += resumed(operator, waiting, context)
    seen += [repr(getattr(operator, name)) for name in operator.template_fields]
    seen.append(json.dumps(DagSerialization.to_dict(dag)))
    for link in operator.operator_extra_links:
        seen.append(link.get_link(operator, ti_key=None))
    return seen, [*whole, repr(context["task_state_store"])]


def resumed(operator, deferred, context):
    """Let the trigger run for a moment, and the task go on with what it found."""

    async def first():
        return await asyncio.wait_for(anext(deferred.trigger.run()), 0.3)

    try:
        event = asyncio.run(first()).payload
    except (TimeoutError, asyncio.TimeoutError):
        return []
    try:
        getattr(operator, deferred.method_name)(context, event, **(deferred.kwargs or {}))
    except Exception as error:  # noqa: BLE001
        return [repr(event), *told_by(error)]
    return [repr(event)]


def told_by(error):
    chain = [error, error.__cause__, error.__context__]
    return ["".join(traceback.format_exception(error)), str(pickle.dumps(chain))]


def decoded(text):
    """Yield what a text holds in Base64, in its form for URLs, in hex, and in digits of four bits."""
    yield text
    for token in set(re.findall(r"[A-Za-z0-9+/=_%-]{8,}", text)):
        token = unquote(token).rstrip("=").replace("-", "+").replace("_", "/")
        for start in range(4):
            part = token[start:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            with contextlib.suppress(binascii.Error, ValueError):
                content = base64.b64decode(part + "=" * (-len(part) % 4))
                yield content.decode("latin-1")
                yield content.hex()
        with contextlib.suppress(ValueError):
            yield bytes.fromhex(token).decode("latin-1")


def test_the_search_for_leaks_finds_the_number_in_the_ids_of_every_hosting():
    for hosting in (CLOUD, SANDBOX, ON_PREMISE):
        message_id = new_message_id(hosting, NUMBER)
        assert any(NUMBER in layer for layer in decoded(f"message {message_id} is sent"))
        assert not any(NUMBER in layer for layer in decoded(f"message {short_id(message_id)} is sent"))


def find_leaks(seen, caplog, capsys, folder, whole=()):
    captured = capsys.readouterr()
    seen = [layer for text in [*seen, caplog.text, captured.out, captured.err] for layer in decoded(text)]
    seen += [*whole, *(file.read_bytes().decode("latin-1") for file in folder.glob("d360.sqlite*"))]
    return [(canary, text[:300]) for canary in CANARIES for text in seen if canary in text]


def test_the_search_for_leaks_reads_message_ids():
    assert any(NUMBER in layer for layer in decoded(f"Accepted: {FAILED}."))
    assert any(NUMBER in layer for layer in decoded(f"/d360/messages/{quote(FAILED, safe='')}"))
    assert any(NUMBER in layer for layer in decoded(NUMBER.encode().hex()))


def test_the_emulators_message_ids_hold_the_number_as_real_ones_do(emulator):
    D360SendMessageOperator(task_id="t", to=NUMBER, message=TEXT).execute({})
    assert any(NUMBER in layer for layer in decoded(emulator.sent[0].message_id))


def tell_of_a_failure():
    """Let a status arrive whose words hold the recipient's number, as some of WhatsApp's do."""
    details = {"details": f"{NUMBER} is not on WhatsApp"}
    failed = {"id": FAILED, "status": "failed", "errors": [{"code": 131026, "error_data": details}]}
    store = configured_store()
    store.add(read_events({"statuses": [failed], "messaging_product": "whatsapp"}), time.time())
    store.close()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("name", TASKS)
def test_no_task_leaks_whatever_happens(emulator, caplog, capsys, tmp_path, name, fault):
    caplog.set_level(logging.DEBUG)
    (tmp_path / PATH).write_bytes(b"%PDF-1.4 " + TEXT.encode())
    hook = D360Hook()
    hook.configure_webhook(f"https://hooks.example/d360?token=old-{TOKEN}", {"X-Token": TEXT})
    media_id = hook.run(upload_media, str(tmp_path / PATH))
    tell_of_a_failure()
    if fault:
        fault(emulator, TEXT if name in TELLING else "")
    place = {"dag_id": "dag", "run_id": "run", "task_id": "t", "map_index": -1}
    ti = types.SimpleNamespace(**place, max_tries=0, try_number=1)
    context = {"ti": ti, "task_state_store": StateStore()}
    seen, whole = everything_visible(TASKS[name](), context, folder=str(tmp_path), media=media_id)
    assert find_leaks(seen, caplog, capsys, tmp_path, whole) == []


ALERTS = {
    "default": {},
    "text": {"message": "{{ dag_run.conf.text }}"},
    "from a template": {"template": "pager"},
    "fallback": {"message": "{{ dag_run.conf.text }}", "fallback_template": "pager"},
    "cooldown": {"cooldown_seconds": 60},
    "unrenderable": {"message": TEXT + "{{ nobody.name }}"},
    "unsendable": {"message": {"type": "text", "text": {"body": 5000 * TEXT}}},
    "nobody to render": {"template": "pager", "language": "{{ fail(dag_run.conf) }}"},
}
TELLING = ("text", "image", "template", "resent", "webhook", "fallback")  # whose first request holds the text


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("name", ALERTS)
def test_no_alert_leaks_whatever_happens(emulator, caplog, capsys, tmp_path, name, fault):
    caplog.set_level(logging.DEBUG)
    if fault:
        fault(emulator, TEXT if name in TELLING else "")
    seen = []

    def fail(conf):
        raise KeyError(conf)

    context = {
        "fail": fail,
        "exception": ValueError("no rows"),
        "dag_run": {"conf": {"to": NUMBER, "text": TEXT}},
    }
    notifier = D360Notifier(to="{{ dag_run.conf.to }}", **ALERTS[name])
    try:
        notifier(context)
    except Exception as error:  # noqa: BLE001 - any error is what is looked at
        seen += told_by(error)
    store = configured_store()
    store.alerts.expire(time.time() + 5 * 3600)  # what is still to be sent must hold its text
    store.close()
    assert find_leaks([*seen, repr(notifier)], caplog, capsys, tmp_path) == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_connection_test_leaks_nothing(emulator, fault):
    if fault:
        fault(emulator, "")
    _, message = D360Hook().test_connection()
    assert message
    assert [canary for canary in CANARIES if canary in message] == []


SPOKEN = "Dear Ann Canary, your test for tuberculosis was positive; call 030 5550199 today."
QUOTATIONS = {
    "the first 40 characters": SPOKEN[:40],
    "the last 40 characters": SPOKEN[-40:],
    "a part": SPOKEN[9:30],
    "one word": "tuberculosis",
    "JSON": json.dumps({"text": SPOKEN})[:60],
    "escaped JSON": json.dumps(json.dumps({"text": "\n".join(SPOKEN.split())})),
    "HTML": SPOKEN.replace(" ", "&nbsp;")[:60],
    "a URL": quote(SPOKEN)[:60],
    "a form": SPOKEN.replace(" ", "+")[:60],
    "code points": "".join(f"\\u{ord(ch):04x}" for ch in SPOKEN[:40]),
    "more spaces": "  ".join(SPOKEN.split())[:60],
    "capitals": SPOKEN.upper()[:60],
    "Base64": base64.b64encode(SPOKEN.encode()).decode()[:40],
    "hex": SPOKEN.encode().hex()[:60],
    "a part of the number": f"{NUMBER[:7]} and {NUMBER[-5:]} and {'_'.join(NUMBER)}",
}
PARTS = (
    "canary",
    "tuberculosis",
    "positive",
    "ositive",
    "5550199",
    NUMBER[-5:],
    "6e6e2043616e617279",
    "u0041",
)


@pytest.mark.parametrize("quotation", QUOTATIONS.values(), ids=QUOTATIONS)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_error_that_quotes_a_part_of_the_message_leaks_nothing_of_it(
    emulator, caplog, capsys, status, quotation
):
    for body in (
        {
            "error": {
                "message": f"(#100) Invalid parameter: {quotation}",
                "code": 100,
                "fbtrace_id": "AbC1d_f",
            }
        },
        {"error": f"Invalid parameter: {quotation}"},
        f"<html>Invalid parameter: {quotation}</html>",
    ):
        emulator.fail_next(faults.any_response(status, body))
        emulator.fail_next(faults.any_response(status, body))
        with pytest.raises((D360Error, AirflowFailException)) as caught:
            D360SendMessageOperator(task_id="t", to=NUMBER, message=SPOKEN, ambiguity_wait_seconds=0).execute(
                {}
            )
        with contextlib.suppress(Exception):
            D360Notifier(to=NUMBER, message=SPOKEN)({"exception": ValueError("x")})
        captured = capsys.readouterr()
        shown = "".join([*told_by(caught.value), caplog.text, captured.out, captured.err]).lower()
        # A time may hold the last digits of the number by chance.
        shown = re.sub(r"[0-9:]{8}\.[0-9]{6}z", "", shown)
        assert [part for part in PARTS if part in shown] == []
        assert "invalid parameter" in shown


def test_what_is_sent_holds_all_of_it_so_that_the_search_can_find_something(emulator):
    operator = D360SendMessageOperator(task_id="t", to=NUMBER, message=TEXT)
    operator.execute({})
    assert NUMBER in str(emulator.requests[0].body)
    assert TEXT in str(emulator.requests[0].body)
    assert KEY in str(emulator.requests[0].headers)
