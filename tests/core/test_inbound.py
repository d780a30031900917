"""What stands in a message of a person, and who wants it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_d360.api.inbound import Content, Filter, keyword_of, matches, read_content

CONTENTS: list[tuple[str, Any, Content]] = [
    ("text", {"text": {"body": "Hi"}}, Content("Hi")),
    ("text", {"text": "Hi"}, Content()),
    ("text", None, Content()),
    ("button", {"button": {"text": "Yes", "payload": "y"}}, Content("Yes", "y")),
    ("interactive", {"interactive": {"button_reply": {"id": "y", "title": "Yes"}}}, Content("Yes", "y")),
    ("interactive", {"interactive": {"list_reply": {"id": "y", "title": "Yes"}}}, Content("Yes", "y")),
    ("interactive", {"interactive": {"nfm_reply": {"response_json": "{}"}}}, Content()),
    (
        "document",
        {"document": {"id": "1", "filename": "a/b.pdf", "mime_type": "application/pdf", "caption": "c"}},
        Content("c", media_id="1", mime_type="application/pdf", filename="b.pdf"),
    ),
    ("image", {"image": {"id": "1"}}, Content(media_id="1")),
    ("location", {"location": {"latitude": 1}}, Content()),
]


@pytest.mark.parametrize(("kind", "raw", "content"), CONTENTS)
def test_the_content_of_each_kind_is_read_and_no_shape_raises(kind: str, raw: Any, content: Content) -> None:
    assert read_content(kind, raw) == content


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("..", None),
        ("", None),
        ("a\0b\u202ec.exe", "abc.exe"),
        ("x" * 500 + ".pdf", "x" * 196 + ".pdf"),
        (5, None),
    ],
)
def test_a_file_name_has_no_directories_and_nothing_that_hides(name: Any, safe: str | None) -> None:
    assert read_content("document", {"document": {"id": "1", "filename": name}}).filename == safe


@pytest.mark.parametrize(
    ("written", "keyword"),
    [
        ("Deploy!", "deploy"),
        ("  STOP, please", "stop"),
        ("re-run it", "re-run"),
        ("\u00c4ndern", "\u00e4ndern"),
        ("?!", ""),
        ("", ""),
    ],
)
def test_the_keyword_is_the_first_word(written: str, keyword: str) -> None:
    assert keyword_of(written) == keyword


def test_a_pattern_sees_no_more_than_a_thousand_characters() -> None:
    assert matches("b", "a" * 999 + "b")
    assert not matches("b", "a" * 1000 + "b")


MESSAGE = Content("Deploy now", "yes:1")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), True),
        (Filter(numbers=("+49 30 1",)), True),
        (Filter(numbers=("49302",)), False),
        (Filter(kinds=("text", "image")), True),
        (Filter(kinds=("image",)), False),
        (Filter(keywords=("DEPLOY",)), True),
        (Filter(keywords=("now",)), False),
        (Filter(pattern="NOW$"), True),
        (Filter(pattern="^now"), False),
        (Filter(button_prefix="yes:"), True),
        (Filter(button_prefix="no:"), False),
        (Filter(senders=("1", "DE.1")), True),
        (Filter(senders=("2",)), False),
        (Filter(senders=()), False),
    ],
)
def test_a_filter_wants_what_meets_all_of_it(wanted: Filter, expected: bool) -> None:
    assert wanted.wants("text", MESSAGE, "49301", ("1", None)) is expected


def test_an_empty_message_of_nobody_meets_only_filters_that_ask_for_nothing() -> None:
    assert Filter().wants("text", Content())
    for wanted in (
        Filter(numbers=("1",)),
        Filter(keywords=("a",)),
        Filter(senders=("1",)),
        Filter(pattern="."),
    ):
        assert not wanted.wants("text", Content(), None, (None, None))


@pytest.mark.parametrize(
    ("pattern", "said"), [("a" * 201, "201 characters"), ("[", "position 0"), ("a{99999999999}", "too large")]
)
def test_a_pattern_that_is_none_is_an_error(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Filter(pattern=pattern)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": "text"},
        {"keywords": [None]},
        {"keywords": [" "]},
        {"keywords": ["deploy", "new order"]},
        {"keywords": ["/status"]},
        {"keywords": ["👍"]},
        {"numbers": None},
        {"numbers": ["abc"]},
        {"button_prefix": ""},
        {"pattern": ""},
    ],
)
def test_a_filter_that_no_message_can_meet_is_an_error(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Filter(**wrong)


def test_a_list_of_a_filter_is_read_as_it_is():
    assert Filter(kinds=["text"]) == Filter(kinds=("text",))
