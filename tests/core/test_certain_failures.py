"""More that is certain to fail: absent values, wrong places, wrong case; and numbers that become text."""

from decimal import Decimal

import pytest

from airflow_provider_d360.api.checks.messages import check
from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.api.normalization import normalize
from airflow_provider_d360.messages import (
    address_request,
    audio,
    buttons,
    carousel,
    catalog_message,
    contact,
    contacts,
    copy_code_button,
    cta_url,
    currency,
    date_time,
    document,
    flow,
    flow_button,
    image,
    link_card,
    list_picker,
    location_request,
    order_details,
    order_status,
    quick_reply_button,
    reaction,
    template,
    template_card,
    text,
    url_button,
    video,
)

LINK = "https://a.example/1.png"
NAN = float("nan")


class NAType:
    """What pandas has for an absent value."""

    def __str__(self):
        return "<NA>"


def odd(value):
    """A value that no type checker lets through."""
    return value


def violations(message):
    return [f"{one.path}: {one.problem}" for one in check(normalize(message), CLOUD)]


def by_hand(type, content, **more):
    return {"type": type, type: content, **more}


def tapped(type, action, **more):
    return by_hand("interactive", {"type": type, "body": {"text": "B"}, "action": action, **more})


def filled(*components):
    return by_hand("template", {"name": "T", "language": {"code": "en"}, "components": [*components]})


def absent(word):
    return f"missing: the value is {word}, as an absent value renders"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "missing"),
        (NAN, absent("nan")),
        (Decimal("NaN"), absent("NaN")),
        (NAType(), absent("<NA>")),
        ("None", absent("None")),
        (" nan ", absent("nan")),
        ("NaT", absent("NaT")),
        ("null", absent("null")),
        ("", "empty"),
        (" \n", "empty"),
        (True, "must be a string"),
        (float("inf"), "must be a string"),
        (["Ann"], "must be a string"),
    ],
)
def test_an_absent_value_is_refused_where_its_author_wrote_it(value, problem):
    places = {
        "body[1]": template("T", "en", body=["Ann", value]),
        "body['name']": template("T", "en", body={"name": value, "order": "42"}),
        "header": template("T", "en", header=[value]),
        "header['name']": template("T", "en", header={"name": value}),
        "buttons[0]": template("T", "en", buttons=[url_button(value)]),
        "buttons[3]": template("T", "en", buttons={3: quick_reply_button(value)}),
        "buttons[1]": template("T", "en", buttons=[url_button("a"), copy_code_button(value)]),
        "cards[1].body[0]": template(
            "T", "en", cards=[template_card(body=["a"]), template_card(body=[value])]
        ),
        "cards[0].buttons[0]": template("T", "en", cards=[template_card(buttons=[url_button(value)])]),
        "body[0].fallback_value": template("T", "en", body=[date_time(value)]),
        "text.body": text(value),
        "interactive.body.text": tapped("location_request_message", {"name": "send_location"})
        | by_hand("interactive", {**location_request("B")["interactive"], "body": {"text": value}}),
    }
    problems_by_place = {place: violations(message) for place, message in places.items()}
    assert problems_by_place == {place: [f"{place}: {problem}"] for place in places}


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (image(id="None"), "image.id"),
        (image(link="nan"), "image.link"),
        (image(id="1", caption="None"), "image.caption"),
        (reaction("None", "👍"), "reaction.message_id"),
        ({**text("Hi"), "context": {"message_id": "None"}}, "context.message_id"),
        (flow("B", "Go", flow_id="None"), "interactive.action.parameters.flow_id"),
        (contacts(contact("Ann", phone="nan")), "contacts[0].phones[0].phone"),
        (buttons("B", {"a": "A"}, footer="None"), "interactive.footer.text"),
    ],
)
def test_an_absent_value_is_refused_outside_of_templates_too(message, path):
    (violation,) = [one for one in violations(message) if "as an absent value" in one]
    assert violation.startswith(f"{path}: missing")


