"""The operators: rendered by a real DAG's machinery, sending over a real socket."""

import importlib
import json
import logging
import re
import signal
import traceback
from pkgutil import iter_modules
from typing import Any

import airflow.sdk
import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions._internal.mixins import ResolveMixin

from airflow_provider_d360 import operators
from airflow_provider_d360.api.errors import D360RateLimitError, D360UnavailableError
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.messages import image, template, text
from airflow_provider_d360.operators.campaigns import D360BroadcastOperator, D360PlanCampaignOperator
from airflow_provider_d360.operators.inbox import D360MarkAsReadOperator
from airflow_provider_d360.operators.media import (
    D360DeleteMediaOperator,
    D360DownloadMediaOperator,
    D360UploadMediaOperator,
)
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.questions import D360ApprovalOperator, D360AskOperator
from airflow_provider_d360.operators.suppression import D360SuppressOperator
from airflow_provider_d360.operators.templates import (
    D360CreateTemplateOperator,
    D360DeleteTemplateOperator,
    D360EditTemplateOperator,
    D360ListTemplatesOperator,
)
from airflow_provider_d360.operators.webhooks import D360ConfigureWebhookOperator
from airflow_provider_d360.sensors.templates import D360TemplateApprovedSensor
from airflow_provider_d360.tasks.retries import D360RetryPolicy

TO = "4915112345689"
URL = "https://yourwebhook.example.com"


class XCom(ResolveMixin):
    """The result of an upstream task, as an XComArg resolves it."""

    def __init__(self, value):
        self.value = value

    def iter_references(self):
        return []

    def resolve(self, context):
        return self.value


def send(**arguments):
    return D360SendMessageOperator(task_id="send", **{"to": TO, "message": "Hello", **arguments})


def configure(**arguments):
    return D360ConfigureWebhookOperator(task_id="configure", **{"url": URL, **arguments})


def rendered(operator, **context):
    with DAG("dag", schedule=None) as dag:
        dag.add_task(operator)
    operator.render_template_fields(context)
    return operator


def test_a_message_is_sent_and_its_id_returned(d360_emulator):
    message_id = send().execute({})
    assert [message.message_id for message in d360_emulator.sent] == [message_id]


def test_templates_are_rendered_anywhere_inside_a_message(d360_emulator):
    message = template(
        "order_update", language="{{ lang }}", body=["{{ name }}", {"type": "text", "text": "{{ n }}"}]
    )
    operator = rendered(send(to="{{ to }}", message=message), to=TO, name="Ann", lang="en_US", n=42)
    operator.execute({})
    sent = d360_emulator.sent[0]
    assert sent.to == TO
    assert sent.body["template"]["language"]["code"] == "en_US"
    assert sent.body["template"]["components"][0]["parameters"][0]["text"] == "Ann"
    assert sent.body["template"]["components"][0]["parameters"][1]["text"] == "42"


def test_what_is_shown_of_a_rendered_task_holds_neither_number_nor_text(d360_emulator):
    operator = rendered(
        send(to="{{ to }}", message=image(link="https://e.x/1", caption="{{ t }}")), to=TO, t="secret"
    )
    assert operator.to == "49…89"
    assert operator.message == {
        "type": "image",
        "image": {"link": "(13 characters)", "caption": "(6 characters)"},
    }
    operator.execute({})
    assert d360_emulator.sent[0].body["image"]["caption"] == "secret"


def test_rendering_a_second_time_begins_with_the_template_again(d360_emulator):
    operator = rendered(send(to="{{ to }}"), to="4930000000001")
    operator.render_template_fields({"to": TO})
    operator.execute({})
    assert d360_emulator.sent[0].to == TO


NATIVE = {"render_template_as_native_obj": True}


@pytest.mark.parametrize("text", ["42", "1_000", "0x1F", "3.0", "'quoted'", "True", "10 % 3"])
def test_a_text_stays_a_text_where_the_dag_renders_native_objects(d360_emulator, text):
    for message in (text, "{{ text }}"):
        operator = send(to="{{ to }}", message=message)
        with DAG("dag", schedule=None, **NATIVE) as dag:
            dag.add_task(operator)
        operator.render_template_fields({"to": TO, "text": text})
        operator.execute({})
        assert d360_emulator.sent[-1].body["text"]["body"] == text


