"""Attachments: files inside a message, wherever it may hold media, become ids."""

from typing import Any

import pytest

from airflow_provider_d360.api.attachments import Attachment, attachments, with_ids
from airflow_provider_d360.messages import (
    audio,
    document,
    image,
    sticker,
    template,
    template_card,
    text,
    video,
)


@pytest.mark.parametrize("build", [image, video, audio, document, sticker])
def test_every_kind_of_media_may_be_a_path(build):
    message = build(path="/tmp/a.bin")  # noqa: S108
    assert attachments(message) == [Attachment(build.__name__, "/tmp/a.bin")]  # noqa: S108
    changed: Any = with_ids(message, lambda found: "1")
    assert changed[build.__name__]["id"] == "1"
    assert "path" not in changed[build.__name__]


def test_a_document_keeps_the_name_of_its_file_unless_it_has_one():
    assert with_ids(document(path="s3://aws@b/k/report.pdf"), lambda _: "1")["document"] == {
        "id": "1",
        "filename": "report.pdf",
    }
    named = document(path="/x/report.pdf", filename="Report.pdf", caption="C")
    assert with_ids(named, lambda _: "1")["document"] == {"id": "1", "filename": "Report.pdf", "caption": "C"}


def test_a_type_by_hand_travels_with_its_path():
    message = {"type": "audio", "audio": {"path": "a", "mime_type": "audio/ogg"}}
    assert attachments(message) == [Attachment("audio", "a", "audio/ogg")]
    assert with_ids(message, lambda found: found.path * 2) == {"type": "audio", "audio": {"id": "aa"}}


def test_templates_and_carousels_hold_files_and_each_is_listed_once():
    cards = [template_card(header=image(path=name), body=["x"]) for name in ("a", "b", "a")]
    message = template("t", "en", header=document(path="a"), cards=cards)
    found = attachments(message)
    assert found == [Attachment("document", "a"), Attachment("image", "a"), Attachment("image", "b")]
    changed: Any = with_ids(message, lambda one: f"{one.kind} {one.path}")
    assert attachments(changed) == []
    second = changed["template"]["components"][1]["cards"][1]["components"][0]["parameters"][0]
    assert second == {"type": "image", "image": {"id": "image b"}}


@pytest.mark.parametrize(
    "message",
    [
        text("path"),
        image(link="https://a.b/c"),
        {"type": "image", "image": "path"},
        {"type": "image", "image": {"path": None}},
        {"type": "interactive", "interactive": "path"},
        {"type": "interactive", "interactive": {"path": "a", "rows": [{"image": 1}, None, ("a",)]}},
    ],
)
def test_a_message_without_a_path_stays_as_it_is(message):
    assert attachments(message) == []
    assert with_ids(message, lambda _: "1").keys() == message.keys()
    assert "1" not in str(with_ids(message, lambda _: "1").get("id", ""))


def test_a_message_nested_without_end_never_raises():
    deep: dict[str, object] = {}
    deep["deep"] = [deep]
    assert attachments(deep) == []
    assert with_ids(deep, lambda _: "1")["deep"]
    assert "path" not in repr(Attachment("image", "a path"))