@pytest.mark.parametrize(
    "message",
    [
        text("None of these"),
        buttons("Allergies?", {"nuts": "Nuts", "None": "None"}),
        list_picker("B", "Pick", {"null": "nan"}),
        template("T", "en", body=["none", "NULL", "0"]),
    ],
)
def test_a_word_that_somebody_chose_is_no_absent_value(message):
    assert violations(message) == []


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (42, "42"),
        (0, "0"),
        (42.0, "42"),
        (-3.0, "-3"),
        (3.5, "3.5"),
        (1e-7, "0.0000001"),
        (1e19, "10000000000000000000"),
        (Decimal("3.10"), "3.10"),
        (Decimal("1E+3"), "1000"),
    ],
)
def test_a_number_becomes_the_text_of_its_place(value, written):
    message = normalize(
        template(
            "T",
            "en",
            header=value,
            body=[value, currency(value, "EUR", 1)],
            buttons=[url_button(value), quick_reply_button(value), copy_code_button(value)],
            cards=[template_card(body={"n": value})],
        )
    )
    assert check(message, CLOUD) == []
    header, body, url, reply, coupon, cards = odd(message)["template"]["components"]
    assert header["parameters"] == [{"type": "text", "text": written}]
    assert body["parameters"][0] == {"type": "text", "text": written}
    assert body["parameters"][1]["currency"] == {"fallback_value": written, "code": "EUR", "amount_1000": 1}
    assert url["parameters"][0]["text"] == reply["parameters"][0]["payload"] == written
    assert coupon["parameters"][0]["coupon_code"] == written
    assert cards["cards"][0]["components"][0]["parameters"][0]["text"] == written
    assert normalize(text(value)) == text(written)
    assert normalize(buttons(value, {value: value})) == buttons(written, {written: written})


def test_a_number_stays_a_number_where_whatsapp_wants_one():
    for message in (
        flow("B", "Go", flow_id="1", data={"count": 42, "text": 1}),
        template("T", "en", body=[currency("€1", "EUR", 1000)], offer_expires_ms=1_700_000_000_000),
        {"type": "text", "text": {"body": "Hi", "preview_url": True}},
    ):
        assert normalize(message) == message


@pytest.mark.parametrize(
    "value",
    [10**5000, Decimal("sNaN"), True, None, float("-inf")],
    ids=["huge", "signalling", "true", "none", "infinite"],
)
def test_a_number_that_cannot_be_written_is_left_to_the_check(value):
    message = normalize(template("T", "en", body=[value]))
    assert odd(message)["template"]["components"][0]["parameters"][0]["text"] is value
    assert check(message, CLOUD)


@pytest.mark.parametrize(
    ("link", "name"),
    [
        ("https://a.example/files/invoice%2042.pdf?sig=a%2Fb#p", "invoice 42.pdf"),
        ("https://a.example/invoice.pdf", "invoice.pdf"),
    ],
)
def test_a_document_is_named_by_the_end_of_its_link(link, name):
    named = document(link=link, filename=name)
    assert normalize(document(link=link)) == named
    assert normalize(template("T", "en", header=document(link=link))) == template("T", "en", header=named)
    assert normalize(cta_url("B", "Go", link, header=document(link=link))) == cta_url(
        "B", "Go", link, header=named
    )
    own = template("T", "en", header=document(link=link, filename="own.pdf"))
    assert normalize(own) == own


@pytest.mark.parametrize(
    "media", [document(id="1"), document(link="https://a.example/"), document(link="https://[::1/a.pdf")]
)
def test_a_document_in_a_template_needs_a_name(media):
    problem = "header.filename: missing: without one the document arrives as Untitled"
    assert violations(template("T", "en", header=media)) == [problem]
    named = {"type": "document", "document": {**odd(media)["document"], "filename": "a.pdf"}}
    assert problem not in violations(template("T", "en", header=named))
    assert violations(media) == []


I = "interactive"  # noqa: E741
A = "interactive.action"