def test_a_native_dag_renders_whole_messages(d360_emulator):
    operator = send(message="{{ made }}")
    with DAG("dag", schedule=None, **NATIVE) as dag:
        dag.add_task(operator)
    operator.render_template_fields({"made": text("Hello", preview_url=True)})
    operator.execute({})
    assert d360_emulator.sent[0].body["text"] == {"body": "Hello", "preview_url": True}
    assert "context" not in d360_emulator.sent[0].body


MISSING = {"None": None, "nan": float("nan"), "empty": ""}


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("missing", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("name", ["to", "message", "reply_to"])
def test_a_value_that_an_upstream_task_did_not_return_is_refused_by_name(
    d360_emulator, name, missing, native
):
    operator = send(**{name: "{{ missing }}"})
    with DAG("dag", schedule=None, render_template_as_native_obj=native) as dag:
        dag.add_task(operator)
    operator.render_template_fields({"missing": missing})
    with pytest.raises(AirflowFailException, match=rf"{name} is (None|nan|empty)\. The task or the variable"):
        operator.execute({})
    assert d360_emulator.requests == []


@pytest.mark.parametrize("name", ["to", "message", "reply_to"])
def test_a_missing_value_of_an_xcom_is_refused_as_one_of_a_template_is(d360_emulator, name):
    operator = send(**{name: XCom(None)})
    operator.render_template_fields({})
    with pytest.raises(AirflowFailException, match=f"{name} is None"):
        operator.execute({})
    assert d360_emulator.requests == []


@pytest.mark.parametrize("several", [[TO], (TO, TO), "['4915112345689', '4915112345680']"])
@pytest.mark.parametrize("name", ["to", "reply_to"])
def test_a_list_where_one_value_belongs_is_refused_with_the_way_to_map(d360_emulator, name, several):
    with pytest.raises(AirflowFailException, match=rf"{name} is a list.*expand\({name}=…\)") as caught:
        send(**{name: several}).execute({})
    assert TO not in str(caught.value)
    assert d360_emulator.requests == []


def test_callback_data_of_the_authors_own_is_sent_unchanged(d360_emulator):
    send(message={**text("Hello"), "biz_opaque_callback_data": "order 7"}).execute({})
    assert d360_emulator.sent[0].body["biz_opaque_callback_data"] == "order 7"


@pytest.mark.parametrize("native", [False, True])
def test_a_template_is_rendered_once(native):
    calls = []

    def count():
        calls.append("once")
        return "Hello"

    operator = send(message="{{ count() }}")
    with DAG("dag", schedule=None, render_template_as_native_obj=native) as dag:
        dag.add_task(operator)
    operator.render_template_fields({"count": count})
    assert calls == ["once"]


def test_a_field_that_is_a_function_is_asked_for_its_value(d360_emulator):
    rendered(send(to=lambda context, jinja_env: context["whom"]), whom=TO).execute({})
    assert d360_emulator.sent[0].to == TO


BROKEN_TEMPLATES = {
    "an unknown name": ("{{ nobody.name }}", "UndefinedError: 'nobody' is undefined"),
    "a broken template": ("{{ name", "TemplateSyntaxError: unexpected end of template"),
    "a macro that fails": ("{{ fail() }}", "KeyError$"),
}


@pytest.mark.parametrize(("template", "said"), BROKEN_TEMPLATES.values(), ids=BROKEN_TEMPLATES)
def test_a_message_that_cannot_be_rendered_is_an_error_that_names_the_field_and_not_the_text(
    caplog, capsys, template, said
):
    def fail():
        raise KeyError(private)

    private = "A canary"
    with pytest.raises(ValueError, match=f"The field 'message' cannot be rendered: {said}") as caught:
        rendered(send(message=f"{private} text {template}"), fail=fail)
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + "".join(capsys.readouterr())
    assert private not in shown


def test_airflows_own_reasons_not_to_render_are_passed_on():
    def skip():
        raise AirflowSkipException("Nothing to tell today")

    with pytest.raises(AirflowSkipException, match="AirflowSkipException: Nothing to"):
        rendered(send(message="{{ skip() }}"), skip=skip)


def test_an_upstream_result_inside_a_message_becomes_a_dependency():
    with DAG("dag", schedule=None):
        upstream = BaseOperator(task_id="upstream")
        operator = send(message=text(upstream.output))
    assert operator.upstream_task_ids == {"upstream"}


def test_the_operator_maps_over_recipients():
    with DAG("dag", schedule=None):
        mapped = D360SendMessageOperator.partial(task_id="send", message="Hello").expand(to=[TO, "BR.1502"])
    assert mapped.task_type == "D360SendMessageOperator"
    assert getattr(mapped.unmap({"to": TO}), "to", None) == TO


def test_reply_and_group_reach_the_body(d360_emulator):
    send(to="Y2FwaV9ncm91cDox", recipient_type="group", reply_to="wamid.1").execute({})
    body = d360_emulator.sent[0].body
    assert (body["recipient_type"], body["context"]) == ("group", {"message_id": "wamid.1"})


def test_an_accepted_and_cut_off_send_is_one_message_and_one_failure_whatever_the_retries(d360_emulator):
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    with pytest.raises(AirflowFailException, match="D360AmbiguousError") as caught:
        send(retries=3, ambiguity_wait_seconds=0).execute({})
    assert len(d360_emulator.sent) == 1
    assert "before sending it again" in str(caught.value)


FINAL = {
    "a wrong message": (lambda emulator: None, {"message": ""}, "D360RequestError"),
    "a wrong recipient": (lambda emulator: None, {"to": "nobody"}, "D360RequestError"),
    "a closed window": (lambda emulator: emulator.reject(131047), {}, "D360RecipientError"),
    "an unpaid account": (lambda emulator: emulator.reject(131042), {}, "D360AuthError"),
    "an outage after the request": (
        lambda emulator: emulator.fail_next("html_page"),
        {"ambiguity_wait_seconds": 0},
        "D360AmbiguousError",
    ),
}


@pytest.mark.parametrize(("arrange", "arguments", "kind"), FINAL.values(), ids=FINAL)
def test_what_a_retry_cannot_help_fails_at_once(d360_emulator, arrange, arguments, kind):
    arrange(d360_emulator)
    with pytest.raises(AirflowFailException, match=kind):
        send(**arguments).execute({})


def test_what_a_retry_may_help_is_left_to_airflow(d360_emulator, monkeypatch):
    d360_emulator.fail_next(faults.too_many_requests(retry_after=3600))
    with pytest.raises(D360RateLimitError):
        send().execute({})
    whole = {**json.loads(d360_emulator.connection(max_attempts=1)), "host": "http://127.0.0.1:9"}
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", json.dumps(whole))
    with pytest.raises(D360UnavailableError):
        send().execute({})
    assert d360_emulator.sent == []


def test_an_execution_timeout_while_sending_fails_at_once(d360_emulator):
    def expire(number, frame):
        raise AirflowTaskTimeout("Timeout")

    d360_emulator.fail_next(faults.slow(2))
    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(AirflowFailException, match="may be on its way"):
            send(retries=3).execute({})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_the_log_of_a_send_names_id_and_masked_recipient_only(d360_emulator, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    message_id = send(message="a canary text").execute({})
    logged = caplog.text + capsys.readouterr().out  # libraries log the one way, tasks the other
    assert f"Accepted for 49…89: message {short_id(message_id)}" in logged
    for private in (TO, "canary", "cloud-key"):
        assert private not in logged


@pytest.mark.parametrize("hosting", ["cloud", "on_premise", "sandbox"])
def test_a_first_webhook_is_set_and_there_was_none_before(d360_emulator, monkeypatch, hosting):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(hosting))
    assert configure().execute({}) is None
    assert [request.method for request in d360_emulator.requests] == ["GET", "POST", "GET"]


def test_what_is_already_right_is_left_alone(d360_emulator, monkeypatch):
    login = {"webhook_username": "testuser", "webhook_password": "testpass"}
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(**login))
    configure(headers={"X-Token": "t"}).execute({})
    done = len(d360_emulator.requests)
    assert configure(headers={"x-token": "t"}).execute({}) == URL
    assert [request.method for request in d360_emulator.requests[done:]] == ["GET"]


