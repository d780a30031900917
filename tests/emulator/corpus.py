"""
Message bodies that WhatsApp documents as invalid, and bodies that it takes: one a line, each with its source.

A body here has no recipient: :func:`addressed` adds what every body needs. ``INVALID`` maps a name to the error
code on cloud, the page that states the rule, and the body; ``VALID`` maps a name to a body.
"""

from __future__ import annotations

from typing import Any, NamedTuple

JSONObject = dict[str, Any]

META = "https://developers.facebook.com/documentation/business-messaging/whatsapp"
MESSAGE = f"{META}/reference/whatsapp-business-phone-number/message-api"
TEXT = f"{META}/messages/text-messages"
MEDIA = f"{META}/business-phone-numbers/media"
IMAGE = f"{META}/messages/image-messages"
AUDIO = f"{META}/messages/audio-messages"
STICKER = f"{META}/messages/sticker-messages"
DOCUMENT = f"{META}/messages/document-messages"
PLACE = f"{META}/messages/location-messages"
CONTACTS = f"{META}/messages/contacts-messages"
REACTION = f"{META}/messages/reaction-messages"
BUTTONS = f"{META}/messages/interactive-reply-buttons-messages"
LIST = f"{META}/messages/interactive-list-messages"
CTA = f"{META}/messages/interactive-cta-url-messages"
CAROUSEL = f"{META}/messages/interactive-media-carousel-messages"
LOCATION_REQUEST = f"{META}/messages/location-request-messages"
ADDRESS = f"{META}/messages/address-messages"
FLOW = f"{META}/flows/guides/sendingaflow"
PRODUCTS = (
    "https://docs.360dialog.com/docs/waba-messaging/interactive-messages/single-and-multi-product-messages"
)
TEMPLATE = f"{META}/templates/components"
CARDS = f"{META}/templates/marketing-templates/media-card-carousel-templates"
CODES = f"{META}/support/error-codes"

LINK = "https://a.example/1.png"


class Invalid(NamedTuple):
    """
    A body that the service refuses.

    :param code: The error code on cloud.
    :param source: The page that states the rule.
    :param body: The body, without a recipient.
    """

    code: int
    source: str
    body: JSONObject


def addressed(body: JSONObject, *, hosting: str = "cloud") -> JSONObject:
    """Add recipient, recipient type and, off on-premise, the product; what ``body`` has itself stays."""
    product = {} if hosting == "on_premise" else {"messaging_product": "whatsapp"}
    return {**product, "recipient_type": "individual", "to": "4915112345678", **body}


def message(kind: str, content: object, **more: object) -> JSONObject:
    return {"type": kind, kind: content, **more}


def text(body: object = "Hi", **more: object) -> JSONObject:
    return message("text", {"body": body}, **more)


def media(kind: str, **content: object) -> JSONObject:
    return message(kind, content)


def tapped(kind: str, action: object, **more: object) -> JSONObject:
    content = {"type": kind, "body": {"text": "B"}, "action": action, **more}
    return message("interactive", {name: value for name, value in content.items() if value is not None})


def reply(button_id: object = "a", title: object = "A", **more: object) -> JSONObject:
    return {"type": "reply", "reply": {"id": button_id, "title": title}, **more}


def buttons(*replies: object, **more: object) -> JSONObject:
    return tapped("button", {"buttons": list(replies)}, **more)


def row(row_id: object = "a", title: object = "A", **more: object) -> JSONObject:
    return {"id": row_id, "title": title, **more}


def section(*rows: object, **more: object) -> JSONObject:
    return {"rows": list(rows), **more}


def listed(*sections: object, button: object = "Pick", **more: object) -> JSONObject:
    return tapped("list", {"button": button, "sections": list(sections)}, **more)


def link(display_text: object = "See", url: object = LINK, **more: object) -> JSONObject:
    parameters = {"display_text": display_text, "url": url}
    return tapped("cta_url", {"name": "cta_url", "parameters": parameters}, **more)


def flow(**change: object) -> JSONObject:
    parameters = {"flow_message_version": "3", "flow_id": "1", "flow_cta": "Go", **change}
    kept = {name: value for name, value in parameters.items() if value is not None}
    return tapped("flow", {"name": "flow", "parameters": kept})


def card(index: object = 0, kind: str = "image", **change: object) -> JSONObject:
    action = {"name": "cta_url", "parameters": {"display_text": "Buy", "url": LINK}}
    header = {"type": kind, kind: {"link": LINK}}
    whole = {"card_index": index, "type": "cta_url", "header": header, "action": action, **change}
    return {name: value for name, value in whole.items() if value is not None}


def carousel(*cards: object, **more: object) -> JSONObject:
    return tapped("carousel", {"cards": list(cards)}, **more)


