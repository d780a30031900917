"""Interactive messages against the JSON that WhatsApp documents, in the order of its keys."""

import json
from typing import Any

import pytest

from airflow_provider_d360.messages import (
    address_request,
    buttons,
    call_permission_request,
    carousel,
    catalog_message,
    cta_url,
    flow,
    image,
    interactive,
    link_card,
    list_picker,
    location_request,
    order_details,
    order_status,
    product,
    product_card,
    product_list,
    reply_card,
    video,
    voice_call,
)

PICTURE = '{"type": "image", "image": {"link": "https://a.example/1.png"}}'
BODY = '"body": {"text": "B"}'
YES_NO = (
    '{"buttons": [{"type": "reply", "reply": {"id": "yes", "title": "Approve"}}, '
    '{"type": "reply", "reply": {"id": "no", "title": "Reject"}}]}'
)

DOCUMENTED = {
    "buttons": (
        buttons("B", {"yes": "Approve", "no": "Reject"}, header="H", footer="F"),
        f'"type": "button", "header": {{"type": "text", "text": "H"}}, {BODY}, '
        f'"footer": {{"text": "F"}}, "action": {YES_NO}',
    ),
    "buttons from pairs below a picture": (
        buttons("B", [("yes", "Approve"), ("no", "Reject")], header=image(link="https://a.example/1.png")),
        f'"type": "button", "header": {PICTURE}, {BODY}, "action": {YES_NO}',
    ),
    "one list": (
        list_picker("B", "Pick", {"a": "Ann", "b": "Bo"}),
        f'"type": "list", {BODY}, "action": {{"button": "Pick", "sections": ['
        '{"rows": [{"id": "a", "title": "Ann"}, {"id": "b", "title": "Bo"}]}]}',
    ),
    "sections": (
        list_picker("B", "Pick", sections={"S": [("a", "Ann", "Her"), ("b", "Bo")]}, header="H", footer="F"),
        f'"type": "list", "header": {{"type": "text", "text": "H"}}, {BODY}, "footer": {{"text": "F"}}, '
        '"action": {"button": "Pick", "sections": [{"title": "S", "rows": ['
        '{"id": "a", "title": "Ann", "description": "Her"}, {"id": "b", "title": "Bo"}]}]}',
    ),
    "link": (
        cta_url("B", "See Dates", "https://a.example?c=1"),
        f'"type": "cta_url", {BODY}, "action": {{"name": "cta_url", "parameters": '
        '{"display_text": "See Dates", "url": "https://a.example?c=1"}}',
    ),
    "flow": (
        flow(
            "B",
            "Book!",
            flow_id="1",
            token="t",
            screen="S",
            data={"price": 100},
            action="navigate",
            mode="draft",
        ),
        f'"type": "flow", {BODY}, "action": {{"name": "flow", "parameters": {{"flow_message_version": "3", '
        '"flow_token": "t", "flow_id": "1", "flow_cta": "Book!", "mode": "draft", "flow_action": "navigate", '
        '"flow_action_payload": {"screen": "S", "data": {"price": 100}}}}',
    ),
    "flow by name": (
        flow("B", "Book!", flow_name="booking"),
        f'"type": "flow", {BODY}, "action": {{"name": "flow", "parameters": {{"flow_message_version": "3", '
        '"flow_name": "booking", "flow_cta": "Book!"}}',
    ),
    "location request": (
        location_request("B"),
        f'"type": "location_request_message", {BODY}, "action": {{"name": "send_location"}}',
    ),
    "address request": (
        address_request("B", "IN", values={"name": "Ann"}),
        f'"type": "address_message", {BODY}, "action": {{"name": "address_message", "parameters": '
        '{"country": "IN", "values": {"name": "Ann"}}}',
    ),
    "call permission request": (
        call_permission_request("B"),
        f'"type": "call_permission_request", {BODY}, "action": {{"name": "call_permission_request"}}',
    ),
    "voice call": (
        voice_call("B", display_text="Call", ttl_minutes=100, payload="p"),
        f'"type": "voice_call", {BODY}, "action": {{"name": "voice_call", "parameters": '
        '{"display_text": "Call", "ttl_minutes": 100, "payload": "p"}}',
    ),
    "bare voice call": (
        voice_call("B"),
        f'"type": "voice_call", {BODY}, "action": {{"name": "voice_call"}}',
    ),
    "a type without a builder": (
        interactive("request_contact_info", {"name": "request_contact_info"}),
        '"type": "request_contact_info", "action": {"name": "request_contact_info"}',
    ),
    "product": (
        product("C", "P", body="B", footer="F"),
        f'"type": "product", {BODY}, "footer": {{"text": "F"}}, '
        '"action": {"catalog_id": "C", "product_retailer_id": "P"}',
    ),
    "product list": (
        product_list("H", "B", "C", {"S": ["P", "Q"]}),
        f'"type": "product_list", "header": {{"type": "text", "text": "H"}}, {BODY}, "action": '
        '{"catalog_id": "C", "sections": [{"title": "S", "product_items": '
        '[{"product_retailer_id": "P"}, {"product_retailer_id": "Q"}]}]}',
    ),
    "catalogue": (
        catalog_message("B", thumbnail_product_retailer_id="P", footer="F"),
        f'"type": "catalog_message", {BODY}, "footer": {{"text": "F"}}, "action": '
        '{"name": "catalog_message", "parameters": {"thumbnail_product_retailer_id": "P"}}',
    ),
    "bare catalogue": (
        catalog_message("B"),
        f'"type": "catalog_message", {BODY}, "action": {{"name": "catalog_message"}}',
    ),
    "link cards": (
        carousel(
            "B",
            [
                link_card(image(link="https://a.example/1.png"), "Buy", "https://a.example/1", body="one"),
                link_card(image(link="https://a.example/1.png"), "Buy", "https://a.example/2"),
            ],
        ),
        f'"type": "carousel", {BODY}, "action": {{"cards": ['
        f'{{"card_index": 0, "type": "cta_url", "header": {PICTURE}, "body": {{"text": "one"}}, "action": '
        '{"name": "cta_url", "parameters": {"display_text": "Buy", "url": "https://a.example/1"}}}, '
        f'{{"card_index": 1, "type": "cta_url", "header": {PICTURE}, "action": '
        '{"name": "cta_url", "parameters": {"display_text": "Buy", "url": "https://a.example/2"}}}]}',
    ),
    "reply cards": (
        carousel("B", [reply_card(video(id="1"), {"more": "Learn more"})]),
        f'"type": "carousel", {BODY}, "action": {{"cards": ['
        '{"card_index": 0, "type": "cta_url", "header": {"type": "video", "video": {"id": "1"}}, "action": '
        '{"buttons": [{"type": "quick_reply", "quick_reply": {"id": "more", "title": "Learn more"}}]}}]}',
    ),
    "product cards": (
        carousel("B", [product_card("C", "P")]),
        f'"type": "carousel", {BODY}, "action": {{"cards": ['
        '{"card_index": 0, "type": "product", "action": {"product_retailer_id": "P", "catalog_id": "C"}}]}',
    ),
    "order": (
        order_details(
            "B",
            reference_id="R",
            goods="digital-goods",
            payment_type="br",
            payment_settings=[{"type": "pix_dynamic_code"}],
            currency="BRL",
            total_amount={"value": 50000, "offset": 100},
            order={"status": "pending"},
        ),
        f'"type": "order_details", {BODY}, "action": {{"name": "review_and_pay", "parameters": '
        '{"reference_id": "R", "type": "digital-goods", "payment_type": "br", '
        '"payment_settings": [{"type": "pix_dynamic_code"}], "currency": "BRL", '
        '"total_amount": {"value": 50000, "offset": 100}, "order": {"status": "pending"}}}',
    ),
    "order status": (
        order_status(
            "B", reference_id="R", status="shipped", description="D", payment={"status": "captured"}
        ),
        f'"type": "order_status", {BODY}, "action": {{"name": "review_order", "parameters": '
        '{"reference_id": "R", "order": {"status": "shipped", "description": "D"}, '
        '"payment": {"status": "captured"}}}',
    ),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_builder_gives_the_documented_json(name):
    built, documented = DOCUMENTED[name]
    assert json.dumps(built) == f'{{"type": "interactive", "interactive": {{{documented}}}}}'


@pytest.mark.parametrize("wrong", [{}, {"rows": {"a": "A"}, "sections": {"S": {"a": "A"}}}])
def test_a_list_wants_rows_or_sections_and_not_both(wrong):
    with pytest.raises(TypeError, match="either rows or sections"):
        list_picker("B", "Pick", **wrong)


@pytest.mark.parametrize("wrong", [{}, {"flow_id": "1", "flow_name": "n"}])
def test_a_flow_wants_an_id_or_a_name_and_not_both(wrong):
    with pytest.raises(TypeError, match="either flow_id or flow_name"):
        flow("B", "Book!", **wrong)


def same(one, other):
    assert one is other


def test_what_another_task_returns_stays_itself():
    later: Any = object()

    def action(message):
        return message["interactive"]["action"]

    same(buttons(later, [(later, "A")], header=later)["interactive"]["header"]["text"], later)
    same(action(buttons("B", later))["buttons"], later)
    same(action(buttons("B", [later]))["buttons"][0], later)
    same(action(buttons("B", {"a": later}))["buttons"][0]["reply"]["title"], later)
    same(action(list_picker("B", "Pick", later))["sections"][0]["rows"], later)
    same(action(list_picker("B", "Pick", [later]))["sections"][0]["rows"][0], later)
    same(action(list_picker("B", "Pick", sections=later))["sections"], later)
    same(
        action(flow("B", later, flow_id=later, data=later))["parameters"]["flow_action_payload"]["data"],
        later,
    )
    same(action(product_list("H", "B", "C", later))["sections"], later)
    same(action(product_list("H", "B", "C", {"S": later}))["sections"][0]["product_items"], later)
    same(action(carousel("B", later))["cards"], later)
    same(action(voice_call("B", payload=later))["parameters"]["payload"], later)


@pytest.mark.parametrize(
    "build",
    [
        lambda row: buttons("B", [row]),
        lambda row: list_picker("B", "Pick", [row]),
        lambda row: list_picker("B", "Pick", sections={"S": [row]}),
    ],
)
@pytest.mark.parametrize("row", [(), ("a",), ("a", "A", "text", "lost")])
def test_a_choice_of_a_wrong_length_is_refused_and_nothing_of_it_dropped(build, row):
    with pytest.raises(TypeError, match=f"a choice has {len(row)} items"):
        build(row)


def test_choices_without_ids_are_refused_with_an_example():
    with pytest.raises(TypeError, match=r"give each the id .*\{'yes': 'Yes', 'no': 'No'\}"):
        buttons("Coming?", ["Yes", "No"])
