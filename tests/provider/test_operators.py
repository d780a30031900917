"""The operators: rendered by a real DAG's machinery, sending over a real socket."""

import json
import logging
import signal
import traceback

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_d360.api.errors import D360RateLimitError, D360UnavailableError
from airflow_provider_d360.compat import AirflowFailException, AirflowSkipException, AirflowTaskTimeout
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.messages import image, template, text
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.webhooks import D360ConfigureWebhookOperator

TO = "4915112345689"
URL = "https://yourwebhook.example.com"


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


def test_a_native_dag_hands_over_whole_messages_and_nothing_where_there_is_none(d360_emulator):
    operator = send(message="{{ made }}", reply_to="{{ none }}")
    with DAG("dag", schedule=None, **NATIVE) as dag:
        dag.add_task(operator)
    operator.render_template_fields({"made": text("Hello", preview_url=True), "none": None})
    operator.execute({})
    assert d360_emulator.sent[0].body["text"] == {"body": "Hello", "preview_url": True}
    assert "context" not in d360_emulator.sent[0].body


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

    with pytest.raises(AirflowSkipException, match="Nothing to tell today"):
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
        send(retries=3).execute({})
    assert len(d360_emulator.sent) == 1
    assert "before sending it again" in str(caught.value)


FINAL = {
    "a wrong message": (lambda emulator: None, {"message": ""}, "D360RequestError"),
    "a wrong recipient": (lambda emulator: None, {"to": "nobody"}, "D360RequestError"),
    "a closed window": (lambda emulator: emulator.refuse(131047), {}, "D360RecipientError"),
    "an unpaid account": (lambda emulator: emulator.refuse(131042), {}, "D360AuthError"),
    "an outage after the request": (
        lambda emulator: emulator.fail_next("html_page"),
        {},
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
    assert f"Accepted for 49…89: message id {message_id}" in logged
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
    d360_emulator.fail_next(faults.answers(200, {"url": URL}), path="/v1/configs/webhook")
    d360_emulator.fail_next(faults.answers(200, {"url": None}), path="/v1/configs/webhook")
    with pytest.raises(AirflowFailException, match="None is read back"):
        configure(headers={"X-Token": "t"}).execute({})


def test_headers_that_do_not_stick_are_an_error(d360_emulator):
    d360_emulator.fail_next(faults.answers(200, {"url": None}), path="/v1/configs/webhook")
    d360_emulator.fail_next(faults.answers(200, {"url": URL}), path="/v1/configs/webhook")
    d360_emulator.fail_next(
        faults.answers(200, {"url": URL, "headers": {"X": "old"}}), path="/v1/configs/webhook"
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