def products(*groups: JSONObject, **more: object) -> JSONObject:
    header = {"type": "text", "text": "H"}
    return tapped("product_list", {"catalog_id": "1", "sections": list(groups)}, **{"header": header, **more})


def goods(count: int, title: str | None = "S") -> JSONObject:
    named = {} if title is None else {"title": title}
    return {**named, "product_items": [{"product_retailer_id": str(number)} for number in range(count)]}


def template(*components: object, **more: object) -> JSONObject:
    content = {"name": "t", "language": {"code": "en"}, "components": list(components), **more}
    return message("template", {name: value for name, value in content.items() if value is not None})


def word(value: object = "Ann", **more: object) -> JSONObject:
    return {"type": "text", "text": value, **more}


def body(*parameters: object) -> JSONObject:
    return {"type": "body", "parameters": list(parameters)}


def header(*parameters: object) -> JSONObject:
    return {"type": "header", "parameters": list(parameters)}


def button(sub_type: object, index: object, *parameters: object) -> JSONObject:
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": list(parameters)}


def money(amount: object = 1000) -> JSONObject:
    return {"type": "currency", "currency": {"fallback_value": "1", "code": "EUR", "amount_1000": amount}}


def cards(*indexes: object, **more: object) -> JSONObject:
    each = {"components": [header({"type": "image", "image": {"id": "1"}})], **more}
    return {"type": "carousel", "cards": [{"card_index": index, **each} for index in indexes]}


def person(**change: object) -> JSONObject:
    whole = {"name": {"formatted_name": "Ann", "first_name": "Ann"}, **change}
    return message("contacts", [{name: value for name, value in whole.items() if value is not None}])


NAMED = {"name": {"formatted_name": "Ann", "first_name": "Ann"}}
PICTURE = {"type": "image", "image": {"link": LINK}}

