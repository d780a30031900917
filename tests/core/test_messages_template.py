"""Templates against the JSON that WhatsApp documents, and what is flattened in them."""

import json
from typing import Any

import pytest

from airflow_provider_d360.messages import (
    catalog_button,
    copy_code_button,
    currency,
    date_time,
    document,
    flatten_parameters,
    flow_button,
    image,
    location,
    one_time_code,
    product_header,
    products_button,
    quick_reply_button,
    template,
    template_card,
    text,
    url_button,
)

NAMED = '"name": "T", "language": {"policy": "deterministic", "code": "en_US"}'
ANN = '{"type": "body", "parameters": [{"type": "text", "text": "Ann"}]}'

DOCUMENTED = {
    "no placeholders": (template("T", "en_US"), NAMED),
    "namespace": (template("T", "en_US", namespace="N"), f'{NAMED}, "namespace": "N"'),
    "numbered": (
        template("T", "en_US", body=["Ann", "42"]),
        f'{NAMED}, "components": [{{"type": "body", "parameters": '
        '[{"type": "text", "text": "Ann"}, {"type": "text", "text": "42"}]}]',
    ),
    "named": (
        template("T", "en_US", body={"name": "Ann", "sum": currency("€1", "EUR", 1000)}),
        f'{NAMED}, "components": [{{"type": "body", "parameters": '
        '[{"type": "text", "parameter_name": "name", "text": "Ann"}, '
        '{"type": "currency", "parameter_name": "sum", "currency": '
        '{"fallback_value": "€1", "code": "EUR", "amount_1000": 1000}}]}]',
    ),
    "the only placeholder": (template("T", "en_US", body="Ann"), f'{NAMED}, "components": [{ANN}]'),
    "dates": (
        template("T", "en_US", body=[date_time("1 May")]),
        f'{NAMED}, "components": [{{"type": "body", "parameters": '
        '[{"type": "date_time", "date_time": {"fallback_value": "1 May"}}]}]',
    ),
    "picture above": (
        template("T", "en_US", header=image(link="https://a.example/1.png"), body="Ann"),
        f'{NAMED}, "components": [{{"type": "header", "parameters": '
        f'[{{"type": "image", "image": {{"link": "https://a.example/1.png"}}}}]}}, {ANN}]',
    ),
    "place above": (
        template("T", "en_US", header=location(1, 2)),
        f'{NAMED}, "components": [{{"type": "header", "parameters": '
        '[{"type": "location", "location": {"latitude": 1, "longitude": 2}}]}]',
    ),
    "document above": (
        template("T", "en_US", header=document(id="1", filename="f.pdf")),
        f'{NAMED}, "components": [{{"type": "header", "parameters": '
        '[{"type": "document", "document": {"id": "1", "filename": "f.pdf"}}]}]',
    ),
    "named header": (
        template("T", "en_US", header={"name": "Ann"}),
        f'{NAMED}, "components": [{{"type": "header", "parameters": '
        '[{"type": "text", "parameter_name": "name", "text": "Ann"}]}]',
    ),
    "buttons in order": (
        template(
            "T",
            "en_US",
            buttons=[url_button("abc"), quick_reply_button("P"), copy_code_button("25OFF"), flow_button()],
        ),
        f'{NAMED}, "components": ['
        '{"type": "button", "sub_type": "url", "index": "0", "parameters": '
        '[{"type": "text", "text": "abc"}]}, '
        '{"type": "button", "sub_type": "quick_reply", "index": "1", "parameters": '
        '[{"type": "payload", "payload": "P"}]}, '
        '{"type": "button", "sub_type": "copy_code", "index": "2", "parameters": '
        '[{"type": "coupon_code", "coupon_code": "25OFF"}]}, '
        '{"type": "button", "sub_type": "flow", "index": "3"}]',
    ),
    "a button in its place": (
        template("T", "en_US", buttons={1: flow_button("t", data={"a": "b"})}),
        f'{NAMED}, "components": [{{"type": "button", "sub_type": "flow", "index": "1", "parameters": '
        '[{"type": "action", "action": {"flow_token": "t", "flow_action_data": {"a": "b"}}}]}]',
    ),
    "catalogue": (
        template("T", "en_US", buttons=[catalog_button("P"), catalog_button()]),
        f'{NAMED}, "components": [{{"type": "button", "sub_type": "CATALOG", "index": "0", "parameters": '
        '[{"type": "action", "action": {"thumbnail_product_retailer_id": "P"}}]}, '
        '{"type": "button", "sub_type": "CATALOG", "index": "1"}]',
    ),
    "products": (
        template("T", "en_US", buttons=[products_button("P", {"S": ["P"]})]),
        f'{NAMED}, "components": [{{"type": "button", "sub_type": "mpm", "index": "0", "parameters": '
        '[{"type": "action", "action": {"thumbnail_product_retailer_id": "P", "sections": '
        '[{"title": "S", "product_items": [{"product_retailer_id": "P"}]}]}}]}]',
    ),
    "limited-time offer": (
        template("T", "en_US", body="Ann", offer_expires_ms=1700000000000),
        f'{NAMED}, "components": [{ANN}, {{"type": "limited_time_offer", "parameters": '
        '[{"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1700000000000}}]}]',
    ),
    "carousel": (
        template(
            "T",
            "en_US",
            body="Ann",
            cards=[template_card(header=product_header("P", "C"), buttons=[url_button("a")])],
        ),
        f'{NAMED}, "components": [{ANN}, {{"type": "carousel", "cards": [{{"card_index": 0, "components": ['
        '{"type": "header", "parameters": '
        '[{"type": "product", "product": {"product_retailer_id": "P", "catalog_id": "C"}}]}, '
        '{"type": "button", "sub_type": "url", "index": "0", "parameters": '
        '[{"type": "text", "text": "a"}]}]}]}]',
    ),
    "one-time code": (
        one_time_code("T", "en_US", "J$FpnYnP"),
        f'{NAMED}, "components": ['
        '{"type": "body", "parameters": [{"type": "text", "text": "J$FpnYnP"}]}, '
        '{"type": "button", "sub_type": "url", "index": "0", "parameters": '
        '[{"type": "text", "text": "J$FpnYnP"}]}]',
    ),
    "components by hand": (
        template("T", "en_US", components=[{"type": "order_status", "parameters": []}]),
        f'{NAMED}, "components": [{{"type": "order_status", "parameters": []}}]',
    ),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_template_gives_the_documented_json(name):
    built, documented = DOCUMENTED[name]
    assert json.dumps(built, ensure_ascii=False) == f'{{"type": "template", "template": {{{documented}}}}}'


def texts(message):
    return [one["text"] for one in message["template"]["components"][0]["parameters"]]


def same(one, other):
    assert one is other


def test_what_another_task_returns_stays_itself():
    later: Any = object()
    same(texts(template("T", later, body=later))[0], later)
    same(texts(template("T", "en", body=[later]))[0], later)
    same(texts(template("T", "en", body={"a": later}))[0], later)
    same(texts(template("T", "en", header=later, on_newline="flatten"))[0], later)
    same(template("T", "en", cards=later)["template"]["components"][0]["cards"], later)


TRACEBACK = 'Traceback:\r\n  File "a.py"\n\n\tboom      {{x}}\u2028end\n'


def test_flattening_leaves_one_space_where_a_template_takes_no_more():
    flat = flatten_parameters(template("T", "en", body=[TRACEBACK, "a    b"]))
    assert texts(flat) == ['Traceback: File "a.py" boom {{x}} end', "a    b"]


def test_flattening_changes_nothing_in_place():
    before = template("T", "en", body=[TRACEBACK])
    flatten_parameters(before)
    assert texts(before) == [TRACEBACK]


def test_cards_and_capital_letters_are_flattened_too():
    card = {"components": [{"type": "BODY", "parameters": [{"type": "text", "text": "a\nb"}]}]}
    message = {"type": "template", "template": {"components": [{"type": "carousel", "cards": [card]}]}}
    flat: Any = flatten_parameters(message)
    parameters = flat["template"]["components"][0]["cards"][0]["components"][0]["parameters"]
    assert parameters == [{"type": "text", "text": "a b"}]


@pytest.mark.parametrize(
    "message",
    [
        text("a\nb"),
        {"type": "template"},
        {"type": "template", "template": "a\nb"},
        {"type": "template", "template": {"components": ["a\nb", 3, {"type": 3}, {"type": "body"}]}},
        {
            "type": "template",
            "template": {"components": [{"type": "body", "parameters": ["a\nb", {"text": 3}]}]},
        },
        template("T", "en", buttons=[quick_reply_button("a\nb")]),
    ],
)
def test_flattening_touches_nothing_else(message):
    assert flatten_parameters(message) == message


def test_a_template_flattens_at_once_what_holds_no_jinja():
    body: Any = ["a\nb", "{{ ti.log }}\n", "{% if x %}\n", 3]
    assert texts(template("T", "en", body=body, on_newline="flatten")) == ["a b", *body[1:]]


@pytest.mark.parametrize("on_newline", [None, "error"])
def test_a_template_changes_nothing_unless_asked_to(on_newline):
    assert texts(template("T", "en", body=["a\nb"], on_newline=on_newline)) == ["a\nb"]


def test_another_word_for_on_newline_is_refused_at_once():
    word: Any = "flat"
    with pytest.raises(ValueError, match="on_newline is 'flat'; it can be 'flatten' or 'error'"):
        template("T", "en", on_newline=word)
