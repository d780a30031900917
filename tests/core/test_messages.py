"""Text, media, contacts and places against the JSON that WhatsApp documents, in the order of its keys."""

import json
from typing import Any

import pytest

from airflow_provider_d360 import messages
from airflow_provider_d360.messages import (
    as_message,
    audio,
    column,
    contact,
    contacts,
    document,
    image,
    location,
    reaction,
    sticker,
    text,
    video,
)

DOCUMENTED = {
    "text": (text("Hi *Ann*"), '{"type": "text", "text": {"body": "Hi *Ann*"}}'),
    "text with preview": (
        text("https://a.example", preview_url=True),
        '{"type": "text", "text": {"body": "https://a.example", "preview_url": true}}',
    ),
    "image by link": (
        image(link="https://a.example/1.png", caption="A"),
        '{"type": "image", "image": {"link": "https://a.example/1.png", "caption": "A"}}',
    ),
    "image by id": (image(id="10"), '{"type": "image", "image": {"id": "10"}}'),
    "video": (video(id="10", caption=""), '{"type": "video", "video": {"id": "10", "caption": ""}}'),
    "audio": (audio(id="10"), '{"type": "audio", "audio": {"id": "10"}}'),
    "voice note": (
        audio(link="https://a.example/1.ogg", voice=True),
        '{"type": "audio", "audio": {"link": "https://a.example/1.ogg", "voice": true}}',
    ),
    "document": (
        document(id="10", caption="C", filename="r.pdf"),
        '{"type": "document", "document": {"id": "10", "caption": "C", "filename": "r.pdf"}}',
    ),
    "document without a name": (document(id="10"), '{"type": "document", "document": {"id": "10"}}'),
    "sticker": (sticker(id="10"), '{"type": "sticker", "sticker": {"id": "10"}}'),
    "location": (
        location(37.4, -122.1, name="Philz", address="101 Forest Ave"),
        '{"type": "location", "location": {"latitude": 37.4, "longitude": -122.1, '
        '"name": "Philz", "address": "101 Forest Ave"}}',
    ),
    "bare location": (
        location("37.4", "-122.1"),
        '{"type": "location", "location": {"latitude": "37.4", "longitude": "-122.1"}}',
    ),
    "reaction": (
        reaction("wamid.1", "👍"),
        '{"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👍"}}',
    ),
    "contacts": (
        contacts(contact("Ann Lee"), contact("Bo", phone="+491", email="b@a.example")),
        '{"type": "contacts", "contacts": ['
        '{"name": {"formatted_name": "Ann Lee", "first_name": "Ann Lee"}}, '
        '{"name": {"formatted_name": "Bo", "first_name": "Bo"}, '
        '"phones": [{"phone": "+491"}], "emails": [{"email": "b@a.example"}]}]}',
    ),
    "whole contact": (
        contacts(
            contact(
                "Dr Ann Lee",
                name={"last_name": "Lee", "prefix": "Dr"},
                phones=[{"phone": "+491", "type": "CELL", "wa_id": "491"}],
                emails=[{"email": "a@a.example", "type": "WORK"}],
                urls=[{"url": "https://a.example", "type": "WORK"}],
                addresses=[{"street": "1 Hacker Way", "city": "Menlo Park"}],
                org={"company": "A"},
                birthday="2000-01-31",
            )
        ),
        '{"type": "contacts", "contacts": [{"name": {"formatted_name": "Dr Ann Lee", '
        '"last_name": "Lee", "prefix": "Dr"}, '
        '"phones": [{"phone": "+491", "type": "CELL", "wa_id": "491"}], '
        '"emails": [{"email": "a@a.example", "type": "WORK"}], '
        '"urls": [{"url": "https://a.example", "type": "WORK"}], '
        '"addresses": [{"street": "1 Hacker Way", "city": "Menlo Park"}], '
        '"org": {"company": "A"}, "birthday": "2000-01-31"}]}',
    ),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_builder_gives_the_documented_json(name):
    built, documented = DOCUMENTED[name]
    assert json.dumps(built, ensure_ascii=False) == documented


@pytest.mark.parametrize("build", [image, video, audio, document, sticker])
def test_media_wants_a_link_or_an_id_and_not_both(build):
    for wrong in ({}, {"link": "https://a.example/1", "id": "10"}):
        with pytest.raises(TypeError, match=f"{build.__name__}\\(\\) takes one of link, id and path"):
            build(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"phone": "+1", "phones": [{"phone": "+1"}]}, {"email": "a", "emails": [{"email": "a"}]}]
)
def test_a_contact_does_not_take_one_thing_by_two_names(wrong):
    with pytest.raises(TypeError, match="not both"):
        contact("Ann", **wrong)


def test_a_string_is_a_text_message():
    assert as_message("Hi") == {"type": "text", "text": {"body": "Hi"}}


def test_a_dict_is_a_message_already():
    by_hand = {"type": "text", "text": {"body": "Hi"}}
    assert as_message(by_hand) is by_hand


@pytest.mark.parametrize("wrong", [None, 3, ["secret"], b"secret"])
def test_anything_else_is_no_message_and_is_not_repeated(wrong):
    with pytest.raises(TypeError, match=f"not {type(wrong).__name__}$"):
        as_message(wrong)


def same(one, other):
    assert one is other


def test_what_another_task_returns_stays_itself():
    later: Any = object()
    same(text(later)["text"]["body"], later)
    assert image(link=later, caption=later)["image"] == {"link": later, "caption": later}
    same(document(id=later, filename=later)["document"]["filename"], later)
    same(location(later, later, name=later)["location"]["name"], later)
    same(reaction(later, later)["reaction"]["emoji"], later)
    same(contact(later, phones=later)["phones"], later)
    same(contacts(later)["contacts"][0], later)


def test_all_that_is_exported_exists_and_is_listed_in_order():
    assert sorted(messages.__all__) == list(messages.__all__)
    assert all(hasattr(messages, name) for name in messages.__all__)


def test_every_builder_says_when_whatsapp_delivers_it():
    kinds = {"text", "reaction", "image", "video", "audio", "document", "sticker", "contacts", "location"}
    kinds |= {"buttons", "list_picker", "cta_url", "flow", "location_request", "address_request"}
    kinds |= {"call_permission_request", "voice_call", "interactive", "carousel", "product", "product_list"}
    kinds |= {"catalog_message", "order_details", "order_status", "template", "one_time_code"}
    silent = [
        kind
        for kind in kinds
        if "WhatsApp delivers it" not in " ".join(getattr(messages, kind).__doc__.split())
    ]
    assert silent == ["text"]  # which says more about it
    assert "WhatsApp delivers free text only within 24 hours" in (text.__doc__ or "")


def test_only_a_file_on_this_side_has_a_type():
    assert document(path="/a.csv", mime_type="text/plain")["document"]["mime_type"] == "text/plain"
    for place in ({"link": "https://a.example/a.csv"}, {"id": "1"}):
        with pytest.raises(TypeError, match="mime_type only with path"):
            document(**place, mime_type="text/plain")


def test_a_column_needs_a_name_and_two_columns_differ():
    assert column("a") != column("b")
    with pytest.raises(ValueError, match="empty"):
        column(" ")
