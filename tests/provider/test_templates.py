"""Templates in Airflow: created, waited for in every mode, listed, edited and deleted, over a real socket."""

import asyncio
import json
from datetime import timedelta

import pytest
from airflow.sdk import DAG

from airflow_provider_d360.api.endpoints.templates import Verdict
from airflow_provider_d360.compat import AirflowFailException, get_connection_async
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.hooks import connections
from airflow_provider_d360.operators.templates import (
    D360CreateTemplateOperator,
    D360DeleteTemplateOperator,
    D360EditTemplateOperator,
    D360ListTemplatesOperator,
)
from airflow_provider_d360.sensors.templates import D360TemplateApprovedSensor
from airflow_provider_d360.triggers.templates import D360TemplateApprovedTrigger, from_event, to_event

try:
    from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import (  # type: ignore[no-redef]
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferred,
    )

BODY = [{"type": "BODY", "text": "Hi {{1}}"}]
CONTENT = {"name": "greeting", "language": "en_US", "category": "UTILITY", "components": BODY}


def create(**arguments):
    return D360CreateTemplateOperator(task_id="create", **{**CONTENT, **arguments})


def sensor(**arguments):
    defaults = {"name": "greeting", "language": "en_US", "poke_interval": 0, "timeout": 5}
    return D360TemplateApprovedSensor(task_id="wait", **{**defaults, **arguments})


def methods(emulator):
    return [request.method for request in emulator.requests]


def test_a_template_is_created_with_its_placeholders_as_they_are(d360_emulator):
    with DAG("dag", schedule=None):
        operator = create(name="{{ who }}", options={"allow_category_change": True})
    operator.render_template_fields({"who": "greeting"})
    template_id = operator.execute({})
    (stored,) = d360_emulator.templates.stored
    assert (stored.template_id, stored.content) == (template_id, {**CONTENT, "allow_category_change": True})


def test_creating_it_again_changes_nothing(d360_emulator):
    first = create().execute({})
    assert create().execute({}) == first
    assert methods(d360_emulator) == ["GET", "POST", "GET"]


def test_a_template_of_other_content_is_not_taken_for_the_same(d360_emulator):
    create().execute({})
    with pytest.raises(AirflowFailException, match=r"exists in en_US, with other content.*D360EditTemplate"):
        create(components=[{"type": "BODY", "text": "Bye"}]).execute({})


def test_a_creation_whose_answer_was_lost_is_its_own_duplicate(d360_emulator):
    d360_emulator.fail_next(faults.NO_FAULT)  # the look at what is there
    d360_emulator.fail_next(faults.accepted_and_cut_off())
    assert create().execute({}) == d360_emulator.templates.stored[0].template_id
    assert len(d360_emulator.templates.stored) == 1
    assert methods(d360_emulator) == ["GET", "POST", "POST", "GET"]


ABSENT = ["None", "", " ", "nan", None, "[]"]


@pytest.mark.parametrize("value", ABSENT)
@pytest.mark.parametrize("field", ["name", "status", "language"])
def test_a_filter_that_renders_to_nothing_does_not_list_all_templates(d360_emulator, field, value):
    operator = D360ListTemplatesOperator(task_id="list", **{field: "{{ x }}"})
    setattr(operator, field, value)
    with pytest.raises(AirflowFailException, match=field):
        operator.execute({})
    assert d360_emulator.requests == []


@pytest.mark.parametrize("value", ABSENT)
def test_a_category_that_renders_to_nothing_is_compared_and_changed_by_nobody(d360_emulator, value):
    for task in (
        sensor(category="{{ x }}"),
        D360EditTemplateOperator(task_id="edit", template_id="1", category="{{ x }}"),
    ):
        task.category = value
        with pytest.raises(AirflowFailException, match="category is"):
            task.execute({})
    assert d360_emulator.requests == []


@pytest.mark.parametrize("language", ["en-US", "english", "EN US", True])
def test_a_language_that_cannot_be_one_is_not_waited_for(d360_emulator, language):
    for task in (
        sensor(language=language),
        D360ListTemplatesOperator(task_id="list", language=language),
        D360DeleteTemplateOperator(task_id="delete", name="greeting", language=language),
    ):
        with pytest.raises(AirflowFailException, match="language is no language code"):
            task.execute({})
    assert d360_emulator.requests == []


def test_a_creation_that_is_refused_fails_at_once(d360_emulator):
    with pytest.raises(AirflowFailException, match="D360RequestError"):
        create(name="No Good").execute({})


