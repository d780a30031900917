"""Template calls: both generations of endpoints, page after page, and the verdict on an approval."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_d360.api.checks.definitions import same_content
from airflow_provider_d360.api.endpoints import templates
from airflow_provider_d360.api.endpoints.templates import Template, Verdict, changed_category, judge
from airflow_provider_d360.api.errors import D360RequestError, D360UnavailableError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.responses import read_response
from airflow_provider_d360.api.wire import Response

BODY = [{"type": "BODY", "text": "Hi {{1}}"}]
ITEM = {
    "id": "1",
    "name": "order_update",
    "namespace": "c8ae",
    "language": "en_US",
    "category": "utility",
    "status": "APPROVED",
    "components": BODY,
    "rejected_reason": "NONE",
    "quality_score": {"score": "green"},
}


def response(body, status=200):
    return Response(status, {}, json.dumps(body).encode())


def request_of(call):
    parts = urlsplit(call.request.path)
    return call.request.method, parts.path, {name: value[0] for name, value in parse_qs(parts.query).items()}


def test_a_template_of_the_older_list_is_read_whatever_its_case():
    page = read_response(
        templates.list_templates(CLOUD), response({"waba_templates": [ITEM], "total": 1}), ["key"]
    )
    (result,) = page.templates
    assert result == Template(
        "1", "order_update", "en_US", "UTILITY", "approved", tuple(BODY), None, "GREEN", "c8ae"
    )
    assert result.approved
    assert page.next is None
    assert result.summary() == {
        "id": "1",
        "name": "order_update",
        "language": "en_US",
        "category": "UTILITY",
        "status": "approved",
        "rejected_reason": None,
        "quality": "GREEN",
    }


@pytest.mark.parametrize(
    ("item", "reason", "quality"),
    [
        ({"rejected_reason": "INVALID_FORMAT", "quality_score": "yellow"}, "INVALID_FORMAT", "YELLOW"),
        ({"rejected_reason": None, "quality_score": {}}, None, None),
        ({"rejected_reason": "none", "quality_score": None}, None, None),
    ],
)
def test_reasons_and_qualities_come_in_several_forms(item, reason, quality):
    body = {"waba_templates": [{**ITEM, **item}]}
    (result,) = read_response(templates.list_templates(CLOUD), response(body), ["key"]).templates
    assert (result.rejected_reason, result.quality) == (reason, quality)


def test_an_item_with_nothing_in_it_is_an_empty_template():
    page = read_response(templates.list_templates(CLOUD), response({"waba_templates": [{}, 7]}), ["key"])
    assert page.templates == (Template(None, "", ""),)


@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])
def test_the_older_list_is_asked_for_by_name_and_filtered_by_the_rest_here(hosting):
    call = templates.list_templates(hosting, name="order_update", status="Approved", language="de", limit=2)
    filters = '{"business_templates.name":"order_update"}'
    assert request_of(call) == (
        "GET",
        "/v1/configs/templates",
        {"limit": "2", "offset": "0", "filters": filters},
    )
    rows = [{**ITEM, "language": "de"}, ITEM, {**ITEM, "name": "other"}, {**ITEM, "status": "pending"}]
    page = read_response(call, response({"waba_templates": rows}), ["key"])
    assert [one.language for one in page.templates] == ["de"]


@pytest.mark.parametrize(
    ("rows", "total", "following"),
    [(2, 5, "2"), (2, 2, None), (2, None, "2"), (1, None, None), (0, 5, None), (1, "3", "1")],
)
def test_the_older_list_goes_on_while_there_is_more(rows, total, following):
    call = templates.list_templates(CLOUD, limit=2)
    page = read_response(call, response({"waba_templates": [ITEM] * rows, "total": total}), ["key"])
    assert (request_of(page.next)[2]["offset"] if page.next else None) == following


def test_one_template_is_read_by_its_id():
    call = templates.get_template(CLOUD, "12/3")
    assert request_of(call)[1] == "/message_templates/12%2F3"
    result = read_response(call, response({**ITEM, "parameter_format": "named"}), ["key"])
    assert (result.name, result.parameter_format) == ("order_update", "NAMED")
    with pytest.raises(D360UnavailableError, match="no template"):
        read_response(call, response({"success": True}), ["key"])


def test_a_template_is_created_with_everything_that_was_given():
    call = templates.create_template(
        CLOUD, "order_update", "en_US", "UTILITY", BODY, allow_category_change=True
    )
    assert (call.request.method, call.request.path) == ("POST", "/v1/configs/templates")
    assert json.loads(call.request.body) == {
        "name": "order_update",
        "language": "en_US",
        "category": "UTILITY",
        "components": BODY,
        "allow_category_change": True,
    }
    assert call.repeatable


@pytest.mark.parametrize(
    ("body", "status"),
    [({"id": "9", "status": "PENDING"}, "pending"), ({"id": 9}, "pending"), (ITEM, "approved")],
)
def test_both_answers_to_a_creation_become_a_template(body, status):
    call = templates.create_template(CLOUD, "order_update", "en_US", "UTILITY", BODY)
    result = read_response(call, response(body, 201), ["key"])
    assert (result.name, result.status, result.components) == ("order_update", status, tuple(BODY))
    assert result.template_id in ("9", "1")


@pytest.mark.parametrize("wrong", [object(), float("nan"), "\ud800"])
def test_a_template_that_json_cannot_express_is_refused(wrong):
    with pytest.raises(D360RequestError, match="JSON cannot express"):
        templates.create_template(CLOUD, "a", "en", "UTILITY", [{"type": wrong}])


def test_an_edit_holds_only_what_changes():
    bodies = [
        json.loads(templates.edit_template(CLOUD, "1", **change).request.body)
        for change in ({"components": BODY}, {"category": "MARKETING"}, {"message_send_ttl_seconds": 60})
    ]
    assert bodies == [{"components": BODY}, {"category": "MARKETING"}, {"message_send_ttl_seconds": 60}]


def test_a_template_is_deleted_whole_or_in_one_language():
    assert request_of(templates.delete_template(ON_PREMISE, "a_b"))[:2] == (
        "DELETE",
        "/v1/configs/templates/a_b",
    )
    assert request_of(templates.delete_template(CLOUD, "a", template_id="7")) == (
        "DELETE",
        "/message_templates",
        {"hsm_id": "7", "name": "a"},
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: templates.list_templates(SANDBOX), "sandbox hosting has no list of templates"),
        (
            lambda: templates.create_template(SANDBOX, "a", "en", "UTILITY", BODY),
            "sandbox hosting has no way",
        ),
        (lambda: templates.delete_template(SANDBOX, "a"), "sandbox hosting has no way"),
        (lambda: templates.get_template(ON_PREMISE, "1"), "on_premise hosting has no template by its id"),
        (lambda: templates.edit_template(ON_PREMISE, "1"), "on_premise hosting has no template by its id"),
        (
            lambda: templates.delete_template(ON_PREMISE, "a", template_id="1"),
            "on_premise hosting has no way to delete a template by its id",
        ),
    ],
)
def test_what_a_hosting_does_not_have_is_said_with_its_name(make, message):
    with pytest.raises(D360RequestError, match=message):
        make()


@pytest.mark.parametrize(
    ("status", "reason", "verdict"),
    [
        ("approved", None, Verdict("approved", "Template a in en is approved", "1")),
        ("pending", None, Verdict("waiting", "Template a in en is pending", "1")),
        ("paused", None, Verdict("waiting", "Template a in en is paused", "1")),
        ("", None, Verdict("waiting", "Template a in en is without a status", "1")),
        ("rejected", "TAG", Verdict("refused", "Template a in en is rejected: TAG", "1")),
        ("disabled", None, Verdict("refused", "Template a in en is disabled", "1")),
    ],
)
def test_a_status_is_judged(status, reason, verdict):
    template = Template("1", "a", "en", status=status, rejected_reason=reason)
    others = [Template("2", "b", "en", status="approved"), Template("3", "a", "de", status="approved")]
    assert judge([*others, template], "a", "en") == verdict


def test_a_template_that_is_not_there_is_waited_for_and_its_languages_are_named():
    there = [Template("1", "a", "en_US"), Template("2", "a", "de")]
    verdict = judge(there, "a", "en")
    assert verdict == Verdict("waiting", "Template a is not there in en; it exists in de, en_US")
    assert "there is none of that name" in judge([], "a", "en").reason


def test_the_category_belongs_to_the_verdict():
    templates_ = [Template("1", "a", "en", "MARKETING", "approved")]
    assert judge(templates_, "a", "en").category == "MARKETING"


@pytest.mark.parametrize(
    ("category", "now", "problem"),
    [
        ("UTILITY", "MARKETING", "WhatsApp changed the category from UTILITY to MARKETING"),
        ("UTILITY", "utility", None),
        (None, "MARKETING", None),
        ("UTILITY", "", None),
        ("UTILITY", None, None),
    ],
)
def test_a_changed_category_is_described(category, now, problem):
    assert changed_category(category, now) == problem


NAMED = [{"type": "BODY", "text": "Hi {{name}}, order {{ order }}"}]


@pytest.mark.parametrize(
    ("components", "options", "parameter_format"),
    [
        (NAMED, {}, "NAMED"),
        ([{"type": "header", "format": "TEXT", "text": "{{name}}"}, {"type": "BODY", "text": "Hi"}], {}, "NAMED"),
        ([{"type": "BODY", "text": "Hi"}, {"type": "CAROUSEL", "cards": [{"components": NAMED}]}], {}, "NAMED"),
        (NAMED, {"parameter_format": "named"}, "named"),
        (BODY, {}, None),
        (BODY, {"parameter_format": "POSITIONAL"}, "POSITIONAL"),
        ([{"type": "BODY", "text": "Hi"}], {"parameter_format": "NAMED"}, "NAMED"),
        ([{"type": "BODY", "text": "Hi"}, {"type": "BUTTONS", "buttons": [{"type": "URL", "url": "{{1}}"}]}], {}, None),
    ],
)  # fmt: skip
def test_named_placeholders_set_the_parameter_format(components, options, parameter_format):
    call = templates.create_template(CLOUD, "a", "en", "UTILITY", components, **options)
    assert json.loads(call.request.body).get("parameter_format") == parameter_format


def definition(**changes):
    return {"name": "a", "language": "en_US", "category": "UTILITY", "components": BODY, **changes}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "name is ''"),
        ({"name": "No Good"}, "name is 'No Good'"),
        ({"name": "None"}, "name is 'None'"),
        ({"name": None}, "name is NoneType"),
        ({"language": "en-US"}, "language is no language code. Write it like en_US"),
        ({"language": None}, "language is no language code"),
        ({"category": "utility"}, "category is 'utility'"),
        ({"category": None}, "category is None"),
        ({"components": []}, "components is empty"),
        ({"components": None}, "components is no list"),
        ({"components": ["BODY"]}, "components is no list of objects"),
        ({"components": [{"type": "BODY", "text": "{{1}} {{name}}"}]}, "mixes named and numbered"),
        ({"components": [{"type": "BODY", "text": "{{Name}}"}]}, "has the placeholder Name"),
        ({"components": NAMED, "parameter_format": "POSITIONAL"}, "Use NAMED"),
        ({"parameter_format": "NAMED"}, "Use POSITIONAL"),
    ],
)
def test_a_definition_that_is_certain_to_be_rejected_is_not_sent(changes, problem):
    with pytest.raises(D360RequestError, match=problem):
        templates.create_template(CLOUD, **definition(**changes))


def test_a_template_of_the_library_needs_no_components():
    templates.create_template(CLOUD, **definition(components=[]), library_template_name="order")


@pytest.mark.parametrize("template_id", ["", " ", "None", None, 7])
def test_a_template_without_an_id_is_not_looked_up(template_id):
    for call in (templates.get_template, templates.edit_template):
        with pytest.raises(D360RequestError, match=r"template_id (is missing|must be a string)"):
            call(CLOUD, template_id)


@pytest.mark.parametrize("category", ["None", "", "utility", "MARKETNG", 7, True, ["UTILITY"]])
def test_a_category_that_does_not_exist_is_not_asked_for(category):
    with pytest.raises(D360RequestError, match="category is"):
        templates.edit_template(CLOUD, "1", category=category)


@pytest.mark.parametrize("changes", [{}, {"components": []}, {"components": "x"}, {"components": ["x"]}])
def test_an_edit_that_changes_nothing_is_not_sent(changes):
    with pytest.raises(D360RequestError, match=r"would stay as it is|components is"):
        templates.edit_template(CLOUD, "1", **changes)


@pytest.mark.parametrize("name", ["", None, "a/b"])
def test_a_template_without_a_name_is_not_deleted(name):
    for template_id in (None, "7"):
        with pytest.raises(D360RequestError, match="name is"):
            templates.delete_template(CLOUD, name, template_id=template_id)


def test_content_is_compared_without_case_of_types_and_without_examples():
    one = [{"type": "body", "text": "Hi {{1}}", "example": {"body_text": [["Ann"]]}, "x": None}]
    assert same_content(one, BODY)
    assert not same_content([{"type": "BODY", "text": "hi {{1}}"}], BODY)
    assert not same_content([*one, {"type": "FOOTER", "text": "x"}], BODY)


OTP = {"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code"}
AUTHENTICATION = [
    {"type": "BODY", "add_security_recommendation": True},
    {"type": "FOOTER", "code_expiration_minutes": 10},
    {"type": "BUTTONS", "buttons": [OTP]},
]
OTP_URL = "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code_expiration_minutes=10&code=otp{{1}}"
LISTED_BODY = {
    "type": "BODY",
    "text": "*{{1}}* is your verification code. For your security, do not share this code.",
    "add_security_recommendation": True,
    "example": {"body_text": [["123456"]]},
}
LISTED = [
    LISTED_BODY,
    {"type": "FOOTER", "text": "This code expires in 10 minutes.", "code_expiration_minutes": 10},
    {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Copy code", "url": OTP_URL, "example": ["x"]}]},
]


def changed(definition, index, **values):
    copy = json.loads(json.dumps(definition))
    copy[index].update(values)
    return copy


@pytest.mark.parametrize(
    ("written", "listed", "same"),
    [
        (AUTHENTICATION, LISTED, True),
        (AUTHENTICATION, [LISTED[2], *LISTED[:2]], True),
        (changed(AUTHENTICATION, 2, buttons=[{"type": "otp", "otp_type": "copy_code"}]), LISTED, True),
        ([{"type": "body"}, AUTHENTICATION[2]], [{"type": "BODY", "text": "{{1}}"}, LISTED[2]], True),
        (changed(AUTHENTICATION, 0, add_security_recommendation=False), LISTED, False),
        (changed(AUTHENTICATION, 1, code_expiration_minutes=5), LISTED, False),
        (AUTHENTICATION[::2], LISTED, False),
        (changed(AUTHENTICATION, 2, buttons=[{**OTP, "otp_type": "ONE_TAP"}]), LISTED, False),
        (changed(AUTHENTICATION, 2, buttons=[{**OTP, "text": "Take it"}]), LISTED, False),
        (changed(AUTHENTICATION, 2, buttons=[OTP, OTP]), LISTED, False),
    ],
)  # fmt: skip
def test_an_authentication_template_is_the_same_as_the_service_lists_it(written, listed, same):
    assert same_content(written, listed) is same
    assert same_content(listed, written) is same


def with_button(**button):
    return [{"type": "BODY", "text": "Hi"}, {"type": "BUTTONS", "buttons": [button]}]


@pytest.mark.parametrize(
    ("written", "listed", "same"),
    [
        ({"type": "FLOW", "text": "Go", "flow_name": "f", "flow_action": "navigate"}, {"type": "FLOW", "text": "Go", "flow_id": 1, "flow_action": "NAVIGATE"}, True),
        ({"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+49 151"}, {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "49151"}, True),
        ({"type": "URL", "text": "See", "url": "https://a.example/{{1}}"}, {"type": "URL", "text": "See", "url": "https://b.example/{{1}}"}, False),
        ({"type": "URL", "text": "See", "url": "https://a.example"}, {"type": "URL", "text": "See"}, False),
        ({"type": "URL", "text": "See", "url": None}, {"type": "URL", "text": "See"}, True),
        ({"type": "URL", "text": "See"}, {"type": "QUICK_REPLY", "text": "See"}, False),
        ({"type": "OTP", "supported_apps": [{"package_name": "a"}]}, {"type": "OTP", "supported_apps": [{"package_name": "b"}]}, False),
        ({"type": "X", "names": ["a"]}, {"type": "X", "names": ["b"]}, False),
        ({"type": "X", "names": ["a"]}, {"type": "X", "names": ["a"]}, True),
        ({"type": "X", "a": {"text": "a"}}, {"type": "X", "a": {"text": "b"}}, False),
    ],
)  # fmt: skip
def test_buttons_are_compared_by_what_both_state(written, listed, same):
    assert same_content(with_button(**written), with_button(**listed)) is same


def test_cards_are_compared_with_their_components():
    def cards(text):
        card = {"components": [{"type": "BUTTONS", "buttons": []}, {"type": "body", "text": text}]}
        return [{"type": "CAROUSEL", "cards": [card, card]}]

    reordered = [
        {
            "type": "CAROUSEL",
            "cards": [{"components": [{"type": "BODY", "text": "a"}, {"type": "BUTTONS", "buttons": []}]}]
            * 2,
        }
    ]
    assert same_content(cards("a"), reordered)
    assert not same_content(cards("a"), cards("b"))