INVALID: dict[str, Invalid] = {
    # Envelope
    "to missing": Invalid(131008, MESSAGE, text(to=None)),
    "to empty": Invalid(131008, MESSAGE, text(to="")),
    "to a number": Invalid(131009, MESSAGE, text(to=4915112345678)),
    "to a list": Invalid(131009, MESSAGE, text(to=["4915112345678"])),
    "to a word": Invalid(131009, MESSAGE, text(to="Ann")),
    "to an e-mail address": Invalid(131009, MESSAGE, text(to="a@b.example")),
    "to with a float's end": Invalid(131009, MESSAGE, text(to="4915112345678.0")),
    "to too long for a number": Invalid(131009, MESSAGE, text(to="4915112345678901")),
    "to too short for a number": Invalid(131009, MESSAGE, text(to="110")),
    "to in national form": Invalid(131009, MESSAGE, text(to="015112345678")),
    "to with an extension": Invalid(131009, MESSAGE, text(to="+4915112345678 ext 5")),
    "recipient no user id": Invalid(131009, MESSAGE, text(to=None, recipient="Ann")),
    "recipient without country": Invalid(131009, MESSAGE, text(to=None, recipient="1502.BR")),
    "recipient type unknown": Invalid(100, MESSAGE, text(recipient_type="everybody")),
    "recipient type a list": Invalid(100, MESSAGE, text(recipient_type=["individual"])),
    "product missing": Invalid(100, MESSAGE, text(messaging_product=None)),
    "product wrong": Invalid(100, MESSAGE, text(messaging_product="sms")),
    "product in capitals": Invalid(100, MESSAGE, text(messaging_product="WhatsApp")),
    "type unknown": Invalid(131051, CODES, message("telepathy", {})),
    "type in capitals": Invalid(131051, CODES, {"type": "TEXT", "text": {"body": "Hi"}}),
    "type with a capital": Invalid(131051, CODES, {"type": "Text", "text": {"body": "Hi"}}),
    "type a list": Invalid(131051, CODES, {"type": ["text"], "text": {"body": "Hi"}}),
    "type null": Invalid(131051, CODES, {"type": None, "text": {"body": "Hi"}}),
    "type hsm": Invalid(131051, CODES, message("hsm", {"element_name": "x"})),
    "neither type nor text": Invalid(131008, MESSAGE, {"image": {"link": LINK}}),
    "content missing": Invalid(131008, MESSAGE, {"type": "image"}),
    "content of another type": Invalid(131008, MESSAGE, {"type": "image", "text": {"body": "Hi"}}),
    "content a string": Invalid(131009, MESSAGE, message("text", "Hi")),
    "callback data of 513": Invalid(131009, MESSAGE, text(biz_opaque_callback_data="x" * 513)),
    "callback data an object": Invalid(131009, MESSAGE, text(biz_opaque_callback_data={"a": 1})),
    "callback data a number": Invalid(131009, MESSAGE, text(biz_opaque_callback_data=1)),
    "context without message": Invalid(131008, MESSAGE, text(context={})),
    "context's message empty": Invalid(131008, MESSAGE, text(context={"message_id": ""})),
    "context a string": Invalid(131009, MESSAGE, text(context="wamid.1")),
    "context's message a number": Invalid(131009, MESSAGE, text(context={"message_id": 1})),
    # Text
    "text of 4097": Invalid(100, TEXT, text("x" * 4097)),
    "text empty": Invalid(131008, TEXT, text("")),
    "text blank": Invalid(131008, TEXT, text(" \n ")),
    "text missing": Invalid(131008, TEXT, message("text", {})),
    "text null": Invalid(131008, TEXT, text(None)),
    "text a number": Invalid(131009, TEXT, text(5)),
    "text a list": Invalid(131009, TEXT, text(["Hi"])),
    "preview a word": Invalid(131009, TEXT, message("text", {"body": "Hi", "preview_url": "maybe"})),
    "text with another key": Invalid(100, TEXT, message("text", {"body": "Hi", "caption": "x"})),
    # Media
    "media by nothing": Invalid(131008, IMAGE, media("image", caption="C")),
    "media by both": Invalid(131008, IMAGE, media("image", id="1", link=LINK)),
    "media with an empty id": Invalid(131009, IMAGE, media("image", id="")),
    "media with an empty link": Invalid(131009, IMAGE, media("image", link="")),
    "media with a blank link": Invalid(131009, IMAGE, media("image", link="  ")),
    "media with a local path": Invalid(131009, IMAGE, media("image", link="/data/a.png")),
    "media over ftp": Invalid(131009, IMAGE, media("image", link="ftp://a.example/1.png")),
    "media with a space in the link": Invalid(
        131009, IMAGE, media("image", link="https://a.example/a b.png")
    ),
    "media link without host": Invalid(131009, IMAGE, media("image", link="https:///1.png")),
    "media link a number": Invalid(131009, IMAGE, media("image", link=5)),
    "caption of 1025": Invalid(131009, IMAGE, media("image", id="1", caption="x" * 1025)),
    "caption of a video of 1025": Invalid(131009, IMAGE, media("video", id="1", caption="x" * 1025)),
    "caption of a document of 1025": Invalid(131009, DOCUMENT, media("document", id="1", caption="x" * 1025)),
    "caption a number": Invalid(131009, IMAGE, media("image", id="1", caption=5)),
    "audio with a caption": Invalid(100, AUDIO, media("audio", id="1", caption="C")),
    "audio with a filename": Invalid(100, AUDIO, media("audio", id="1", filename="a.mp3")),
    "audio's voice a word": Invalid(131009, AUDIO, media("audio", id="1", voice="maybe")),
    "sticker with a caption": Invalid(100, STICKER, media("sticker", id="1", caption="C")),
    "image with a filename": Invalid(100, IMAGE, media("image", id="1", filename="a.png")),
    "video with a filename": Invalid(100, IMAGE, media("video", id="1", filename="a.mp4")),
    "image with voice": Invalid(100, IMAGE, media("image", id="1", voice=True)),
    "filename a number": Invalid(131009, DOCUMENT, media("document", id="1", filename=5)),
    "media with a path": Invalid(100, IMAGE, media("image", path="/data/a.png")),
    # Location
    "location without longitude": Invalid(131008, PLACE, message("location", {"latitude": 1})),
    "location without latitude": Invalid(131008, PLACE, message("location", {"longitude": 1})),
    "latitude of 91": Invalid(131009, PLACE, message("location", {"latitude": 91, "longitude": 1})),
    "longitude of -181": Invalid(131009, PLACE, message("location", {"latitude": 1, "longitude": "-181"})),
    "latitude a word": Invalid(131009, PLACE, message("location", {"latitude": "north", "longitude": 1})),
    "latitude true": Invalid(131009, PLACE, message("location", {"latitude": True, "longitude": 1})),
    "location's name a number": Invalid(
        131009, PLACE, message("location", {"latitude": 1, "longitude": 1, "name": 5})
    ),
    # Contacts
    "contacts an object": Invalid(131009, CONTACTS, message("contacts", NAMED)),
    "contacts empty": Invalid(131008, CONTACTS, message("contacts", [])),
    "contact without name": Invalid(131008, CONTACTS, person(name=None)),
    "contact without formatted name": Invalid(131008, CONTACTS, person(name={"first_name": "Ann"})),
    "contact without name part": Invalid(131008, CONTACTS, person(name={"formatted_name": "Ann"})),
    "contact's birthday in another form": Invalid(131009, CONTACTS, person(birthday="31.01.2000")),
    "contact's phones an object": Invalid(131009, CONTACTS, person(phones={"phone": "1"})),
    "contact's phone a string": Invalid(131009, CONTACTS, person(phones=["1"])),
    "contact with another key": Invalid(100, CONTACTS, person(nickname="A")),
    # Reaction
    "reaction without emoji": Invalid(131008, REACTION, message("reaction", {"message_id": "wamid.1"})),
    "reaction without message": Invalid(131008, REACTION, message("reaction", {"emoji": "👍"})),
    "reaction to nothing": Invalid(131008, REACTION, message("reaction", {"message_id": "", "emoji": "👍"})),
    "reaction with a word": Invalid(
        131009, REACTION, message("reaction", {"message_id": "wamid.1", "emoji": "ok"})
    ),
    "reaction with two emoji": Invalid(
        131009, REACTION, message("reaction", {"message_id": "wamid.1", "emoji": "👍👎"})
    ),
    "reaction as a reply": Invalid(
        131009,
        REACTION,
        message("reaction", {"message_id": "wamid.1", "emoji": "👍"}, context={"message_id": "wamid.1"}),
    ),
    # Interactive, in general
    "interactive without type": Invalid(
        131008, BUTTONS, message("interactive", {"body": {"text": "B"}, "action": {}})
    ),
    "interactive of an unknown type": Invalid(131009, BUTTONS, tapped("riddle", {})),
    "interactive type in capitals": Invalid(131009, BUTTONS, tapped("BUTTON", {"buttons": [reply()]})),
    "interactive without action": Invalid(131008, BUTTONS, tapped("button", None)),
    "interactive without body": Invalid(131008, BUTTONS, buttons(reply(), body=None)),
    "interactive body empty": Invalid(131009, BUTTONS, buttons(reply(), body={"text": ""})),
    "interactive body of 1025": Invalid(131009, BUTTONS, buttons(reply(), body={"text": "x" * 1025})),
    "interactive body a string": Invalid(131009, BUTTONS, buttons(reply(), body="B")),
    "footer of 61": Invalid(131009, BUTTONS, buttons(reply(), footer={"text": "x" * 61})),
    "footer a string": Invalid(131009, BUTTONS, buttons(reply(), footer="F")),
    "text header of 61": Invalid(
        131009, BUTTONS, buttons(reply(), header={"type": "text", "text": "x" * 61})
    ),
    "header of an unknown type": Invalid(
        131009, BUTTONS, buttons(reply(), header={"type": "audio", "audio": {"id": "1"}})
    ),
    "header without content": Invalid(131008, BUTTONS, buttons(reply(), header={"type": "image"})),
    "header with a caption": Invalid(
        100, BUTTONS, buttons(reply(), header={"type": "image", "image": {"id": "1", "caption": "C"}})
    ),
    "header a string": Invalid(131009, BUTTONS, buttons(reply(), header="H")),
    "interactive with another key": Invalid(100, BUTTONS, buttons(reply(), buttons=[])),
    # Reply buttons
    "no button": Invalid(131009, BUTTONS, buttons()),
    "four buttons": Invalid(131009, BUTTONS, buttons(*(reply(str(n), str(n)) for n in range(4)))),
    "buttons missing": Invalid(131008, BUTTONS, tapped("button", {})),
    "button title of 21": Invalid(131009, BUTTONS, buttons(reply(title="x" * 21))),
    "button title empty": Invalid(131009, BUTTONS, buttons(reply(title=""))),
    "button title missing": Invalid(131008, BUTTONS, buttons({"type": "reply", "reply": {"id": "a"}})),
    "button id of 257": Invalid(131009, BUTTONS, buttons(reply("x" * 257))),
    "button id empty": Invalid(131009, BUTTONS, buttons(reply(""))),
    "button id with spaces around": Invalid(131009, BUTTONS, buttons(reply(" a "))),
    "button id a number": Invalid(131009, BUTTONS, buttons(reply(1))),
    "two buttons with one id": Invalid(131009, BUTTONS, buttons(reply("a", "A"), reply("a", "B"))),
    "two buttons with one title": Invalid(131009, BUTTONS, buttons(reply("a", "A"), reply("b", "A"))),
    "button of another type": Invalid(131009, BUTTONS, buttons({"type": "url", "url": LINK})),
    "button without reply": Invalid(131008, BUTTONS, buttons({"type": "reply"})),
    "button without type": Invalid(131008, BUTTONS, buttons({"reply": {"id": "a", "title": "A"}})),
    # List
    "list without button": Invalid(131008, LIST, tapped("list", {"sections": [section(row())]})),
    "list button of 21": Invalid(131009, LIST, listed(section(row()), button="x" * 21)),
    "list button empty": Invalid(131009, LIST, listed(section(row()), button="")),
    "no section": Invalid(131009, LIST, listed()),
    "eleven sections": Invalid(
        131009, LIST, listed(*(section(row(str(n)), title=str(n)) for n in range(11)))
    ),
    "eleven rows": Invalid(131009, LIST, listed(section(*(row(str(n)) for n in range(11))))),
    "eleven rows in two sections": Invalid(
        131009,
        LIST,
        listed(
            section(*(row(str(n)) for n in range(6)), title="S"),
            section(*(row(str(n)) for n in range(6, 11)), title="T"),
        ),
    ),
    "section without rows": Invalid(131009, LIST, listed(section())),
    "two sections, one without title": Invalid(
        131009, LIST, listed(section(row("a"), title="S"), section(row("b")))
    ),
    "section title of 25": Invalid(131009, LIST, listed(section(row(), title="x" * 25))),
    "row title of 25": Invalid(131009, LIST, listed(section(row(title="x" * 25)))),
    "row title missing": Invalid(131008, LIST, listed(section({"id": "a"}))),
    "row id of 201": Invalid(131009, LIST, listed(section(row("x" * 201)))),
    "row id empty": Invalid(131009, LIST, listed(section(row("")))),
    "row description of 73": Invalid(131009, LIST, listed(section(row(description="x" * 73)))),
    "two rows with one id": Invalid(131009, LIST, listed(section(row("a", "A"), row("a", "B")))),
    "list with an image header": Invalid(131009, LIST, listed(section(row()), header=PICTURE)),
    "list body of 4097": Invalid(131009, LIST, listed(section(row()), body={"text": "x" * 4097})),
    # Link button
    "link without parameters": Invalid(131008, CTA, tapped("cta_url", {"name": "cta_url"})),
    "link without name": Invalid(
        131008, CTA, tapped("cta_url", {"parameters": {"display_text": "See", "url": LINK}})
    ),
    "link of another name": Invalid(
        131009, CTA, tapped("cta_url", {"name": "url", "parameters": {"display_text": "See", "url": LINK}})
    ),
    "link text of 21": Invalid(131009, CTA, link("x" * 21)),
    "link text empty": Invalid(131009, CTA, link("")),
    "link without scheme": Invalid(131009, CTA, link(url="a.example")),
    "link by mailto": Invalid(131009, CTA, link(url="mailto:a@b.example")),
    "link empty": Invalid(131009, CTA, link(url="")),
    # Flow
    "flow without id and name": Invalid(131008, FLOW, flow(flow_id=None)),
    "flow by id and name": Invalid(131009, FLOW, flow(flow_name="f")),
    "flow without text": Invalid(131008, FLOW, flow(flow_cta=None)),
    "flow text of 31": Invalid(131009, FLOW, flow(flow_cta="x" * 31)),
    "flow text with an emoji": Invalid(131009, FLOW, flow(flow_cta="Go 🚀")),
    "flow without version": Invalid(131008, FLOW, flow(flow_message_version=None)),
    "flow of an unknown version": Invalid(131009, FLOW, flow(flow_message_version="9")),
    "flow in an unknown mode": Invalid(131009, FLOW, flow(mode="test")),
    "flow with an unknown action": Invalid(131009, FLOW, flow(flow_action="open")),
    "flow navigates nowhere": Invalid(
        131008, FLOW, flow(flow_action="navigate", flow_action_payload={"data": {"a": 1}})
    ),
    "flow with empty data": Invalid(
        131009, FLOW, flow(flow_action="navigate", flow_action_payload={"screen": "S", "data": {}})
    ),
    "flow exchanges data with a payload": Invalid(
        131009, FLOW, flow(flow_action="data_exchange", flow_action_payload={"screen": "S"})
    ),
    # Products
    "product with a header": Invalid(
        131009,
        PRODUCTS,
        tapped(
            "product", {"catalog_id": "1", "product_retailer_id": "P"}, header={"type": "text", "text": "H"}
        ),
    ),
    "product without catalogue": Invalid(131008, PRODUCTS, tapped("product", {"product_retailer_id": "P"})),
    "product without id": Invalid(131008, PRODUCTS, tapped("product", {"catalog_id": "1"})),
    "products without header": Invalid(131008, PRODUCTS, products(goods(1), header=None)),
    "products with an image header": Invalid(131009, PRODUCTS, products(goods(1), header=PICTURE)),
    "31 products": Invalid(131009, PRODUCTS, products(goods(31))),
    "31 products in two sections": Invalid(131009, PRODUCTS, products(goods(16, "S"), goods(15, "T"))),
    "eleven sections of products": Invalid(
        131009, PRODUCTS, products(*(goods(1, str(n)) for n in range(11)))
    ),
    "section without products": Invalid(131009, PRODUCTS, products(goods(0))),
    "two sections of products, one without title": Invalid(
        131009, PRODUCTS, products(goods(1), goods(1, None))
    ),
    "catalogue of another name": Invalid(131009, PRODUCTS, tapped("catalog_message", {"name": "catalog"})),
    # Requests
    "location request with a header": Invalid(
        131009,
        LOCATION_REQUEST,
        tapped("location_request_message", {"name": "send_location"}, header={"type": "text", "text": "H"}),
    ),
    "location request with a footer": Invalid(
        131009,
        LOCATION_REQUEST,
        tapped("location_request_message", {"name": "send_location"}, footer={"text": "F"}),
    ),
    "location request of another name": Invalid(
        131009, LOCATION_REQUEST, tapped("location_request_message", {"name": "location"})
    ),
    "address request without country": Invalid(
        131008, ADDRESS, tapped("address_message", {"name": "address_message", "parameters": {}})
    ),
    # Carousel
    "carousel of one card": Invalid(131009, CAROUSEL, carousel(card())),
    "carousel of eleven cards": Invalid(131009, CAROUSEL, carousel(*(card(n) for n in range(11)))),
    "carousel with a header": Invalid(131009, CAROUSEL, carousel(card(0), card(1), header=PICTURE)),
    "carousel with a footer": Invalid(131009, CAROUSEL, carousel(card(0), card(1), footer={"text": "F"})),
    "two cards with one index": Invalid(131009, CAROUSEL, carousel(card(0), card(0))),
    "card without index": Invalid(131008, CAROUSEL, carousel(card(0), card(None))),
    "card without header": Invalid(131008, CAROUSEL, carousel(card(0), card(1, header=None))),
    "card without action": Invalid(131008, CAROUSEL, carousel(card(0), card(1, action=None))),
    "card with a text header": Invalid(
        131009, CAROUSEL, carousel(card(0), card(1, header={"type": "text", "text": "H"}))
    ),
    "card body of 161": Invalid(131009, CAROUSEL, carousel(card(0), card(1, body={"text": "x" * 161}))),
    # Templates, as far as a body alone can be wrong
    "template without name": Invalid(131008, TEMPLATE, template(name=None)),
    "template name of 513": Invalid(131009, TEMPLATE, template(name="x" * 513)),
    "template without language": Invalid(131008, TEMPLATE, template(language=None)),
    "template language a string": Invalid(131009, TEMPLATE, template(language="en")),
    "template language without code": Invalid(131008, TEMPLATE, template(language={})),
    "template language with another policy": Invalid(
        131009, TEMPLATE, template(language={"code": "en", "policy": "fallback"})
    ),
    "components an object": Invalid(131009, TEMPLATE, template(components=body(word()))),
    "component without type": Invalid(131008, TEMPLATE, template({"parameters": [word()]})),
    "component of an unknown type": Invalid(131009, TEMPLATE, template({"type": "legs"})),
    "parameters an object": Invalid(131009, TEMPLATE, template({"type": "body", "parameters": word()})),
    "parameter a string": Invalid(131009, TEMPLATE, template(body("Ann"))),
    "parameter without type": Invalid(131008, TEMPLATE, template(body({"text": "Ann"}))),
    "parameter of an unknown type": Invalid(
        131009, TEMPLATE, template(body({"type": "smell", "smell": "x"}))
    ),
    "parameter without content": Invalid(100, TEMPLATE, template(body({"type": "text"}))),
    "parameter null": Invalid(100, TEMPLATE, template(body(word(None)))),
    "parameter empty": Invalid(131008, TEMPLATE, template(body(word("")))),
    "parameter a number": Invalid(131009, TEMPLATE, template(body(word(5)))),
    "parameter with a newline": Invalid(132018, CODES, template(body(word("a\nb")))),
    "parameter with a tab": Invalid(132018, CODES, template(body(word("a\tb")))),
    "parameter with five spaces": Invalid(132018, CODES, template(body(word("a     b")))),
    "body parameter of 32769": Invalid(132005, CODES, template(body(word("x" * 32769)))),
    "body parameter of 1025 beside a header": Invalid(
        132005, CODES, template(header(PICTURE), body(word("x" * 1025)))
    ),
    "header parameter of 61": Invalid(132005, CODES, template(header(word("x" * 61)))),
    "header with two parameters": Invalid(132018, TEMPLATE, template(header(PICTURE, PICTURE))),
    "header with a caption in a template": Invalid(
        100, TEMPLATE, template(header({"type": "image", "image": {"id": "1", "caption": "C"}}))
    ),
    "image in the body": Invalid(132012, TEMPLATE, template(body(PICTURE))),
    "header media by nothing": Invalid(131008, TEMPLATE, template(header({"type": "image", "image": {}}))),
    "two body components": Invalid(131009, TEMPLATE, template(body(word()), body(word()))),
    "amount a float": Invalid(131009, TEMPLATE, template(body(money(10.5)))),
    "amount a word": Invalid(131009, TEMPLATE, template(body(money("ten")))),
    "currency without code": Invalid(
        131008,
        TEMPLATE,
        template(body({"type": "currency", "currency": {"fallback_value": "1", "amount_1000": 1}})),
    ),
    "currency code of four letters": Invalid(
        131009,
        TEMPLATE,
        template(
            body({"type": "currency", "currency": {"fallback_value": "1", "code": "EURO", "amount_1000": 1}})
        ),
    ),
    "date without fallback": Invalid(
        131008, TEMPLATE, template(body({"type": "date_time", "date_time": {}}))
    ),
    "parameter name empty": Invalid(131009, TEMPLATE, template(body(word(parameter_name="")))),
    "parameter name twice": Invalid(
        132018, TEMPLATE, template(body(word(parameter_name="a"), word(parameter_name="a")))
    ),
    "names and places mixed": Invalid(132018, TEMPLATE, template(body(word(parameter_name="a"), word()))),
    "button without index": Invalid(
        131008, TEMPLATE, template({"type": "button", "sub_type": "url", "parameters": [word()]})
    ),
    "button without sub-type": Invalid(
        131008, TEMPLATE, template({"type": "button", "index": "0", "parameters": [word()]})
    ),
    "button of an unknown sub-type": Invalid(131009, TEMPLATE, template(button("riddle", "0", word()))),
    "button of sub-type phone number": Invalid(
        131009, TEMPLATE, template(button("phone_number", "0", word()))
    ),
    "button index of 10": Invalid(131009, TEMPLATE, template(button("url", "10", word()))),
    "button index negative": Invalid(131009, TEMPLATE, template(button("url", -1, word()))),
    "button index a word": Invalid(131009, TEMPLATE, template(button("url", "first", word()))),
    "two buttons with one index": Invalid(
        131009,
        TEMPLATE,
        template(button("url", "0", word()), button("quick_reply", 0, {"type": "payload", "payload": "P"})),
    ),
    "url button without parameter": Invalid(131008, TEMPLATE, template(button("url", "0"))),
    "url button with a payload": Invalid(
        132012, TEMPLATE, template(button("url", "0", {"type": "payload", "payload": "P"}))
    ),
    "quick reply with a text": Invalid(132012, TEMPLATE, template(button("quick_reply", "0", word()))),
    "coupon code of 16": Invalid(
        131009, TEMPLATE, template(button("copy_code", "0", {"type": "coupon_code", "coupon_code": "x" * 16}))
    ),
    "offer without time": Invalid(
        131008,
        TEMPLATE,
        template(
            {
                "type": "limited_time_offer",
                "parameters": [{"type": "limited_time_offer", "limited_time_offer": {}}],
            }
        ),
    ),
    "carousel without cards": Invalid(131008, CARDS, template({"type": "carousel"})),
    "template carousel of eleven cards": Invalid(131009, CARDS, template(cards(*range(11)))),
    "two template cards with one index": Invalid(131009, CARDS, template(cards(0, 0))),
    "template card without components": Invalid(131008, CARDS, template(cards(0, 1, components=None))),
    # Marks
    "read without message": Invalid(131008, MESSAGE, {"status": "read", "to": None, "recipient_type": None}),
    "marked as seen": Invalid(131009, MESSAGE, {"status": "seen", "message_id": "wamid.1"}),
    "typing without type": Invalid(
        131009, MESSAGE, {"status": "read", "message_id": "wamid.1", "typing_indicator": {}}
    ),
}