NO_FLAGS: list[object] = [0, 1, "", "True", "no", [], {}]
NO_NAMES: list[object] = [False, [], {}]
REFUSED = [
    # The envelope
    ({**text("Hi"), "biz_opaque_callback_data": ""}, ["biz_opaque_callback_data: empty"]),
    ({**reaction("wamid.1", "👍"), "context": {"message_id": "wamid.2"}}, ["context: not allowed here"]),
    ({"type": "Text", "text": {"body": "Hi"}}, ["type: must be written text"]),
    ({"type": "TEMPLATE", "template": {}}, ["type: must be written template"]),
    # Media
    (by_hand("image", {"id": "1", "filename": "a.png"}), ["image.filename: not allowed here"]),
    (by_hand("video", {"id": "1", "filename": "a.mp4"}), ["video.filename: not allowed here"]),
    (by_hand("audio", {"id": "1", "filename": "a.mp3"}), ["audio.filename: not allowed here"]),
    (by_hand("sticker", {"id": "1", "filename": "a"}), ["sticker.filename: not allowed here"]),
    (by_hand("image", {"id": "1", "voice": True}), ["image.voice: not allowed here"]),
    (image(link="https://a.example/my file.png"), ["image.link: holds a space or a newline: write %20 for a space"]),
    *[(image(link=link), ["image.link: has no host after http(s)://"]) for link in ("https:///1.png", "HTTP://?a=1", "https://#a", "https://:443/1.png")],
    (image(link=" "), ["image.link: empty"]),
    (image(link=""), ["image.link: empty"]),
    (cta_url("B", "Go", " "), [f"{A}.parameters.url: empty"]),
    (cta_url("B", "Go", "https://a.example/\n"), [f"{A}.parameters.url: holds a space or a newline: write %20 for a space"]),
    (reaction("wamid.1", ":thumbsup:"), ["reaction.emoji: must be one emoji, such as 👍"]),
    *[(reaction("wamid.1", emoji), ["reaction.emoji: must be one emoji, such as 👍"]) for emoji in ("👍👎", "👍 ", "👍🏽👍🏽", "🇩🇪🇫🇷", "🇩", "👨\u200d", "👍ok", "é", "\uff11", "⃣")],
    (contacts(contact("Ann", name=odd({"first_name": ""}))), ["contacts[0].name: needs one of first_name, last_name, middle_name, suffix, prefix"]),
    ({**text("Hi"), "context": {"message_id": "wamid.1 "}}, ["context.message_id: holds a space or a newline"]),
    (reaction(" wamid.1", "👍"), ["reaction.message_id: holds a space or a newline"]),
    (reaction("wamid.1", " "), ["reaction.emoji: blank: give an emoji, or an empty text to take the reaction back"]),
    *[(text("Hi", preview_url=odd(flag)), ["text.preview_url: must be true or false"]) for flag in NO_FLAGS],
    *[(audio(id="1", voice=odd(flag)), ["audio.voice: must be true or false"]) for flag in NO_FLAGS],
    *[(document(link=LINK, filename=odd(name)), ["document.filename: must be a string"]) for name in NO_NAMES],
    # Interactive
    *[(catalog_message("B", thumbnail_product_retailer_id=odd(one)), [f"{A}.parameters.thumbnail_product_retailer_id: {problem}"]) for one, problem in ((True, "must be a string"), ([], "must be a string"), ("", "empty"))],
    *[(address_request("B", one), [f"{A}.parameters.country: must be two capital letters"]) for one in ("in", "IND", "India", " IN")],
    (tapped("Button", {}), [f"{I}.type: must be written button"]),
    (tapped("button", {"buttons": [{"type": "Reply", "reply": {"id": "a", "title": "A"}}]}), [f"{A}.buttons[0].type: must be written reply"]),
    (buttons("B", {"a": "A"}, header={"type": "IMAGE", "image": {"id": "1"}}), [f"{I}.header.type: must be written image"]),
    *[
        (cta_url("B", "Go", LINK, header=media(id="1", caption="C")), [f"{I}.header.{media.__name__}.caption: not allowed here"])
        for media in (image, video, document)
    ],
    (buttons(" ", {"a": " "}), [f"{I}.body.text: empty", f"{A}.buttons[0].reply.title: empty"]),
    (flow("B", "Go", flow_id="1", screen="S", data={}), [f"{A}.parameters.flow_action_payload.data: empty: leave it out"]),
    (flow("B", "Go", flow_id="1", screen="S", data=odd([1])), [f"{A}.parameters.flow_action_payload.data: must be an object"]),
    (
        flow("B", "Go", flow_id="1", action="data_exchange", screen="S"),
        [f"{A}.parameters.flow_action_payload: is for navigate only: your endpoint chooses the screen"],
    ),
    (flow("B", "Go", flow_id="1", data={"a": 1}, action="navigate"), [f"{A}.parameters.flow_action_payload.screen: missing"]),
    (flow("B", "Go 🚀", flow_id="1"), [f"{A}.parameters.flow_cta: holds an emoji"]),
    (tapped("location_request_message", {"name": "send_location"}, footer={"text": "F"}), [f"{I}.footer: not allowed here"]),
    (
        order_details("B", reference_id="R", goods="digital-goods", currency="real", total_amount=odd({"value": 12.0, "offset": 100})),
        [
            f"{A}.parameters.currency: must be three capital letters",
            f"{A}.parameters.total_amount.value: must be a whole number without a decimal point: wrap it in int()",
        ],
    ),
    (order_status("B", reference_id="R", status="lost"), [f"{A}.parameters.order.status: must be pending or processing or partially_shipped or shipped or completed or canceled"]),
    (carousel("B", [link_card(image(id="1", caption=""), "Go", LINK), {"type": "Product"}]), [
        f"{A}.cards[0].header.image.caption: not allowed here",
        f"{A}.cards[1].type: must be written product",
    ]),
    # Templates
    *[(template("T", one), ["template.language.code: must be written like en_US, with an underscore"]) for one in ("english", "true", "en_", "en_US_x", "e")],
    (template("order update", "en"), ["template.name: holds a space or a newline"]),
    (template("T", "en-US"), ["template.language.code: must be written like en_US, with an underscore"]),
    (template("T", "en", header=image(id="1", caption="C")), ["header.caption: not allowed here"]),
    (template("T", "en", cards=[template_card(header=video(id="1", caption="C"))]), ["cards[0].header.caption: not allowed here"]),
    (template("T", "en", header=["a", "b"]), ["header: 2 items, at most 1"]),
    (template("T", "en", header=audio(id="1")), []),  # an unknown kind of parameter passes
    (template("T", "en", body=[image(id="1")]), ["body[0].type: image is no parameter of a body"]),
    (template("T", "en", body=[{"type": "payload", "payload": "P"}]), ["body[0].type: payload is no parameter of a body"]),
    (template("T", "en", body=[currency("1", "EUR", odd(12.5))]), ["body[0].amount_1000: must be a whole number"]),
    (
        template("T", "en", body=[currency("1", "EUR", odd(1000.0))]),
        ["body[0].amount_1000: must be a whole number without a decimal point: wrap it in int()"],
    ),
    (template("T", "en", body=[currency("1", "EUR", odd("1000"))]), []),
    *[(template("T", "en", body=[currency("1", code, 1)]), ["body[0].code: must be three capital letters"]) for code in ("EURO", "EU", "eur", "€")],
    (template("T", "en", body=[{"type": "text", "parameter_name": "a", "text": "1"}, "b"]), ["body[1]: has no parameter_name, and others have one"]),
    (template("T", "en", buttons=[copy_code_button("x" * 21)]), ["buttons[0]: 21 characters, at most 20"]),
    (filled({"type": "Body", "parameters": []}), ["body.type: must be written body"] ),
    (filled({"type": "body", "parameters": [{"type": "Text", "text": "a"}]}), ["body[0].type: must be written text"]),
    (filled({"type": "footer"}), ["template.components[0].type: footer belongs to the template; a message fills header, body and button"]),
    (filled({"type": "buttons"}), ["template.components[0].type: buttons belongs to the template; a message fills header, body and button"]),
    (filled({"type": "body"}, {"type": "BODY"}), ["body: given twice"]),
    (
        filled(*[{"type": "button", "sub_type": "url", "index": index, "parameters": [{"type": "text", "text": "a"}]} for index in (1, "1")]),
        ["buttons[1]: given twice"],
    ),
    (template("T", "en", body=[{"type": "text", "parameter_name": "a", "text": "1"}] * 2), ["body[1].parameter_name: the same as in item 0"]),
    (
        filled({"type": "button", "sub_type": "phone_number", "index": 0}),
        ["buttons[0].sub_type: phone_number buttons take no parameters: leave this button out"],
    ),
    (filled({"type": "button", "sub_type": "Quick_Reply", "index": 0, "parameters": [{"type": "payload", "payload": "P"}]}), ["buttons[0].sub_type: must be written quick_reply"]),
    (filled({"type": "button", "sub_type": "url", "index": 0}), ["buttons[0].parameters: missing"]),
    (filled({"type": "button", "sub_type": "url", "index": 0, "parameters": []}), ["buttons[0]: 0 items, at least 1"]),
    (filled({"type": "button", "sub_type": "quick_reply", "index": 0, "parameters": [{"type": "text", "text": "P"}]}), ["buttons[0].type: must be payload"]),
    (filled({"type": "button", "sub_type": "mpm", "index": 0, "parameters": [{"type": "action", "action": {}}]}), ["buttons[0].thumbnail_product_retailer_id: missing", "buttons[0].sections: missing"]),
    (template("T", "en", buttons=[flow_button(data={})]), ["buttons[0].flow_action_data: empty: leave it out"]),
    (template("T", "en", offer_expires_ms=1_700_000_000), ["offer_expires_ms: is in the past: give milliseconds since 1970, not seconds"]),
    (template("T", "en", offer_expires_ms=odd(1.7e12)), ["offer_expires_ms: must be a whole number without a decimal point: wrap it in int()"]),
]  # fmt: skip


