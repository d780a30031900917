"""Preflight: a message that its approved template would refuse is explained; every other passes."""

import pytest

from airflow_provider_d360.api.preflight import preflight
from airflow_provider_d360.api.templates import Template
from airflow_provider_d360.messages import (
    copy_code_button,
    document,
    image,
    one_time_code,
    quick_reply_button,
    template,
    template_card,
    text,
    url_button,
)

BODY = {"type": "BODY", "text": "Hi {{1}}, order {{2}} of {{1}} is on its way"}
NAMED = {"type": "body", "text": "Hi {{ name }}, order {{order}}"}
LINK = {"type": "URL", "text": "Track", "url": "https://a.example/{{1}}"}
STATIC = {"type": "URL", "text": "Shop", "url": "https://a.example"}
REPLY = {"type": "QUICK_REPLY", "text": "Stop"}


def buttons(*them):
    return {"type": "BUTTONS", "buttons": list(them)}


def approved(*components, language="en_US", status="approved", **more):
    return Template("1", "order", language, "UTILITY", status, tuple(components), **more)


def found(message, *components):
    return [(one.path, one.problem) for one in preflight(message, [approved(*components)])]


def order(**filled):
    return template("order", "en_US", **filled)


FITTING = {
    "nothing to fill": (order(), [{"type": "BODY", "text": "Hi"}]),
    "two blanks": (order(body=["Ann", "42"]), [BODY]),
    "text header": (order(header="A", body=["Ann", "42"]), [{"type": "HEADER", "format": "TEXT", "text": "{{1}}"}, BODY]),
    "image header": (order(header=image(id="1")), [{"type": "HEADER", "format": "IMAGE"}]),
    "names": (order(body={"order": "42", "name": "Ann"}), [NAMED]),
    "a link and a reply": (order(buttons=[url_button("42")]), [buttons(LINK, REPLY)]),
    "a reply with a payload": (order(buttons={1: quick_reply_button("p")}), [buttons(STATIC, REPLY)]),
    "a coupon": (order(buttons=[copy_code_button("X")]), [buttons({"type": "COPY_CODE"})]),
    "a code": (
        one_time_code("order", "en_US", "123456"),
        [{"type": "BODY", "add_security_recommendation": True}, buttons({"type": "OTP", "otp_type": "COPY_CODE"})],
    ),
    "a carousel of more cards than were approved": (
        order(cards=[template_card(header=image(id="1"), body=["x"])] * 3),
        [{"type": "CAROUSEL", "cards": [{"components": [{"type": "HEADER", "format": "image"}, {"type": "BODY", "text": "{{1}}"}]}]}],
    ),
    "a definition that says nothing": (order(body=["a"], header="b"), []),
    "an unknown header": (order(header="x"), [{"type": "HEADER", "format": "HOLOGRAM"}]),
    "an unknown button": (
        {"type": "template", "template": {"name": "order", "language": {"code": "en_US"}, "components": [{"type": "button", "sub_type": "tap", "index": 0}, {"type": "button"}]}},
        [buttons(REPLY)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FITTING)
def test_a_message_that_fits_its_template_passes(case):
    message, components = FITTING[case]
    assert found(message, *components) == []


@pytest.mark.parametrize(
    "message", [text("Hi"), {}, {"type": "template"}, {"type": "template", "template": 7}]
)
def test_everything_but_a_template_passes(message):
    assert preflight(message, []) == []


C = "template.components"
WRONG = {
    "one blank too few": (order(body=["Ann"]), [BODY], f"{C}[0].parameters", "1 parameter, and the body has 2: {{1}}, {{2}}"),
    "no body at all": (order(), [BODY], C, "0 parameters, and the body has 2: {{1}}, {{2}}"),
    "a body without blanks": (order(body=["x"]), [{"type": "BODY", "text": "Hi"}], f"{C}[0].parameters", "1 parameter, and the body has 0"),
    "a header that is not there": (order(header="x", body=["1", "2"]), [BODY], f"{C}[0].parameters", "1 parameter, and the header has 0"),
    "another kind of header": (order(header=document(id="1")), [{"type": "HEADER", "format": "IMAGE"}], f"{C}[0].parameters", "the header is one image, and document is given"),
    "no header": (order(), [{"type": "HEADER", "format": "VIDEO"}], C, "the header is one video, and nothing is given"),
    "numbers for names": (order(body=["Ann", "42"]), [NAMED], f"{C}[0].parameters", "the body wants its parameters by name: name, order"),
    "nothing for names": (order(), [NAMED], C, "0 parameters, and the body has 2: {{name}}, {{order}}"),
    "a name is missing": (order(body={"name": "Ann"}), [NAMED], f"{C}[0].parameters", "the body also wants order"),
    "a name too many": (order(body={"name": "A", "order": "1", "SECRET": "x"}), [NAMED], f"{C}[0].parameters", "1 of these names the body does not have; it has name, order"),
    "a link without its end": (order(), [buttons(REPLY, LINK)], C, "button 1 (Track) wants a url parameter"),
    "a coupon without its code": (order(), [buttons({"type": "COPY_CODE"})], C, "button 0 (copy_code) wants a copy_code parameter"),
    "an end for a link that has none": (order(buttons=[url_button("x")]), [buttons(STATIC)], f"{C}[0]", "the address of this button has no blank to fill"),
    "another kind of button": (order(buttons=[url_button("x")]), [buttons(REPLY)], f"{C}[0].sub_type", "url, and this button of the template is quick_reply"),
    "a button too many": (order(buttons={2: quick_reply_button("x")}), [buttons(REPLY)], f"{C}[0].index", "2, and the template has 1 buttons, counted from 0"),
    "a card": (
        order(cards=[template_card(body=["x"]), template_card(body=["x", "y"])]),
        [{"type": "CAROUSEL", "cards": [{"components": [{"type": "BODY", "text": "{{1}}"}]}]}],
        f"{C}[0].cards[1].components[0].parameters",
        "2 parameters, and the body has 1: {{1}}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_message_that_does_not_fit_is_explained(case):
    message, components, path, problem = WRONG[case]
    assert found(message, *components) == [(path, problem)]


def test_all_that_is_wrong_is_said_at_once_with_its_template():
    message = order(header="x", body=["1"], buttons={3: url_button("x")})
    violations = preflight(message, [approved(BODY, buttons(LINK))])
    assert len(violations) == 4
    assert {one.source for one in violations} == {"template order in en_US"}


def test_a_missing_language_is_answered_with_those_that_exist():
    (violation,) = preflight(template("order", "en"), [approved(language="pt_BR"), approved(language="de")])
    assert violation.path == "template.language.code"
    assert violation.problem == "the template is not there in this language, but in de, pt_BR"


@pytest.mark.parametrize("templates", [[], [Template("1", "other", "en_US")]])
def test_a_missing_template_is_named_as_missing(templates):
    (violation,) = preflight(order(), templates)
    assert (violation.path, violation.problem) == ("template.name", "there is no template of this name")


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [("rejected", "TAG", "the template is rejected: TAG"), ("paused", None, "the template is paused")],
)
def test_a_template_that_may_not_be_sent_is_refused(status, reason, said):
    (violation,) = preflight(order(), [approved(status=status, rejected_reason=reason)])
    assert violation.problem == said


@pytest.mark.parametrize("status", ["approved", "", "in_appeal"])
def test_a_status_that_is_not_certain_to_fail_passes(status):
    assert preflight(order(), [approved(status=status)]) == []


@pytest.mark.parametrize(
    "garbage", [None, 7, "x", [], [7], {"parameters": 7}, [{"type": "body", "parameters": "x"}]]
)
def test_garbage_never_raises_and_is_never_repeated(garbage):
    content = {"name": "order", "language": {"code": "en_US"}, "components": garbage}
    message = {"type": "template", "template": content}
    for violation in preflight(message, [approved(BODY, buttons(LINK), {"type": "CAROUSEL", "cards": 7})]):
        assert violation.problem
    assert preflight({"type": "template", "template": {"name": ["x"], "language": "en"}}, [approved()])
