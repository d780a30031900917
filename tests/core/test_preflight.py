"""Preflight: a message that its approved template would refuse is explained; every other passes."""

import pytest

from airflow_provider_d360.api.checks.preflight import preflight
from airflow_provider_d360.api.endpoints.templates import Template
from airflow_provider_d360.messages import (
    copy_code_button,
    document,
    flow_button,
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


def problems(message, *components):
    return [(one.path, one.problem) for one in preflight(message, [approved(*components)])]


def order(**filled):
    return template("order", "en_US", **filled)


FITTING = {
    "nothing to fill": (order(), [{"type": "BODY", "text": "Hi"}]),
    "two placeholders": (order(body=["Ann", "42"]), [BODY]),
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
    "a flow": (order(buttons=[flow_button()]), [buttons({"type": "FLOW", "text": "Go"})]),
    "an offer without an end": (order(), [{"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Now", "has_expiration": False}}]),
    "an offer with an end": (order(offer_expires_ms=1_700_000_000_000), [{"type": "limited_time_offer", "limited_time_offer": {"has_expiration": True}}]),
    "a phone number that is left alone": (order(), [buttons({"type": "PHONE_NUMBER", "text": "Call"})]),
    "an unknown header": (order(header="x"), [{"type": "HEADER", "format": "HOLOGRAM"}]),
    "an unknown button": (
        {"type": "template", "template": {"name": "order", "language": {"code": "en_US"}, "components": [{"type": "button", "sub_type": "tap", "index": 0}, {"type": "button"}]}},
        [buttons(REPLY)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FITTING)
def test_a_message_that_fits_its_template_passes(case):
    message, components = FITTING[case]
    assert problems(message, *components) == []


@pytest.mark.parametrize(
    "message", [text("Hi"), {}, {"type": "template"}, {"type": "template", "template": 7}]
)
def test_everything_but_a_template_passes(message):
    assert preflight(message, []) == []


WRONG = {
    "a flow without its button": (order(), [buttons(REPLY, {"type": "FLOW", "text": "Book"})], "buttons[1]", "missing: Book needs a flow button"),
    "an order without its button": (order(), [buttons({"type": "ORDER_DETAILS"})], "buttons[0]", "missing: order_details needs a order_details button"),
    "parameters for a phone number": (
        {"type": "template", "template": {"name": "order", "language": {"code": "en_US"}, "components": [{"type": "button", "sub_type": "phone_number", "index": 0}]}},
        [buttons({"type": "PHONE_NUMBER", "text": "Call"})], "buttons[0]", "this button of the template is a phone number, which takes no parameters",
    ),
    "no cards": (order(), [{"type": "CAROUSEL", "cards": [{"components": []}] * 2}], "cards", "missing: the template is a carousel of 2 cards"),
    "cards of no carousel": (order(cards=[template_card()]), [{"type": "BODY", "text": "Hi"}], "cards", "the template has no carousel"),
    "no end of an offer": (order(), [{"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"has_expiration": True}}], "offer_expires_ms", "missing: the template has an offer that expires"),
    "an offer of no offer": (order(offer_expires_ms=1), [{"type": "BODY", "text": "Hi"}], "offer_expires_ms", "the template has no limited-time offer"),
    "a button of a card": (
        order(cards=[template_card(buttons=[url_button("x")])]),
        [{"type": "CAROUSEL", "cards": [{"components": [buttons(REPLY)]}]}],
        "cards[0].buttons[0]",
        "url, and this button of the template is quick_reply",
    ),
    "one placeholder too few": (order(body=["Ann"]), [BODY], "body", "1 parameter, and the body has 2: {{1}}, {{2}}"),
    "no body at all": (order(), [BODY], "body", "0 parameters, and the body has 2: {{1}}, {{2}}"),
    "a body without placeholders": (order(body=["x"]), [{"type": "BODY", "text": "Hi"}], "body", "1 parameter, and the body has 0"),
    "a header that is not there": (order(header="x", body=["1", "2"]), [BODY], "header", "1 parameter, and the header has 0"),
    "another kind of header": (order(header=document(id="1")), [{"type": "HEADER", "format": "IMAGE"}], "header", "the header is one image, and document is given"),
    "no header": (order(), [{"type": "HEADER", "format": "VIDEO"}], "header", "the header is one video, and nothing is given"),
    "numbers for names": (order(body=["Ann", "42"]), [NAMED], "body", "the body needs its parameters by name: name, order"),
    "nothing for names": (order(), [NAMED], "body", "0 parameters, and the body has 2: {{name}}, {{order}}"),
    "a name is missing": (order(body={"name": "Ann"}), [NAMED], "body", "the body also needs order"),
    "a name too many": (order(body={"name": "A", "order": "1", "SECRET": "x"}), [NAMED], "body", "1 of these names the body does not have; it has name, order"),
    "a link without its end": (order(), [buttons(REPLY, LINK)], "buttons[1]", "missing: Track needs a url button"),
    "a coupon without its code": (order(), [buttons({"type": "COPY_CODE"})], "buttons[0]", "missing: copy_code needs a copy_code button"),
    "an end for a link that has none": (order(buttons=[url_button("x")]), [buttons(STATIC)], "buttons[0]", "the address of this button has no placeholder to fill"),
    "another kind of button": (order(buttons=[url_button("x")]), [buttons(REPLY)], "buttons[0]", "url, and this button of the template is quick_reply"),
    "a button too many": (order(buttons={2: quick_reply_button("x")}), [buttons(REPLY)], "buttons[2]", "the template has 1 buttons, counted from 0"),
    "a card": (
        order(cards=[template_card(body=["x"]), template_card(body=["x", "y"])]),
        [{"type": "CAROUSEL", "cards": [{"components": [{"type": "BODY", "text": "{{1}}"}]}]}],
        "cards[1].body",
        "2 parameters, and the body has 1: {{1}}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_message_that_does_not_fit_is_explained(case):
    message, components, path, problem = WRONG[case]
    assert problems(message, *components) == [(path, problem)]


def test_all_that_is_wrong_is_said_at_once_with_its_template():
    message = order(header="x", body=["1"], buttons={3: url_button("x")})
    violations = preflight(message, [approved(BODY, buttons(LINK))])
    assert len(violations) == 4
    assert {one.source for one in violations} == {"template order in en_US"}


def test_a_missing_language_is_answered_with_those_that_exist():
    (violation,) = preflight(template("order", "en"), [approved(language="pt_BR"), approved(language="de")])
    assert violation.path == "template.language.code"
    assert violation.problem == "the template does not exist in this language, only in de, pt_BR"


@pytest.mark.parametrize("templates", [[], [Template("1", "other", "en_US")]])
def test_a_missing_template_is_named_as_missing(templates):
    (violation,) = preflight(order(), templates)
    assert (violation.path, violation.problem) == ("template.name", "there is no template of this name")


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [("rejected", "TAG", "the template is rejected: TAG"), ("paused", None, "the template is paused")],
)
def test_a_template_that_may_not_be_sent_is_refused(status, reason, expected):
    (violation,) = preflight(order(), [approved(status=status, rejected_reason=reason)])
    assert violation.problem == expected


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
