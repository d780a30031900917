"""What passes and what is refused: every limit at its edge, every path exact."""

import json
import random

import pytest

from airflow_provider_d360.api.checks.messages import check
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.messages import (
    Amount,
    address_request,
    audio,
    buttons,
    call_permission_request,
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
    location,
    location_request,
    one_time_code,
    order_details,
    order_status,
    product,
    product_card,
    product_header,
    product_list,
    products_button,
    quick_reply_button,
    reaction,
    reply_card,
    sticker,
    template,
    template_card,
    text,
    url_button,
    video,
    voice_call,
)

LINK = "https://a.example/1.png?signature=a%2Bb"
PICTURE = image(link=LINK)
MONEY: Amount = {"value": 1230, "offset": 100}

VALID = {
    "text": text("Hi", preview_url=True),
    "image": image(link=LINK, caption="C"),
    "video": video(id="1"),
    "audio": audio(id="1", voice=True),
    "document": document(link=LINK, filename="f.pdf", caption=""),
    "sticker": sticker(link=LINK),
    "location": location("37.4", -122.1, name="N", address="A"),
    "contacts": contacts(contact("Ann", phone="+491", birthday="2000-01-31")),
    "reaction": reaction("wamid.1", ""),
    "buttons": buttons("B", {"a": "A", "b": "B", "c": "C"}, header=PICTURE, footer="F"),
    "list": list_picker("B", "Pick", {str(n): f"Row {n}" for n in range(10)}),
    "sections": list_picker("B", "Pick", sections={"S": {"a": "A"}, "T": {"a": "A"}}, header="H"),
    "link": cta_url("B", "See", LINK, header=document(link=LINK), footer="F"),
    "flow": flow("B", "Go", flow_id="1", screen="S", data={"a": 1}, action="navigate", mode="published"),
    "product": product("C", "P"),
    "product list": product_list("H", "B", "C", {"S": ["P"], "T": ["Q"]}),
    "catalogue": catalog_message("B", thumbnail_product_retailer_id="P"),
    "location request": location_request("B"),
    "address request": address_request("B", "IN"),
    "an image beside a video": carousel(
        "B", [link_card(PICTURE, "Buy", LINK), link_card(video(id="1"), "Buy", LINK)]
    ),
    "link cards": carousel("B", [link_card(PICTURE, "Buy", LINK, body="a\n\nb")] * 2),
    "reply cards": carousel("B", [reply_card(video(id="1"), {"a": "A"})] * 2),
    "product cards": carousel("B", [product_card("C", "P"), product_card("C", "Q")]),
    "call permission": call_permission_request("B"),
    "voice call": voice_call("B", display_text="Call", ttl_minutes=43200, payload="p"),
    "order": order_details(
        "B",
        reference_id="R",
        goods="digital-goods",
        currency="BRL",
        total_amount=MONEY,
        order={"status": "pending"},
    ),
    "order status": order_status("B", reference_id="R", status="shipped"),
    "template": template("T", "en_US"),
    "numbered": template(
        "T", "en", header=PICTURE, body=["Ann", currency("€1", "EUR", 1000), date_time("May")]
    ),
    "named": template("T", "en", header=location(1, 2), body={"name": "Ann"}),
    "buttons of a template": template(
        "T",
        "en",
        buttons=[url_button("a"), quick_reply_button("P"), copy_code_button("C"), flow_button("t")],
        offer_expires_ms=1700000000000,
    ),
    "products button": template("T", "en", buttons={9: products_button("P", {"S": ["P"]})}),
    "carousel of a template": template(
        "T", "en", body="Ann", cards=[template_card(header=product_header("P", "C"), body=["x"])] * 2
    ),
    "one-time code": one_time_code("T", "en", "123456"),
}


def odd(value):
    """A value that no type checker lets through."""
    return value


def problems(message, hosting=CLOUD):
    return [f"{one.path}: {one.problem}" for one in check(message, hosting)]


@pytest.mark.parametrize("name", VALID)
def test_what_the_builders_make_of_good_values_passes(name):
    assert (
        problems(VALID[name])
        == problems(VALID[name], SANDBOX)
        == problems(json.loads(json.dumps(VALID[name])))
        == []
    )