@pytest.mark.parametrize(("message", "problems"), REFUSED)
def test_what_is_certain_to_fail_is_refused(message, problems):
    assert violations(message) == problems


def test_a_card_may_show_an_image_and_the_next_one_a_video():
    cards = [link_card(image(id="1"), "Go", LINK), link_card(video(id="2"), "Go", LINK)]
    assert violations(carousel("B", cards)) == []


@pytest.mark.parametrize(
    "emoji",
    ["", "👍", "👍🏽", "❤️", "❤", "☺︎", "🇩🇪", "5️⃣", "#⃣", "👨‍👩‍👧‍👦", "👩🏽‍❤️‍💋‍👨🏿", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\u2139️", "Ⓜ️", "↔️", "‼️", "〰️", "㊗️", "🏳️‍🌈", "🧑🏻‍🦯‍➡️"],
)  # fmt: skip
def test_one_emoji_of_several_signs_is_one_emoji(emoji):
    assert violations(reaction("wamid.1", emoji)) == []


def test_a_text_without_a_type_is_a_text():
    assert violations({"text": {"body": "Hi"}}) == []
    assert violations({"text": {"body": "None"}}) == [f"text.body: {absent('None')}"]


def test_the_error_names_the_parameter_and_not_the_json():
    from airflow_provider_d360.sending.content import check as check_content
    from airflow_provider_d360.sending.content import read_content

    with pytest.raises(D360RequestError) as caught:
        check_content(read_content(template("T", "en", body=["Ann", odd(None)]), "error"), CLOUD)
    assert "body[1]: missing" in str(caught.value)
    assert "components[0]" not in str(caught.value)