def test_new_headers_for_the_same_url_need_no_permission(d360_emulator):
    configure().execute({})
    assert configure(headers={"X-Token": "t"}).execute({}) == URL
    assert json.loads(d360_emulator.requests[-2].body)["headers"] == {"X-Token": "t"}


def test_another_url_is_replaced_only_with_permission(d360_emulator):
    configure(url="https://production.example/hook?token=canary").execute({})
    with pytest.raises(
        AirflowFailException, match=r"Another webhook is set: https://production.example/hook\. .*replace"
    ):
        configure().execute({})
    assert configure(replace=True).execute({}) == "https://production.example/hook"


def test_what_a_url_may_hold_as_a_token_is_shown_nowhere(d360_emulator, caplog):
    caplog.set_level(logging.INFO)
    operator = rendered(
        configure(url="{{ url }}"), url="https://user:canary@hooks.example/in?token=canary#canary"
    )
    assert operator.url == "https://hooks.example/in"
    with pytest.raises(AirflowFailException) as caught:
        operator.execute({})
    assert "canary" not in f"{caught.value}{caplog.text}"
    operator = rendered(configure(url="https://hooks.example/in?token=canary"))
    assert [operator.execute({}) for _ in range(2)] == [None, "https://hooks.example/in"]
    assert d360_emulator.numbers["cloud-key"].webhook.url == "https://hooks.example/in?token=canary"
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "url", ["https://your_webhook.example.com", "https://a.example:3000", "http://a.example"]
)
def test_a_url_that_breaks_the_rules_costs_no_request(d360_emulator, url):
    with pytest.raises(AirflowFailException, match=r"D360RequestError with connection 'd360_default': url"):
        configure(url=url).execute({})
    assert d360_emulator.requests == []