def by_hand(type, content, **more):
    return {"type": type, type: content, **more}


def tapped(type, action, **more):
    return by_hand("interactive", {"type": type, "body": {"text": "B"}, "action": action, **more})


def filled(*components, **more):
    return by_hand("template", {"name": "T", "language": {"code": "en"}, "components": [*components], **more})


def button(id="a", title="A", **more):
    return {"type": "reply", "reply": {"id": id, "title": title}, **more}


REAL = {
    "a text without a type": {"text": {"body": "Hi"}},
    "an unknown type": {"type": "hologram", "hologram": 3},
    "an unknown type without content": {"type": "hologram"},
    "unknown keys": by_hand("text", {"body": "Hi", "font": 3}, to="49", messaging_product="whatsapp"),
    "a reply": by_hand("text", {"body": "Hi"}, context={"message_id": "wamid.1"}),
    "nothing replied to": by_hand("text", {"body": "Hi"}, context=None),
    "a number as media id": by_hand("image", {"id": 10}),
    "a null beside the link": by_hand("image", {"link": LINK, "id": None, "caption": None}),
    "an address in capitals": by_hand("image", {"link": "HTTPS://A.EXAMPLE"}),
    "a caption of null": by_hand("audio", {"id": "1", "caption": None}),
    "preview_url spelled": by_hand("text", {"body": "Hi", "preview_url": "false"}),
    "an unknown interactive type": by_hand("interactive", {"type": "request_contact_info"}),
    "no header, no footer": tapped("button", {"buttons": [button()]}, header=None, footer=None),
    "an empty footer": tapped("button", {"buttons": [button()]}, footer={"text": ""}),
    "an empty description": tapped(
        "list",
        {
            "button": "P",
            "sections": [{"title": None, "rows": [{"id": "a", "title": "A", "description": ""}]}],
        },
    ),
    "the same row id in two sections": tapped(
        "list",
        {"button": "P", "sections": [{"title": t, "rows": [{"id": "a", "title": "A"}]} for t in ("S", "T")]},
    ),
    "ten buttons by Direct Send": {
        **tapped(
            "button", {"buttons": [button(str(n), f"B{n}") for n in range(9)] + [{"type": "url", "url": {}}]}
        ),
        "category": "utility",
    },
    "an unknown card": tapped("carousel", {"cards": [{"card_index": n, "type": "hologram"} for n in (0, 1)]}),
    "many sections of contacts": by_hand(
        "contacts", [{"name": {"formatted_name": "A", "prefix": "B"}}] * 300
    ),
    "a template without a policy": by_hand("template", {"name": "T", "language": {"code": "en"}}),
    "no components": by_hand("template", {"name": "T", "language": {"code": "en"}, "components": None}),
    "capital letters": filled(
        {"type": "BODY", "parameters": [{"type": "TEXT", "text": "Ann"}]},
        {"type": "BUTTON", "sub_type": "CATALOG", "index": 0},
    ),
    "empty parameters": filled({"type": "body", "parameters": []}, {"type": "header"}),
    "an unknown component": filled({"type": "order_status", "parameters": 3}),
    "an unknown parameter": filled({"type": "header", "parameters": [{"type": "gif", "gif": {}}]}),
    "an action of any shape": filled(
        {
            "type": "button",
            "sub_type": "order_details",
            "index": "0",
            "parameters": [{"type": "action", "action": {"order_details": {"items": 3}}}],
        }
    ),
    "a body alone may be long": filled(
        {"type": "body", "parameters": [{"type": "text", "text": "x" * 32768}]}
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_what_people_write_by_hand_passes(name):
    assert problems(REAL[name]) == []


I = "interactive"  # noqa: E741
A = "interactive.action"


def long_text(most, path, message):
    """A limit on characters, as a function of how many there are."""
    return pytest.param(message, most, path, id=f"{path}<={most}")


@pytest.mark.parametrize(
    ("message", "most", "path"),
    [
        long_text(4096, "text.body", lambda s: text(s)),
        long_text(1024, "image.caption", lambda s: image(id="1", caption=s)),
        long_text(1024, "video.caption", lambda s: video(id="1", caption=s)),
        long_text(1024, "document.caption", lambda s: document(id="1", caption=s)),
        long_text(512, "biz_opaque_callback_data", lambda s: {**text("Hi"), "biz_opaque_callback_data": s}),
        long_text(1024, f"{I}.body.text", lambda s: buttons(s, {"a": "A"})),
        long_text(60, f"{I}.header.text", lambda s: buttons("B", {"a": "A"}, header=s)),
        long_text(60, f"{I}.footer.text", lambda s: buttons("B", {"a": "A"}, footer=s)),
        long_text(20, f"{A}.buttons[1].reply.title", lambda s: buttons("B", {"a": "A", "b": s})),
        long_text(256, f"{A}.buttons[0].reply.id", lambda s: buttons("B", {s: "A"})),
        long_text(4096, f"{I}.body.text", lambda s: list_picker(s, "P", {"a": "A"})),
        long_text(60, f"{I}.header.text", lambda s: list_picker("B", "P", {"a": "A"}, header=s)),
        long_text(20, f"{A}.button", lambda s: list_picker("B", s, {"a": "A"})),
        long_text(24, f"{A}.sections[0].title", lambda s: list_picker("B", "P", sections={s: {"a": "A"}})),
        long_text(200, f"{A}.sections[0].rows[0].id", lambda s: list_picker("B", "P", {s: "A"})),
        long_text(24, f"{A}.sections[0].rows[0].title", lambda s: list_picker("B", "P", {"a": s})),
        long_text(
            72, f"{A}.sections[0].rows[0].description", lambda s: list_picker("B", "P", [("a", "A", s)])
        ),
        long_text(20, f"{A}.parameters.display_text", lambda s: cta_url("B", s, LINK)),
        long_text(30, f"{A}.parameters.flow_cta", lambda s: flow("B", s, flow_id="1")),
        long_text(24, f"{A}.sections[0].title", lambda s: product_list("H", "B", "C", {s: ["P"]})),
        long_text(
            160,
            f"{A}.cards[0].body.text",
            lambda s: carousel(
                "B", [link_card(PICTURE, "Buy", LINK, body=s), link_card(PICTURE, "Buy", LINK)]
            ),
        ),
        long_text(
            20,
            f"{A}.cards[1].action.parameters.display_text",
            lambda s: carousel("B", [link_card(PICTURE, "Buy", LINK), link_card(PICTURE, s, LINK)]),
        ),
        long_text(
            20,
            f"{A}.cards[1].action.buttons[0].quick_reply.title",
            lambda s: carousel("B", [reply_card(PICTURE, {"a": "A"}), reply_card(PICTURE, {"a": s})]),
        ),
        long_text(20, f"{A}.parameters.display_text", lambda s: voice_call("B", display_text=s)),
        long_text(512, f"{A}.parameters.payload", lambda s: voice_call("B", payload=s)),
        long_text(35, f"{A}.parameters.reference_id", lambda s: order_status("B", reference_id=s)),
        long_text(512, "template.name", lambda s: template(s, "en")),
        long_text(60, "header", lambda s: template("T", "en", header=s)),
        long_text(32768, "body[0]", lambda s: template("T", "en", body=s)),
        long_text(1024, "body[0]", lambda s: template("T", "en", body=s, buttons=[url_button("a")])),
    ],
)
def test_a_text_may_be_as_long_as_its_limit_and_no_longer(message, most, path):
    assert problems(message("ä" * most)) == []
    assert problems(message("ä" * (most + 1))) == [f"{path}: {most + 1} characters, at most {most}"]


def test_a_character_counts_once_however_many_units_it_takes():
    assert problems(buttons("B", {"a": "👍" * 20})) == []


def rows(n):
    return {f"r{k}": f"R{k}" for k in range(n)}


def sections(n):
    return {f"S{k}": [f"P{k}"] for k in range(n)}


@pytest.mark.parametrize(
    ("message", "least", "most", "path", "what"),
    [
        (lambda n: buttons("B", rows(n)), 1, 3, f"{A}.buttons", "items"),
        (lambda n: product_list("H", "B", "C", sections(n)), 1, 10, f"{A}.sections", "items"),
        (lambda n: carousel("B", [link_card(PICTURE, "Buy", LINK)] * n), 2, 10, f"{A}.cards", "items"),
    ],
)
def test_a_list_may_be_as_long_as_its_limit_and_no_longer(message, least, most, path, what):
    assert problems(message(least)) == []
    assert problems(message(most)) == []
    assert problems(message(least - 1)) == [f"{path}: {least - 1} {what}, at least {least}"]
    assert f"{path}: {most + 1} {what}, at most {most}" in problems(message(most + 1))


def test_a_list_has_ten_rows_in_all_sections():
    message = list_picker("B", "P", sections={"S": rows(5), "T": rows(5)})
    assert problems(message) == []
    message = list_picker("B", "P", sections={"S": rows(5), "T": rows(6)})
    assert problems(message) == [f"{A}.sections: 11 rows in all sections, at most 10"]


def test_a_product_list_has_thirty_products_in_all_sections():
    products = [str(n) for n in range(15)]
    assert problems(product_list("H", "B", "C", {"S": products, "T": products})) == []
    message = product_list("H", "B", "C", {"S": products, "T": [*products, "one more"]})
    assert problems(message) == [f"{A}.sections: 31 product_items in all sections, at most 30"]


@pytest.mark.parametrize(
    ("message", "violations"),
    [
        # The envelope
        ({}, ["type: missing"]),
        ({"type": None}, ["type: missing"]),
        ({"type": ""}, ["type: empty"]),
        ({"type": 3}, ["type: must be a string"]),
        ([], ["message: must be an object"]),
        ({"type": "text"}, ["text: missing"]),
        ({"text": {}}, ["text.body: missing"]),
        ({"type": "text", "text": "Hi"}, ["text: must be an object"]),
        ({"type": "template", "text": {"body": "Hi"}}, ["template: missing"]),
        ({**text("Hi"), "context": {}}, ["context.message_id: missing"]),
        ({**text("Hi"), "context": "wamid.1"}, ["context: must be an object"]),
        ({**text("Hi"), "biz_opaque_callback_data": 3}, ["biz_opaque_callback_data: must be a string"]),
        # Content
        (by_hand("text", {}), ["text.body: missing"]),
        (by_hand("text", {"body": ""}), ["text.body: empty"]),
        (by_hand("text", {"body": 3}), ["text.body: must be a string"]),
        (by_hand("text", {"body": "Hi", "preview_url": "yes"}), ["text.preview_url: must be true or false"]),
        (by_hand("image", {}), ["image: needs id or link"]),
        (by_hand("image", {"id": "1", "link": LINK}), ["image: needs id or link, not both"]),
        (by_hand("image", {"link": "ftp://a"}), ["image.link: must start with http:// or https://"]),
        (by_hand("image", {"link": "http://"}), ["image.link: must start with http:// or https://"]),
        (by_hand("image", {"link": 3}), ["image.link: must be a string"]),
        (by_hand("image", {"id": ""}), ["image.id: empty"]),
        (by_hand("image", {"id": True}), ["image.id: must be a string"]),
        (by_hand("document", {"id": "1", "filename": 3}), ["document.filename: must be a string"]),
        (by_hand("audio", {"id": "1", "caption": "C"}), ["audio.caption: not allowed here"]),
        (by_hand("audio", "1"), ["audio: must be an object"]),
        (by_hand("audio", {"id": "1", "voice": 3}), ["audio.voice: must be true or false"]),
        (by_hand("sticker", {"id": "1", "caption": "C"}), ["sticker.caption: not allowed here"]),
        (by_hand("location", {}), ["location.latitude: missing", "location.longitude: missing"]),
        (location(91, 0), ["location.latitude: must be from -90 to 90"]),
        (location(0, "-180.1"), ["location.longitude: must be from -180 to 180"]),
        (
            location("north", True),
            ["location.latitude: must be a number", "location.longitude: must be a number"],
        ),
        (
            location(float("nan"), odd(None)),
            ["location.latitude: must be from -90 to 90", "location.longitude: missing"],
        ),
        (by_hand("contacts", []), ["contacts: 0 items, at least 1"]),
        (by_hand("contacts", {"name": {}}), ["contacts: must be a list"]),
        (by_hand("contacts", [{}]), ["contacts[0].name: missing"]),
        (
            by_hand("contacts", [{"name": {}}]),
            [
                "contacts[0].name.formatted_name: missing",
                "contacts[0].name: needs one of first_name, last_name, middle_name, suffix, prefix",
            ],
        ),
        (contacts(contact("A", birthday="31.1.2000")), ["contacts[0].birthday: must look like YYYY-MM-DD"]),
        (contacts(contact("A", phones=odd("+1"))), ["contacts[0].phones: must be a list"]),
        (contacts(contact("A", phones=[odd("+1")])), ["contacts[0].phones[0]: must be an object"]),
        (by_hand("reaction", {}), ["reaction.message_id: missing", "reaction.emoji: missing"]),
        # Interactive
        (by_hand("interactive", {}), [f"{I}.type: missing"]),
        (by_hand("interactive", {"type": "button"}), [f"{I}.body: missing", f"{I}.action: missing"]),
        (buttons("", {"a": "A"}), [f"{I}.body.text: empty"]),
        (buttons("B", {"a": ""}), [f"{A}.buttons[0].reply.title: empty"]),
        (buttons("B", {" a": "A"}), [f"{A}.buttons[0].reply.id: starts or ends with a space"]),
        (buttons("B", [("a", "A"), ("a", "B")]), [f"{A}.buttons[1].reply.id: the same as in item 0"]),
        (buttons("B", {"a": "A", "b": "A"}), [f"{A}.buttons[1].reply.title: the same as in item 0"]),
        (tapped("button", {}), [f"{A}.buttons: missing"]),
        (tapped("button", {"buttons": [{"reply": {}}]}), [f"{A}.buttons[0].type: missing"]),
        (tapped("button", {"buttons": [{"type": "url"}]}), [f"{A}.buttons[0].type: must be reply"]),
        (tapped("button", {"buttons": [{"type": "reply"}]}), [f"{A}.buttons[0].reply: missing"]),
        (
            buttons("B", {"a": "A"}, header=audio(id="1")),
            [f"{I}.header.type: must be text or image or video or document"],
        ),
        (buttons("B", {"a": "A"}, header={"type": "image"}), [f"{I}.header.image: missing"]),
        (
            buttons("B", {"a": "A"}, header={"type": "text", "text": {}}),
            [f"{I}.header.text: must be a string"],
        ),
        (list_picker("B", "P", {"a": "A"}, header=odd(PICTURE)), [f"{I}.header.type: must be text"]),
        (list_picker("B", "P", {}), [f"{A}.sections[0].rows: 0 items, at least 1"]),
        (
            list_picker("B", "P", [("a", "A"), ("a", "B")]),
            [f"{A}.sections[0].rows[1].id: the same as in item 0"],
        ),
        (
            list_picker("B", "P", sections={"S": {"a": "A"}, "": {"b": "B"}}),
            [f"{A}.sections[1].title: missing, as there are more sections than one"],
        ),
        (cta_url("B", "See", "a.example"), [f"{A}.parameters.url: must start with http:// or https://"]),
        (tapped("cta_url", {"name": "link"}), [f"{A}.name: must be cta_url", f"{A}.parameters: missing"]),
        (
            tapped("flow", {"name": "flow", "parameters": {"flow_cta": "Go"}}),
            [f"{A}.parameters.flow_message_version: missing", f"{A}.parameters: needs flow_id or flow_name"],
        ),
        (
            flow("B", "Go", flow_id="1", mode=odd("live")),
            [f"{A}.parameters.mode: must be draft or published"],
        ),
        (
            flow("B", "Go", flow_id="1", action=odd("go")),
            [f"{A}.parameters.flow_action: must be navigate or data_exchange"],
        ),
        (
            {"type": "interactive", "interactive": {**product("C", "P")["interactive"], "header": PICTURE}},
            [f"{I}.header: not allowed here"],
        ),
        (tapped("product", {}), [f"{A}.catalog_id: missing", f"{A}.product_retailer_id: missing"]),
        (product_list(odd(None), "B", "C", {"S": ["P"]}), [f"{I}.header: missing"]),
        (
            product_list("H", "B", "C", {"S": []}),
            [f"{A}.sections[0].product_items: 0 items, at least 1"],
        ),
        (tapped("location_request_message", {"name": "location"}), [f"{A}.name: must be send_location"]),
        (
            tapped("address_message", {"name": "address_message", "parameters": {}}),
            [f"{A}.parameters.country: missing"],
        ),
        (voice_call("B", ttl_minutes=0), [f"{A}.parameters.ttl_minutes: must be from 1 to 43200"]),
        (voice_call("B", ttl_minutes=odd(1.5)), [f"{A}.parameters.ttl_minutes: must be a whole number"]),
        (
            order_details(
                "B", reference_id="R", goods=odd("x"), currency="BRL", total_amount=odd({"value": 1.5})
            ),
            [
                f"{A}.parameters.total_amount.value: must be a whole number",
                f"{A}.parameters.total_amount.offset: missing",
                f"{A}.parameters.type: must be digital-goods or physical-goods",
            ],
        ),
        # Carousels
        (
            carousel("B", [reply_card(PICTURE, {"a": "A"}), reply_card(PICTURE, {"a": "A", "b": "B"})]),
            [f"{A}.cards[1].action: not of the same kind as in item 0"],
        ),
        (
            carousel("B", [link_card(odd(document(id="1")), "Buy", LINK)] * 2),
            [f"{A}.cards[{n}].header.type: must be image or video" for n in (0, 1)],
        ),
        (
            carousel(
                "B", [link_card(PICTURE, "Buy", LINK, body="a\nb\nc\nd"), link_card(PICTURE, "Buy", LINK)]
            ),
            [f"{A}.cards[0].body.text: at most 2 line breaks"],
        ),
        (
            tapped("carousel", {"cards": [{"card_index": 0, **product_card("C", "P")}] * 2}),
            [f"{A}.cards[1].card_index: the same as in item 0"],
        ),
        (
            tapped("carousel", {"cards": [{"card_index": n, **product_card("C", "P")} for n in (9, 10)]}),
            [f"{A}.cards[1].card_index: must be from 0 to 9"],
        ),
        (
            tapped(
                "carousel",
                {"cards": [{"card_index": n, **product_card("C", "P")} for n in (0, 1)]},
                footer={},
            ),
            [f"{I}.footer.text: missing", f"{I}.footer: not allowed here"],
        ),
        # Templates
        (by_hand("template", {}), ["template.name: missing", "template.language: missing"]),
        (by_hand("template", {"name": "T", "language": "en"}), ["template.language: must be an object"]),
        (by_hand("template", {"name": "T", "language": {}}), ["template.language.code: missing"]),
        (
            by_hand("template", {"name": "T", "language": {"code": "en", "policy": "fallback"}}),
            ["template.language.policy: must be deterministic"],
        ),
        (filled("body"), ["template.components[0]: must be an object"]),
        (filled({"parameters": []}), ["template.components[0].type: missing"]),
        (filled({"type": "body", "parameters": {}}), ["body: must be a list"]),
        (filled({"type": "body", "parameters": [{}]}), ["body[0].type: missing"]),
        (filled({"type": "body", "parameters": [{"type": "text"}]}), ["body[0]: missing"]),
        (template("T", "en", body=[odd(3)]), ["body[0]: must be a string"]),
        (template("T", "en", body=[""]), ["body[0]: empty"]),
        (template("T", "en", body={"": "Ann"}), ["body[0].parameter_name: empty"]),
        (
            template("T", "en", header=image(link="x")),
            ["header.link: must start with http:// or https://"],
        ),
        (template("T", "en", body=[currency("1", odd(None), 1)]), ["body[0].code: missing"]),
        (template("T", "en", body=[date_time("")]), ["body[0].fallback_value: empty"]),
        (
            filled({"type": "button"}),
            ["template.components[0].sub_type: missing", "template.components[0].index: missing"],
        ),
        (
            template("T", "en", buttons={10: url_button("a")}),
            ["template.components[0].index: must be from 0 to 9"],
        ),
        (
            filled({"type": "button", "sub_type": "url", "index": "first"}),
            [
                "template.components[0].index: must be a whole number",
                "template.components[0].parameters: missing",
            ],
        ),
        (template("T", "en", buttons=[url_button("")]), ["buttons[0]: empty"]),
        (template("T", "en", buttons=[copy_code_button(odd(None))]), ["buttons[0]: missing"]),
        (
            template("T", "en", offer_expires_ms=odd("soon")),
            ["offer_expires_ms: must be a whole number"],
        ),
        (template("T", "en", cards=[]), ["cards: 0 items, at least 1"]),
        (
            template("T", "en", cards=[[]] * 11),
            [
                "cards: 11 items, at most 10",
                "cards[10].card_index: must be from 0 to 9",
            ],
        ),
        (
            template("T", "en", cards=[template_card(body=[""])]),
            ["cards[0].body[0]: empty"],
        ),
    ],
)
def test_what_is_certain_to_fail_is_refused_at_its_path(message, violations):
    assert problems(message) == violations


@pytest.mark.parametrize("unfit", ["a\nb", "a\tb", "a\rb", "a     b"])
def test_a_placeholder_takes_no_newline_and_the_remedy_is_named(unfit):
    problem = 'holds a newline, a tab or more than 4 spaces in a row: flatten it with on_newline="flatten"'
    assert problems(template("T", "en", body=[unfit])) == [f"body[0]: {problem}"]
    assert problems(template("T", "en", header=unfit)) == [f"header: {problem}"]


def test_four_spaces_in_a_row_fit_into_a_placeholder():
    assert problems(template("T", "en", body=["a    b"])) == []


def test_on_premise_wants_a_namespace_and_cloud_does_not():
    assert problems(template("T", "en"), ON_PREMISE) == ["template.namespace: missing"]
    assert problems(template("T", "en", namespace="N"), ON_PREMISE) == []
    assert problems(template("T", "en", namespace="N"), CLOUD) == []


def test_all_violations_are_listed_at_once():
    message = buttons("", {"a": "A" * 21, "b": "B", "c": "C", "d": "D"}, footer="F" * 61)
    assert [one.path for one in check(message, CLOUD)] == [
        f"{I}.body.text",
        f"{A}.buttons",
        f"{A}.buttons[0].reply.title",
        f"{I}.footer.text",
    ]


def test_a_violation_reads_as_path_problem_and_source():
    (violation,) = check(buttons("B", {"a": "A", "b": "B", "c": "x" * 27}), CLOUD)
    page = "https://developers.facebook.com/documentation/business-messaging/whatsapp/messages"
    assert str(violation) == (
        f"{A}.buttons[2].reply.title: 27 characters, at most 20 ({page}/interactive-reply-buttons-messages)"
    )


GARBAGE: tuple[object, ...] = (
    None, True, False, 0, -1, 10**5000, 1e308, float("nan"), float("inf"), "", "SECRET", "SECRET" * 999,
    "\ud800", [], {}, [[]], [{}], {"SECRET": 1}, {"type": []}, {"type": "text"}, [None, "SECRET"],
)  # fmt: skip


def spots(value, path=()):
    yield path
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from spots(inner, (*path, key))


def replaced(message, path, value):
    if not path:
        return value
    changed = message.copy()
    changed[path[0]] = replaced(message[path[0]], path[1:], value)
    return changed


@pytest.mark.parametrize("name", VALID)
def test_garbage_anywhere_never_raises_and_is_never_repeated(name):
    luck = random.Random(name)  # noqa: S311
    message = json.loads(json.dumps(VALID[name]))
    for path in spots(message):
        for garbage in luck.sample(GARBAGE, 3):
            for violation in check(replaced(message, path, garbage), ON_PREMISE):
                assert violation.problem
                assert "SECRET" not in str(violation)


def test_a_message_nested_without_end_never_raises():
    deep: dict[str, object] = {}
    for _ in range(20000):
        deep = {"type": "carousel", "cards": [{"card_index": 0, "components": [deep], "header": deep}]}
    assert check(filled(deep), CLOUD) == []
    assert check(tapped("carousel", {"cards": [deep, deep], "name": deep}), CLOUD)


def test_a_missing_type_anywhere_is_found_where_it_is_missing():
    message = tapped("button", {"buttons": [button()]}, header={"text": "H"})
    assert problems(message) == [f"{I}.header.type: missing"]