def test_templates_are_created_waited_for_and_deleted_on_premise(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("on_premise"))
    template_id = create().execute({})
    assert sensor().execute({}) == template_id
    assert D360DeleteTemplateOperator(task_id="delete", name="greeting").execute({}) == ["en_US"]


@pytest.mark.parametrize("operator", [create(), D360ListTemplatesOperator(task_id="list")])
def test_the_sandbox_has_no_templates_and_says_so(d360_emulator, monkeypatch, operator):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("sandbox"))
    with pytest.raises(AirflowFailException, match="sandbox hosting has no"):
        operator.execute({})


def test_the_sensor_waits_while_a_template_is_pending_and_returns_its_id(d360_emulator):
    d360_emulator.templates.pending_reads = 3
    stored = d360_emulator.templates.add(CONTENT)
    assert sensor().execute({}) == stored.template_id
    assert len(d360_emulator.requests) == 4


def test_the_sensor_fails_at_once_with_the_reason(d360_emulator):
    d360_emulator.templates.rejections["greet*"] = "TAG_CONTENT_MISMATCH"
    d360_emulator.templates.add(CONTENT)
    with pytest.raises(AirflowFailException, match="is rejected: TAG_CONTENT_MISMATCH"):
        sensor(retries=3).execute({})


def test_the_sensor_waits_out_limits_and_outages_but_not_a_wrong_key(d360_emulator, monkeypatch):
    stored = d360_emulator.templates.add(CONTENT, status="approved")
    d360_emulator.fail_next(faults.too_many_requests(retry_after=3600))
    d360_emulator.fail_next(faults.any_response(503, "down", accepts=False))
    assert sensor().execute({}) == stored.template_id
    whole = {**json.loads(d360_emulator.connection()), "password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", json.dumps(whole))
    with pytest.raises(AirflowFailException, match="D360AuthError with connection 'd360_default'"):
        sensor().execute({})


def test_a_template_that_never_comes_ends_with_the_timeout(d360_emulator):
    with pytest.raises(AirflowSensorTimeout):
        sensor(timeout=0).execute({})


def deferred(operator):
    with pytest.raises(TaskDeferred) as caught:
        operator.execute({})
    return caught.value


def fired(trigger):
    async def first():
        return await anext(aiter(trigger.run()))

    return asyncio.run(first()).payload


def test_a_deferred_sensor_hands_names_to_its_trigger_and_no_secret(d360_emulator):
    wait = deferred(sensor(deferrable=True, timeout=60))
    path, arguments = wait.trigger.serialize()
    assert path == "airflow_provider_d360.triggers.templates.D360TemplateApprovedTrigger"
    assert arguments == {
        "name": "greeting",
        "language": "en_US",
        "poll_interval_seconds": 0,
        "d360_conn_id": "d360_default",
    }
    assert D360TemplateApprovedTrigger(**arguments).serialize() == (path, arguments)
    assert (wait.method_name, wait.timeout) == ("execute_complete", timedelta(seconds=60))
    assert d360_emulator.requests == []