def test_an_account_webhook_is_waited_for(d360_emulator):
    d360_emulator.waba_webhook_delay_seconds = 0.2
    assert configure(level="waba", override_all=True).execute({}) is None


def test_a_webhook_that_does_not_stick_is_an_error(d360_emulator):
    d360_emulator.fail_next(faults.any_response(200, {"url": URL}), path="/v1/configs/webhook")
    d360_emulator.fail_next(faults.any_response(200, {"url": None}), path="/v1/configs/webhook")
    with pytest.raises(AirflowFailException, match="None is read back"):
        configure(headers={"X-Token": "t"}).execute({})


def test_headers_that_do_not_stick_are_an_error(d360_emulator):
    d360_emulator.fail_next(faults.any_response(200, {"url": None}), path="/v1/configs/webhook")
    d360_emulator.fail_next(faults.any_response(200, {"url": URL}), path="/v1/configs/webhook")
    d360_emulator.fail_next(
        faults.any_response(200, {"url": URL, "headers": {"X": "old"}}), path="/v1/configs/webhook"
    )
    with pytest.raises(AirflowFailException, match="is read back with other headers"):
        configure(headers={"X-Token": "t"}).execute({})


def test_a_webhook_on_a_hosting_without_account_level_is_refused(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("sandbox"))
    with pytest.raises(AirflowFailException, match="sandbox hosting has no WABA-level webhook"):
        configure(level="waba").execute({})