VALID: dict[str, JSONObject] = {
    "a text": text(),
    "a text of 4096": text("x" * 4096),
    "a text with preview": message("text", {"body": "https://a.example", "preview_url": True}),
    "a text without preview": message("text", {"body": "Hi", "preview_url": False}),
    "a text without type": {"text": {"body": "Hi"}},
    "a text without recipient type": {"recipient_type": None, **text()},
    "a text of emoji": text("👍" * 100),
    "a reply": text(context={"message_id": "wamid.1"}),
    "callback data of 512": text(biz_opaque_callback_data="x" * 512),
    "callback data empty": text(biz_opaque_callback_data=""),
    "a top-level key that nobody knows": text(campaign="spring"),
    "an image by link": media("image", link=LINK),
    "an image by id with caption": media("image", id="1", caption="x" * 1024),
    "an image by http": media("image", link="http://a.example/1.png"),
    "a link with query": media("image", link="https://a.example/1.png?signature=a%2Bb&x=1"),
    "a video": media("video", id="1", caption="C"),
    "an audio": media("audio", id="1"),
    "a voice note": media("audio", id="1", voice=True),
    "a document": media("document", link=LINK, filename="f.pdf", caption="C"),
    "a document without filename": media("document", id="1"),
    "a sticker": media("sticker", id="1"),
    "a location": message("location", {"latitude": 52.5, "longitude": 13.4}),
    "a location in strings": message(
        "location", {"latitude": "-90", "longitude": "180", "name": "N", "address": "A"}
    ),
    "a contact": person(),
    "a contact with everything": person(
        birthday="2000-01-31",
        phones=[{"phone": "+491", "type": "CELL", "wa_id": "491"}],
        emails=[{"email": "a@b.example"}],
        urls=[{"url": LINK}],
        addresses=[{"city": "B"}],
        org={"company": "C"},
    ),
    "two contacts": message("contacts", [NAMED, NAMED]),
    "a reaction": message("reaction", {"message_id": "wamid.1", "emoji": "👍🏽"}),
    "a reaction of a family": message("reaction", {"message_id": "wamid.1", "emoji": "👨‍👩‍👧"}),
    "a reaction with a flag": message("reaction", {"message_id": "wamid.1", "emoji": "🇩🇪"}),
    "a reaction with a keycap": message("reaction", {"message_id": "wamid.1", "emoji": "1️⃣"}),
    "a reaction with a heart": message("reaction", {"message_id": "wamid.1", "emoji": "❤️"}),
    "a reaction with a dash": message("reaction", {"message_id": "wamid.1", "emoji": "〰️"}),
    "a reaction with a letter": message("reaction", {"message_id": "wamid.1", "emoji": "\u2139️"}),
    "a reaction taken back": message("reaction", {"message_id": "wamid.1", "emoji": ""}),
    "three buttons": buttons(reply("a", "A"), reply("b", "B"), reply("x" * 256, "x" * 20)),
    "buttons below an image": buttons(reply(), header=PICTURE, footer={"text": "x" * 60}),
    "buttons below a text": buttons(reply(), header={"type": "text", "text": "x" * 60}),
    "buttons below a document": buttons(
        reply(), header={"type": "document", "document": {"id": "1", "filename": "f.pdf"}}
    ),
    "a body of 1024": buttons(reply(), body={"text": "x" * 1024}),
    "a list": listed(section(row())),
    "a list of ten rows": listed(section(*(row(str(n), description="x" * 72) for n in range(10)))),
    "a list of two sections": listed(
        section(row("a"), title="S"), section(row("b"), title="T"), header={"type": "text", "text": "H"}
    ),
    "a list body of 4096": listed(section(row()), body={"text": "x" * 4096}),
    "a link button": link(header=PICTURE, footer={"text": "F"}),
    "a flow": flow(),
    "a flow by name": flow(flow_id=None, flow_name="f", mode="draft", flow_token="t"),
    "a flow that navigates": flow(
        flow_action="navigate", flow_action_payload={"screen": "S", "data": {"a": 1}}
    ),
    "a flow that exchanges data": flow(flow_action="data_exchange"),
    "a product": tapped("product", {"catalog_id": "1", "product_retailer_id": "P"}, body=None),
    "30 products": products(goods(30)),
    "a catalogue": tapped("catalog_message", {"name": "catalog_message"}),
    "a location request": tapped("location_request_message", {"name": "send_location"}),
    "an address request": tapped(
        "address_message", {"name": "address_message", "parameters": {"country": "IN"}}
    ),
    "a carousel": carousel(card(0), card(1)),
    "a carousel of image and video": carousel(card(0), card(1, "video")),
    "a call permission": tapped("call_permission_request", {"name": "call_permission_request"}),
    "a template": template(),
    "a template without components": template(components=None),
    "a template with policy": template(language={"code": "en_US", "policy": "deterministic"}),
    "a template with places": template(
        body(word(), money(), {"type": "date_time", "date_time": {"fallback_value": "May"}})
    ),
    "a template with names": template(body(word(parameter_name="a"), word(parameter_name="b"))),
    "a template with an image": template(header(PICTURE), body(word())),
    "a template with a document": template(
        header({"type": "document", "document": {"id": "1", "filename": "f.pdf"}})
    ),
    "a template with a location": template(
        header(
            {"type": "location", "location": {"latitude": "1", "longitude": "2", "name": "N", "address": "A"}}
        )
    ),
    "a template with buttons": template(
        button("url", "0", word("a")), button("quick_reply", 1, {"type": "payload", "payload": "P"})
    ),
    "a template with a flow": template(
        button("flow", "0", {"type": "action", "action": {"flow_token": "t", "flow_action_data": {"a": 1}}})
    ),
    "a template with a code": template(body(word("123456")), button("url", "0", word("123456"))),
    "a template with a coupon": template(
        button("copy_code", "0", {"type": "coupon_code", "coupon_code": "SAVE20"})
    ),
    "a template with an offer": template(
        {
            "type": "limited_time_offer",
            "parameters": [
                {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1700000000000}}
            ],
        }
    ),
    "a template with cards": template(body(word()), cards(0, 1)),
    "a template's catalogue": template(
        button("CATALOG", "0", {"type": "action", "action": {"thumbnail_product_retailer_id": "P"}})
    ),
    "a template in capitals": template({"type": "BODY", "parameters": [word()]}),
    "a user id": text(to=None, recipient="BR.15021"),
    "a number as people write it": text(to="+49 (151) 1234-5678"),
    "a number of Mexico": text(to="5215512345678"),
}