def test_the_configured_default_decides_unless_the_author_does(d360_emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    deferred(sensor())
    d360_emulator.templates.add(CONTENT, status="approved")
    assert sensor(deferrable=False).execute({})


def test_the_trigger_waits_until_the_template_is_approved_and_may_run_twice(d360_emulator):
    d360_emulator.templates.pending_reads = 2
    stored = d360_emulator.templates.add(CONTENT)
    d360_emulator.fail_next(faults.too_many_requests(retry_after=3600))
    operator = sensor(deferrable=True)
    event = fired(deferred(operator).trigger)
    assert event == {
        "state": "approved",
        "reason": "Template greeting in en_US is approved",
        "template_id": stored.template_id,
        "category": "UTILITY",
    }
    assert operator.execute_complete({}, event) == stored.template_id
    assert fired(deferred(operator).trigger) == event
    assert set(methods(d360_emulator)) == {"GET"}


def test_a_rejection_reaches_the_task_through_the_trigger(d360_emulator):
    d360_emulator.templates.rejections["*"] = "INVALID_FORMAT"
    d360_emulator.templates.pending_reads = 0
    d360_emulator.templates.add(CONTENT)
    operator = sensor(deferrable=True)
    event = fired(deferred(operator).trigger)
    with pytest.raises(AirflowFailException, match="is rejected: INVALID_FORMAT"):
        operator.execute_complete({}, event)


def test_a_wrong_key_reaches_the_task_through_the_trigger(d360_emulator, monkeypatch):
    whole = {**json.loads(d360_emulator.connection()), "password": "wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", json.dumps(whole))
    event = fired(deferred(sensor(deferrable=True)).trigger)
    assert event["state"] == "refused"
    assert event["reason"].startswith("D360AuthError with connection 'd360_default'")


def test_a_failed_look_up_of_the_connection_is_repeated(d360_emulator, monkeypatch, caplog):
    d360_emulator.templates.add(CONTENT, status="approved")
    look_up, failures = get_connection_async, [OSError("a canary"), OSError("a canary")]

    async def fail_at_first(conn_id):
        if failures:
            raise failures.pop()
        return await look_up(conn_id)

    monkeypatch.setattr(connections, "get_connection_async", fail_at_first)
    assert fired(deferred(sensor(deferrable=True)).trigger)["state"] == "approved"
    assert failures == []
    assert "canary" not in caplog.text


def test_a_look_up_of_the_connection_that_keeps_failing_is_an_error(d360_emulator, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.triggers.templates._LOOK_UP_SECONDS", 0)
    with pytest.raises(Exception, match="nowhere"):
        fired(deferred(sensor(deferrable=True, d360_conn_id="nowhere")).trigger)


def test_soft_fail_skips_after_a_deferral_too(d360_emulator):
    operator = sensor(deferrable=True, soft_fail=True)
    event = to_event(Verdict("refused", "Template greeting is rejected"))
    with pytest.raises(AirflowSkipException):
        operator.resume_execution("execute_complete", {"event": event}, {})


@pytest.mark.parametrize(
    ("event", "verdict"),
    [
        (to_event(Verdict("approved", "yes", "1", "UTILITY")), Verdict("approved", "yes", "1", "UTILITY")),
        (to_event(Verdict("refused", "no")), Verdict("refused", "no")),
        ({"state": "from a newer version"}, Verdict("refused", "None")),
    ],
)
def test_an_event_is_read_as_it_was_written(event, verdict):
    assert from_event(event) == verdict


def test_templates_are_listed_over_several_pages_without_their_components(d360_emulator, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.api.endpoints.templates._MOST", 2)
    for number in range(5):
        d360_emulator.templates.add({**CONTENT, "name": f"t{number}"}, status="approved")
    found = D360ListTemplatesOperator(task_id="list", status="APPROVED").execute({})
    assert [one["name"] for one in found] == [f"t{number}" for number in range(5)]
    assert all("components" not in one for one in found)
    assert json.dumps(found)
    (one,) = D360ListTemplatesOperator(task_id="list", name="t3", language="en_US").execute({})
    assert one["status"] == "approved"


def test_an_edit_is_reviewed_again_and_done_once(d360_emulator):
    d360_emulator.templates.pending_reads = 9
    stored = d360_emulator.templates.add(CONTENT, status="approved")
    components = [{"type": "BODY", "text": "Hello {{1}}"}]
    edit = {"task_id": "edit", "template_id": stored.template_id}
    D360EditTemplateOperator(**edit, components=components).execute({})
    assert (stored.content["components"], stored.status) == (components, "pending")
    D360EditTemplateOperator(**edit, components=components).execute({})
    D360EditTemplateOperator(**edit, category="MARKETING").execute({})
    assert stored.content["category"] == "MARKETING"
    assert methods(d360_emulator) == ["GET", "POST", "GET", "GET", "POST"]


def test_a_template_is_deleted_in_all_languages_or_in_one(d360_emulator):
    for language in ("en_US", "de", "fr"):
        d360_emulator.templates.add({**CONTENT, "language": language}, status="approved")
    delete = {"task_id": "delete", "name": "greeting"}
    assert D360DeleteTemplateOperator(**delete, language="de").execute({}) == ["de"]
    assert D360DeleteTemplateOperator(**delete).execute({}) == ["en_US", "fr"]
    assert D360DeleteTemplateOperator(**delete).execute({}) == []
    assert d360_emulator.templates.stored == []


AUTHENTICATION = [
    {"type": "BODY", "add_security_recommendation": True},
    {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code"}]},
]
LISTED = [
    {"type": "BODY", "text": "*{{1}}* is your code.", "add_security_recommendation": True},
    {
        "type": "BUTTONS",
        "buttons": [
            {
                "type": "URL",
                "text": "Copy code",
                "url": "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}",
                "example": ["https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp123456"],
            }
        ],
    },
]


def test_an_authentication_template_may_be_created_again(d360_emulator):
    listed = {**CONTENT, "category": "AUTHENTICATION", "components": LISTED}
    stored = d360_emulator.templates.add(listed, status="approved")
    again = create(category="AUTHENTICATION", components=AUTHENTICATION)
    assert again.execute({}) == stored.template_id
    assert methods(d360_emulator) == ["GET"]
    edit = D360EditTemplateOperator(task_id="edit", template_id=stored.template_id, components=AUTHENTICATION)
    edit.execute({})
    assert methods(d360_emulator) == ["GET", "GET"]


def test_a_template_with_named_placeholders_is_created_as_one(d360_emulator):
    create(components=[{"type": "BODY", "text": "Hi {{name}}"}]).execute({})
    (stored,) = d360_emulator.templates.stored
    assert stored.content["parameter_format"] == "NAMED"


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_category_that_whatsapp_changed_is_a_warning_or_a_failure(
    d360_emulator, caplog, capsys, deferrable
):
    stored = d360_emulator.templates.add({**CONTENT, "category": "MARKETING"}, status="approved")

    def wait(**arguments):
        operator = sensor(deferrable=deferrable, **arguments)
        if not deferrable:
            return operator.execute({})
        return operator.execute_complete({}, fired(deferred(operator).trigger))

    change = "WhatsApp changed the category from UTILITY to MARKETING"
    assert wait() == stored.template_id
    assert change not in capsys.readouterr().out + caplog.text  # where it goes depends on Airflow
    assert wait(category="UTILITY") == stored.template_id
    assert change in capsys.readouterr().out + caplog.text
    assert create().execute({}) == stored.template_id
    for operator in (
        lambda: wait(category="UTILITY", on_category_change="fail"),
        lambda: create(on_category_change="fail").execute({}),
    ):
        with pytest.raises(AirflowFailException, match=change):
            operator()


@pytest.mark.parametrize("make", [create, sensor])
def test_another_choice_for_a_changed_category_is_refused_at_once(make):
    with pytest.raises(ValueError, match="on_category_change is 'ignore'; it can be 'warn' or 'fail'"):
        make(on_category_change="ignore")


@pytest.mark.parametrize("arguments", [{"category": "utility"}, {"language": "en-US"}, {"name": None}])
def test_a_definition_that_is_certain_to_be_rejected_costs_no_request(d360_emulator, arguments):
    with pytest.raises(AirflowFailException, match="D360RequestError"):
        create(**arguments).execute({})
    assert d360_emulator.requests == []


@pytest.mark.parametrize("name", [None, "", "None"])
def test_a_name_that_renders_to_nothing_deletes_nothing(d360_emulator, name):
    d360_emulator.templates.add(CONTENT, status="approved")
    for language in (None, "en_US"):
        operator = D360DeleteTemplateOperator(task_id="delete", name=name, language=language)
        with pytest.raises(AirflowFailException, match="name is"):
            operator.execute({})
    assert d360_emulator.requests == []


@pytest.mark.parametrize("language", [None, "", "None"])
def test_a_language_that_renders_to_nothing_does_not_delete_all_languages(d360_emulator, language):
    d360_emulator.templates.add(CONTENT, status="approved")
    operator = D360DeleteTemplateOperator(task_id="delete", name="greeting", language="{{ x }}")
    operator.language = language  # as a DAG that renders native objects does
    with pytest.raises(AirflowFailException, match=r"language is (None|empty)"):
        operator.execute({})
    assert len(d360_emulator.templates.stored) == 1


@pytest.mark.parametrize("template_id", ["", None, "None"])
def test_an_edit_without_an_id_is_refused(d360_emulator, template_id):
    operator = D360EditTemplateOperator(task_id="edit", template_id=template_id, category="MARKETING")
    with pytest.raises(AirflowFailException, match=r"template_id is (None|empty)"):
        operator.execute({})
    assert d360_emulator.requests == []


def test_an_edit_of_nothing_is_refused():
    with pytest.raises(ValueError, match="needs components or category"):
        D360EditTemplateOperator(task_id="edit", template_id="1")


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("name", [None, "", "None"])
def test_nobody_waits_for_a_template_without_a_name(d360_emulator, name, deferrable):
    with pytest.raises(AirflowFailException, match="name is"):
        sensor(name=name, deferrable=deferrable).execute({})
    assert d360_emulator.requests == []