def test_header_values_reach_no_log_and_no_rendered_field(d360_emulator, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    operator = rendered(configure(headers={"X-Token": "{{ token }}"}), token="header-canary")
    assert operator.headers == {"X-Token": "(13 characters)"}
    operator.execute({})
    assert json.loads(d360_emulator.requests[1].body)["headers"] == {"X-Token": "header-canary"}
    assert "header-canary" not in caplog.text + capsys.readouterr().out


OPERATORS: dict[Any, dict[str, Any]] = {
    D360SendMessageOperator: {"to": TO, "message": "Hello"},
    D360ConfigureWebhookOperator: {"url": URL},
    D360UploadMediaOperator: {"path": "report.pdf"},
    D360DownloadMediaOperator: {"media_id": "1", "path": "."},
    D360DeleteMediaOperator: {"media_id": "1"},
    D360CreateTemplateOperator: {"name": "a", "language": "en", "category": "UTILITY", "components": []},
    D360EditTemplateOperator: {"template_id": "1", "category": "UTILITY"},
    D360DeleteTemplateOperator: {"name": "a"},
    D360ListTemplatesOperator: {},
    D360TemplateApprovedSensor: {"name": "a", "language": "en"},
    D360MarkAsReadOperator: {"message_id": "wamid.1"},
    D360AskOperator: {"to": TO, "question": "Deploy?"},
    D360ApprovalOperator: {"to": TO, "question": "Deploy?"},
    D360SuppressOperator: {"to": TO},
    D360PlanCampaignOperator: {"audience": [], "message": "Hello"},
    D360BroadcastOperator: {"audience": [], "message": "Hello"},
}
# A campaign knows its connection; who reads the inbox needs none.
WITHOUT_A_CONNECTION = {
    "D360SendCampaignOperator",
    "D360CampaignReportOperator",
    "D360ReceiveMessagesOperator",
}
every_operator = pytest.mark.parametrize(
    ("operator", "arguments"), OPERATORS.items(), ids=lambda value: getattr(value, "__name__", "")
)


def test_every_operator_is_tried_here():
    """Add a new one to OPERATORS, and what it cannot do without to NEEDED."""
    modules = [
        importlib.import_module(one.name)
        for one in iter_modules(operators.__path__, f"{operators.__name__}.")
    ]
    names = {name for module in modules for name in vars(module) if re.fullmatch("D360.+Operator", name)}
    assert names - WITHOUT_A_CONNECTION <= {operator.__name__ for operator in OPERATORS}


@every_operator
def test_every_operator_takes_its_connection_from_the_dags_defaults(operator, arguments):
    with DAG("dag", schedule=None, default_args={"d360_conn_id": "another"}):
        task = operator(task_id="task", **arguments)
    assert task.d360_conn_id == "another"
    assert task.hook.d360_conn_id == "another"
    assert "d360_conn_id" in task.template_fields


@pytest.mark.skipif(not hasattr(airflow.sdk, "RetryPolicy"), reason="retry policies came with Airflow 3.3")
@every_operator
def test_every_operator_waits_as_long_as_360dialog_asks(operator, arguments):
    own = D360RetryPolicy()
    assert isinstance(operator(task_id="task", **arguments).retry_policy, D360RetryPolicy)
    assert operator(task_id="task", retry_policy=own, **arguments).retry_policy is own


WRONG_ARGUMENTS = {
    "preflight": (send, "maybe"),
    "recipient_type": (send, "team"),
    "on_newline": (send, "cut"),
    "on_ambiguous": (send, "retry"),
    "wait_for": (send, "seen"),
    "on_timeout": (send, "wait"),
    "wait_timeout": (send, "600"),
    "ambiguity_wait_seconds": (send, "30"),
    "level": (configure, "account"),
    "override_all": (configure, ""),
    "replace": (configure, "{{ params.replace }}"),
    "confirm_seconds": (configure, True),
}


@pytest.mark.parametrize(("name", "case"), WRONG_ARGUMENTS.items(), ids=WRONG_ARGUMENTS)
def test_a_wrong_argument_breaks_the_dag_file_and_is_named(name, case):
    make, value = case
    with pytest.raises(ValueError, match=rf"^{name} is .*; it can be "):
        make(**{name: value})


@pytest.mark.parametrize("value", ["4915112345689", "A private text", "4915112345689.0", 4915112345689])
def test_an_error_about_a_wrong_argument_quotes_neither_number_nor_text(value):
    with pytest.raises(ValueError, match="preflight is ") as caught:
        send(preflight=value)
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize(("written", "flag"), [("no", False), ("TRUE", True), (1, True), ("0", False)])
def test_a_flag_may_be_written_in_words(written, flag):
    assert send(preflight=written).preflight is flag
    assert configure(replace=written).replace is flag


NEEDED = [
    (D360UploadMediaOperator, "path"),
    (D360DownloadMediaOperator, "media_id"),
    (D360DownloadMediaOperator, "path"),
    (D360DeleteMediaOperator, "media_id"),
    (D360CreateTemplateOperator, "name"),
    (D360CreateTemplateOperator, "language"),
    (D360EditTemplateOperator, "template_id"),
    (D360DeleteTemplateOperator, "name"),
    (D360DeleteTemplateOperator, "language"),
    (D360TemplateApprovedSensor, "name"),
    (D360TemplateApprovedSensor, "language"),
    (D360ConfigureWebhookOperator, "url"),
    (D360MarkAsReadOperator, "message_id"),
]


@pytest.mark.parametrize(
    ("value", "what"), [("{{ missing }}", "None"), ("{{ [1] }}", "a list"), ("{{ '' }}", "empty")]
)
@pytest.mark.parametrize(("operator", "name"), NEEDED)
def test_every_operator_refuses_what_an_upstream_task_did_not_return(
    d360_emulator, operator, name, value, what
):
    task = rendered(operator(task_id="task", **{**OPERATORS[operator], name: value}), missing=None)
    with pytest.raises(AirflowFailException, match=f"{name} is {what}"):
        task.execute({})
    assert d360_emulator.requests == []
