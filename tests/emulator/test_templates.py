"""Creating templates, listing them as the service does, and sending what does not fit them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator
from tests.emulator.corpus import addressed, body, button, cards, header, template, word
from tests.emulator.services import Service, over_http

TEXT = {"type": "BODY", "text": "Hi"}
OTP = {"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code"}
CODE_BODY = {"type": "BODY", "add_security_recommendation": True}
LINK = "https://a.example/"


def definition(*components: Any, **change: Any) -> dict[str, Any]:
    return {"name": "t", "language": "en", "category": "UTILITY", "components": list(components), **change}


def buttons(*each: Any) -> dict[str, Any]:
    return {"type": "BUTTONS", "buttons": list(each)}


def quick(text: str = "Yes") -> dict[str, Any]:
    return {"type": "QUICK_REPLY", "text": text}


def link(url: str = LINK, text: str = "See") -> dict[str, Any]:
    return {"type": "URL", "text": text, "url": url}


def card(header: str = "IMAGE", text: str = "C") -> dict[str, Any]:
    return {
        "components": [{"type": "HEADER", "format": header}, {"type": "BODY", "text": text}, buttons(quick())]
    }


INVALID: dict[str, tuple[int, dict[str, Any]]] = {
    "no name": (131008, definition(TEXT, name=None)),
    "no category": (131008, definition(TEXT, category=None)),
    "no language": (131008, definition(TEXT, language=None)),
    "no components": (131008, definition()),
    "a name with capitals": (100, definition(TEXT, name="Order")),
    "a name with a hyphen": (100, definition(TEXT, name="a-b")),
    "a name of 513": (100, definition(TEXT, name="x" * 513)),
    "a name that is a number": (100, definition(TEXT, name=5)),
    "an unknown category": (100, definition(TEXT, category="JOKE")),
    "a category in small letters": (100, definition(TEXT, category="utility")),
    "a language in words": (100, definition(TEXT, language="English")),
    "a language with a hyphen": (100, definition(TEXT, language="en-US")),
    "components that are an object": (100, definition(components=TEXT)),
    "a component that is a string": (100, definition("BODY")),
    "a component of an unknown type": (100, definition(TEXT, {"type": "LEGS"})),
    "two bodies": (100, definition(TEXT, TEXT)),
    "no body": (100, definition({"type": "FOOTER", "text": "F"})),
    "a body without text": (100, definition({"type": "BODY"})),
    "a body of 1025": (100, definition({"type": "BODY", "text": "x" * 1025})),
    "a header of 61": (100, definition(TEXT, {"type": "HEADER", "format": "TEXT", "text": "x" * 61})),
    "a header without format": (100, definition(TEXT, {"type": "HEADER", "text": "H"})),
    "a header with two placeholders": (100, definition(TEXT, {"type": "HEADER", "format": "TEXT", "text": "{{1}} {{2}}"})),
    "a footer of 61": (100, definition(TEXT, {"type": "FOOTER", "text": "x" * 61})),
    "a footer with a placeholder": (100, definition(TEXT, {"type": "FOOTER", "text": "{{1}}"})),
    "placeholders with a gap": (100, definition({"type": "BODY", "text": "{{1}} and {{3}}"})),
    "placeholders from 0": (100, definition({"type": "BODY", "text": "{{0}} x"})),
    "a malformed placeholder": (100, definition({"type": "BODY", "text": "Hi {{first name}}"})),
    "names without parameter_format": (100, definition({"type": "BODY", "text": "Hi {{name}}"})),
    "names in a positional template": (100, definition({"type": "BODY", "text": "Hi {{name}}"}, parameter_format="POSITIONAL")),
    "numbers in a named template": (100, definition({"type": "BODY", "text": "Hi {{1}}"}, parameter_format="NAMED")),
    "an unknown parameter_format": (100, definition(TEXT, parameter_format="RANDOM")),
    "no button": (100, definition(TEXT, buttons())),
    "eleven buttons": (100, definition(TEXT, buttons(*(quick(str(n)) for n in range(11))))),
    "three links": (100, definition(TEXT, buttons(link(), link(), link()))),
    "a button text of 26": (100, definition(TEXT, buttons(quick("x" * 26)))),
    "a button without text": (100, definition(TEXT, buttons({"type": "QUICK_REPLY"}))),
    "a button of an unknown type": (100, definition(TEXT, buttons({"type": "RIDDLE", "text": "?"}))),
    "a link without url": (100, definition(TEXT, buttons({"type": "URL", "text": "See"}))),
    "a link to nowhere": (131009, definition(TEXT, buttons(link("a.example")))),
    "a link with a placeholder in the middle": (100, definition(TEXT, buttons(link("https://a.example/{{1}}/b")))),
    "a phone button without number": (100, definition(TEXT, buttons({"type": "PHONE_NUMBER", "text": "Call"}))),
    "a flow button without flow": (100, definition(TEXT, buttons({"type": "FLOW", "text": "Go"}))),
    "quick replies apart": (100, definition(TEXT, buttons(quick("a"), link(), quick("b")))),
    "a code button in a utility template": (100, definition(TEXT, buttons(OTP))),
    "an authentication template with a text": (100, definition(TEXT, buttons(OTP), category="AUTHENTICATION")),
    "an authentication template without button": (100, definition(CODE_BODY, category="AUTHENTICATION")),
    "an authentication template with another button": (100, definition(CODE_BODY, buttons(quick()), category="AUTHENTICATION")),
    "an unknown otp_type": (100, definition(CODE_BODY, buttons({**OTP, "otp_type": "SMS"}), category="AUTHENTICATION")),
    "a code that expires after 91 minutes": (100, definition(CODE_BODY, {"type": "FOOTER", "code_expiration_minutes": 91}, buttons(OTP), category="AUTHENTICATION")),
    "a carousel of one card": (100, definition(TEXT, {"type": "CAROUSEL", "cards": [card()]})),
    "a carousel of unlike cards": (100, definition(TEXT, {"type": "CAROUSEL", "cards": [card(), card("VIDEO")]})),
    "a card with a text header": (100, definition(TEXT, {"type": "CAROUSEL", "cards": [card("TEXT")] * 2})),
    "a card body of 161": (100, definition(TEXT, {"type": "CAROUSEL", "cards": [card(text="x" * 161)] * 2})),
    "a time to live of a second": (100, definition(TEXT, message_send_ttl_seconds=1)),
    "a utility time to live of a day": (100, definition(TEXT, message_send_ttl_seconds=86_400)),
}  # fmt: skip
VALID: dict[str, dict[str, Any]] = {
    "a text": definition(TEXT),
    "everything": definition({"type": "HEADER", "format": "TEXT", "text": "Hi {{1}}"}, {"type": "BODY", "text": "{{2}} of {{1}}"}, {"type": "FOOTER", "text": "F"}, buttons(quick("a"), quick("b"), link(LINK + "{{1}}"), {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+4930123"})),
    "names": definition({"type": "BODY", "text": "Hi {{first_name}}"}, parameter_format="NAMED"),
    "names in small letters": definition({"type": "BODY", "text": "Hi {{name}}"}, parameter_format="named"),
    "media": definition(TEXT, {"type": "HEADER", "format": "DOCUMENT", "example": {"header_handle": ["4::x"]}}),
    "a code": definition(CODE_BODY, {"type": "FOOTER", "code_expiration_minutes": 5}, buttons(OTP), category="AUTHENTICATION", message_send_ttl_seconds=-1),
    "a carousel": definition(TEXT, {"type": "CAROUSEL", "cards": [card(), card()]}, category="MARKETING"),
    "a flow": definition(TEXT, buttons({"type": "FLOW", "text": "Go", "flow_id": "1"})),
    "a coupon": definition(TEXT, buttons({"type": "COPY_CODE", "example": "SAVE20"}), category="MARKETING"),
    "small letters": definition({"type": "body", "text": "Hi"}, language="zh_CN", category="MARKETING"),
}  # fmt: skip

NUMBERED = definition(
    {"type": "HEADER", "format": "TEXT", "text": "Hi {{1}}"}, {"type": "BODY", "text": "{{1}} {{2}} {{1}}"}
)
NAMED = definition({"type": "BODY", "text": "Hi {{a}} {{b}}"}, parameter_format="NAMED")
PICTURE = definition({"type": "HEADER", "format": "IMAGE"}, TEXT)
LINKED = definition(TEXT, buttons(quick(), link(), link(LINK + "{{1}}")))
FLOW = definition(TEXT, buttons({"type": "FLOW", "text": "Go", "flow_id": "1"}))
COUPON = definition(TEXT, buttons({"type": "COPY_CODE", "example": "SAVE20"}))
CODE = definition(CODE_BODY, buttons(OTP), category="AUTHENTICATION")
CARDS = definition({"type": "BODY", "text": "Hi"}, {"type": "CAROUSEL", "cards": [card(), card()]})
OFFER = definition(
    TEXT, {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "O", "has_expiration": True}}
)
IMAGE = {"type": "image", "image": {"id": "1"}}
PAYLOAD = {"type": "payload", "payload": "P"}

MISFITS: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {
    "no parameter": (132000, NUMBERED, template()),
    "too few in the body": (132000, NUMBERED, template(header(word()), body(word()))),
    "too many in the body": (132000, NUMBERED, template(header(word()), body(word(), word(), word()))),
    "none in the header": (132000, NUMBERED, template(body(word(), word()))),
    "a body that takes none": (132000, PICTURE, template(header(IMAGE), body(word()))),
    "a header that is not there": (132000, NAMED, template(header(word()), body(word(parameter_name="a"), word(parameter_name="b")))),
    "an image for a text": (132012, NUMBERED, template(header(IMAGE), body(word(), word()))),
    "names for numbers": (132012, NUMBERED, template(header(word()), body(word(parameter_name="a"), word(parameter_name="b")))),
    "numbers for names": (132012, NAMED, template(body(word(), word()))),
    "an unknown name": (132012, NAMED, template(body(word(parameter_name="a"), word(parameter_name="c")))),
    "no image": (132012, PICTURE, template()),
    "a video for an image": (132012, PICTURE, template(header({"type": "video", "video": {"id": "1"}}))),
    "a text for an image": (132012, PICTURE, template(header(word()))),
    "no link": (131008, LINKED, template()),
    "a link for a reply": (132018, LINKED, template(button("url", 0, word()), button("url", 2, word()))),
    "a parameter for a fixed link": (132018, LINKED, template(button("url", 1, word()), button("url", 2, word()))),
    "a button that is not there": (132018, LINKED, template(button("url", 2, word()), button("quick_reply", 3, PAYLOAD))),
    "no flow": (131008, FLOW, template()),
    "no coupon": (131008, COUPON, template()),
    "no code in the body": (132000, CODE, template(button("url", 0, word()))),
    "no code in the button": (131008, CODE, template(body(word()))),
    "no carousel": (132018, CARDS, template()),
    "a carousel that is not there": (132018, PICTURE, template(header(IMAGE), cards(0, 1))),
    "three cards for two": (132000, CARDS, template(cards(0, 1, 2))),
    "a video in a card": (132012, CARDS, template(cards(0, 1, components=[header({"type": "video", "video": {"id": "1"}})]))),
    "no offer": (131008, OFFER, template()),
}  # fmt: skip
FITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "numbered": (NUMBERED, template(header(word()), body(word(), word()))),
    "named in another order": (NAMED, template(body(word(parameter_name="b"), word(parameter_name="a")))),
    "an image": (PICTURE, template(header(IMAGE))),
    "links": (LINKED, template(button("url", "2", word()), button("quick_reply", 0, PAYLOAD))),
    "a flow": (FLOW, template(button("flow", 0))),
    "a code": (CODE, template(body(word("123456")), button("url", 0, word("123456")))),
    "cards": (CARDS, template(cards(0, 1))),
}


def code_of(response: tuple[int, Any]) -> int:
    return int(response[1]["error"]["code"])


@pytest.mark.parametrize("name", INVALID)
def test_a_definition_that_is_documented_as_invalid_is_refused(emulator: Emulator, name: str) -> None:
    code, content = INVALID[name]
    service = Service(emulator, emulator.handle)
    assert code_of(service.json("POST", "/v1/configs/templates", content)) == code
    assert emulator.templates.stored == []


@pytest.mark.parametrize("name", VALID)
def test_a_definition_that_is_documented_as_valid_is_accepted_once(emulator: Emulator, name: str) -> None:
    service = Service(emulator, emulator.handle)
    assert service.json("POST", "/v1/configs/templates", VALID[name])[0] == 201
    assert code_of(service.json("POST", "/v1/configs/templates", VALID[name])) == 100
    other = {**VALID[name], "language": "de"}
    assert service.json("POST", "/v1/configs/templates", other)[0] == 201


@pytest.mark.parametrize("name", MISFITS)
def test_a_message_that_does_not_fit_its_template_is_refused(emulator: Emulator, name: str) -> None:
    code, content, message = MISFITS[name]
    emulator.templates.add(content, status="approved")
    assert code_of(Service(emulator, emulator.handle).send(addressed(message))) == code
    assert emulator.sent == []


@pytest.mark.parametrize("name", FITS)
def test_a_message_that_fits_its_template_is_accepted(emulator: Emulator, name: str) -> None:
    content, message = FITS[name]
    emulator.templates.add(content, status="approved")
    assert Service(emulator, emulator.handle).send(addressed(message))[0] == 200


@pytest.mark.parametrize(("status", "code"), [("paused", 132015), ("disabled", 132016), ("rejected", 132001)])
def test_a_template_that_is_not_approved_has_a_code_of_its_own(
    service: Service, status: str, code: int
) -> None:
    service.emulator.templates.add(definition(TEXT), status=status)
    assert code_of(service.send(addressed(template()))) == code


def test_an_authentication_template_is_listed_with_the_service_s_texts_and_a_link(service: Service) -> None:
    service.json("POST", "/v1/configs/templates", VALID["a code"])
    (listed,) = service.json("GET", "/v1/configs/templates")[1]["waba_templates"]
    text, footer, (shown,) = (
        listed["components"][0]["text"],
        listed["components"][1]["text"],
        listed["components"][2]["buttons"],
    )
    assert text == "*{{1}}* is your verification code. For your security, do not share this code."
    assert footer == "This code expires in 5 minutes."
    assert (shown["type"], shown["text"]) == ("URL", "Copy code")
    assert shown["url"] == "https://www.whatsapp.com/otp/code/?otp_type=COPY_CODE&code=otp{{1}}"


def test_meta_changes_the_category_at_the_end_of_the_review(service: Service) -> None:
    service.emulator.templates.categories["t*"] = "MARKETING"
    assert service.json("POST", "/v1/configs/templates", definition(TEXT))[1]["category"] == "UTILITY"
    shown = [service.json("GET", "/v1/configs/templates")[1]["waba_templates"][0] for _ in range(2)]
    assert [(one["status"], one["category"]) for one in shown] == [
        ("pending", "UTILITY"),
        ("approved", "MARKETING"),
    ]


def test_in_strict_mode_a_file_a_template_and_an_open_window_must_be_there(emulator: Emulator) -> None:
    service = Service(emulator, emulator.handle)
    emulator.strict = True
    words = {"type": "text", "text": {"body": "Hi"}}
    picture = {"type": "image", "image": {"id": emulator.media.add(b"x", "image/png")}}
    assert code_of(service.send(addressed(template()))) == 132001
    assert code_of(service.send(addressed({"type": "image", "image": {"id": "1"}}))) == 100
    assert [code_of(service.send(addressed(one))) for one in (words, picture)] == [131047] * 2
    service.json("POST", "/v1/configs/webhook", {"url": "https://hooks.example.com"})
    emulator.receive("Hi", sender="4915112345678")
    assert [service.send(addressed(one))[0] for one in (words, picture)] == [200] * 2
    assert code_of(service.send(addressed({**words, "to": "4915100000000"}))) == 131047


def test_neither_oneself_nor_a_blocked_user_gets_a_message(service: Service) -> None:
    words = {"type": "text", "text": {"body": "Hi"}}
    own = service.emulator.numbers[CLOUD_KEY].digits
    assert code_of(service.send(addressed({**words, "to": own}))) == 131021
    users = {"messaging_product": "whatsapp", "block_users": [{"user": "+49 151 12345678"}]}
    service.json("POST", "/block_users", users)
    assert code_of(service.send(addressed(words))) == 130403
    service.json("DELETE", "/block_users", users)
    assert service.send(addressed(words))[0] == 200


def test_another_process_may_change_categories_and_switch_to_strict(server: Any, emulator: Emulator) -> None:
    service = Service(emulator, lambda request: over_http(int(server.url.rpartition(":")[2]), request))
    assert service.json("POST", "/_emulator/categories", {"t": "MARKETING"}) == (200, {})
    assert service.json("POST", "/_emulator/strict", {"strict": True}) == (200, {})
    assert emulator.templates.categories == {"t": "MARKETING"}
    assert emulator.strict
