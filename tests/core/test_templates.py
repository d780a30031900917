"""Template calls: both generations of endpoints, page after page, and the verdict on an approval."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_d360.api import templates
from airflow_provider_d360.api.errors import D360RequestError, D360UnavailableError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.refusals import read_answer
from airflow_provider_d360.api.templates import Template, Verdict, judge, same_content
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


def answer(body, status=200):
    return Response(status, {}, json.dumps(body).encode())


def asked(call):
    parts = urlsplit(call.request.path)
    return call.request.method, parts.path, {name: value[0] for name, value in parse_qs(parts.query).items()}


def test_a_template_of_the_older_list_is_read_whatever_its_case():
    page = read_answer(
        templates.list_templates(CLOUD), answer({"waba_templates": [ITEM], "total": 1}), ["key"]
    )
    (found,) = page.templates
    assert found == Template(
        "1", "order_update", "en_US", "UTILITY", "approved", tuple(BODY), None, "GREEN", "c8ae"
    )
    assert found.approved
    assert page.next is None
    assert found.summary() == {
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
    (found,) = read_answer(templates.list_templates(CLOUD), answer(body), ["key"]).templates
    assert (found.rejected_reason, found.quality) == (reason, quality)


def test_an_item_with_nothing_in_it_is_an_empty_template():
    page = read_answer(templates.list_templates(CLOUD), answer({"waba_templates": [{}, 7]}), ["key"])
    assert page.templates == (Template(None, "", ""),)


@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])
def test_the_older_list_is_asked_for_by_name_and_filtered_by_the_rest_here(hosting):
    call = templates.list_templates(hosting, name="order_update", status="Approved", language="de", limit=2)
    filters = '{"business_templates.name":"order_update"}'
    assert asked(call) == (
        "GET",
        "/v1/configs/templates",
        {"limit": "2", "offset": "0", "filters": filters},
    )
    rows = [{**ITEM, "language": "de"}, ITEM, {**ITEM, "name": "other"}, {**ITEM, "status": "pending"}]
    page = read_answer(call, answer({"waba_templates": rows}), ["key"])
    assert [one.language for one in page.templates] == ["de"]


@pytest.mark.parametrize(
    ("rows", "total", "following"),
    [(2, 5, "2"), (2, 2, None), (2, None, "2"), (1, None, None), (0, 5, None), (1, "3", "1")],
)
def test_the_older_list_goes_on_while_there_is_more(rows, total, following):
    call = templates.list_templates(CLOUD, limit=2)
    page = read_answer(call, answer({"waba_templates": [ITEM] * rows, "total": total}), ["key"])
    assert (asked(page.next)[2]["offset"] if page.next else None) == following


@pytest.mark.parametrize(
    ("paging", "following"),
    [
        ({"cursors": {"after": "B"}, "next": "https://graph.facebook.com/x"}, "B"),
        ({"cursors": {"after": "A"}, "next": "https://graph.facebook.com/x"}, None),
        ({"cursors": {"after": "B"}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_newer_list_goes_on_behind_its_cursor(paging, following):
    call = templates.list_message_templates(CLOUD, name="order_update", status="approved", after="A")
    assert asked(call)[:2] == ("GET", "/message_templates")
    assert (asked(call)[2]["after"], asked(call)[2]["limit"]) == ("A", "100")
    page = read_answer(call, answer({"data": [ITEM], "paging": paging}), ["key"])
    assert len(page.templates) == 1
    assert (asked(page.next)[2]["after"] if page.next else None) == following


def test_one_template_is_read_by_its_id():
    call = templates.get_template(CLOUD, "12/3")
    assert asked(call)[1] == "/message_templates/12%2F3"
    found = read_answer(call, answer({**ITEM, "parameter_format": "named"}), ["key"])
    assert (found.name, found.parameter_format) == ("order_update", "NAMED")
    with pytest.raises(D360UnavailableError, match="no template"):
        read_answer(call, answer({"success": True}), ["key"])


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
    found = read_answer(call, answer(body, 201), ["key"])
    assert (found.name, found.status, found.components) == ("order_update", status, tuple(BODY))
    assert found.template_id in ("9", "1")


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
    assert asked(templates.delete_template(ON_PREMISE, "a b"))[:2] == (
        "DELETE",
        "/v1/configs/templates/a%20b",
    )
    assert asked(templates.delete_template(CLOUD, "a", template_id="7")) == (
        "DELETE",
        "/message_templates",
        {"hsm_id": "7", "name": "a"},
    )


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: templates.list_templates(SANDBOX), "sandbox hosting has no list of templates"),
        (
            lambda: templates.create_template(SANDBOX, "a", "en", "UTILITY", BODY),
            "sandbox hosting has no way",
        ),
        (lambda: templates.delete_template(SANDBOX, "a"), "sandbox hosting has no way"),
        (lambda: templates.list_message_templates(ON_PREMISE), "on_premise hosting has no Meta-shaped"),
        (lambda: templates.get_template(ON_PREMISE, "1"), "on_premise hosting has no template by its id"),
        (lambda: templates.edit_template(ON_PREMISE, "1"), "on_premise hosting has no template by its id"),
        (
            lambda: templates.delete_template(ON_PREMISE, "a", template_id="1"),
            "on_premise hosting has no way to delete a template by its id",
        ),
    ],
)
def test_what_a_hosting_does_not_have_is_said_with_its_name(make, said):
    with pytest.raises(D360RequestError, match=said):
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


def test_content_is_compared_without_case_of_types_and_without_examples():
    one = [{"type": "body", "text": "Hi {{1}}", "example": {"body_text": [["Ann"]]}, "x": None}]
    assert same_content(one, BODY)
    assert not same_content([{"type": "BODY", "text": "hi {{1}}"}], BODY)
    assert not same_content([*one, {"type": "FOOTER", "text": "x"}], BODY)
