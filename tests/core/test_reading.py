"""Reading: what does not look as expected is nothing, not an exception."""

import pytest

from airflow_provider_d360.api import reading
from airflow_provider_d360.api.wire import Response


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"[" * 100_000])
def test_what_is_no_object_is_a_value_error(body):
    with pytest.raises(ValueError, match="it is not"):
        reading.json_object(Response(200, {}, body))


def test_values_of_the_wrong_kind_are_nothing():
    assert reading.json_object(Response(200, {}, b'{"a": 1}')) == {"a": 1}
    assert list(reading.objects([{"a": 1}, 2, None])) == [{"a": 1}]
    assert list(reading.objects({"a": 1})) == []
    assert reading.child({"a": {"b": 1}}, "a") == {"b": 1}
    assert reading.child({"a": 1}, "a") == reading.child(None, "a") == {}
    assert [reading.string(value) for value in ("a", "", 7, True, None, ["a"])] == [
        "a",
        None,
        "7",
        None,
        None,
        None,
    ]
    assert reading.strings(["a", 1, "b"]) == ("a", "b")
    assert reading.strings("ab") == ()
    assert [reading.integer(value) for value in (7, "7", "x", "", "9" * 30)] == [7, 7, None, None, None]


def test_a_list_an_object_in_its_place_and_numbers_of_limited_length():
    assert reading.elements([1, "a"]) == [1, "a"]
    assert reading.elements({"a": 1}) == [{"a": 1}]
    assert reading.elements("ab") == []
    assert [reading.text(value) for value in ("a", "", 7)] == ["a", None, None]
    assert [reading.integer(value, digits=3) for value in (999, 1000, -1, "999", "1000", "\u0661", True)] == [
        999,
        None,
        None,
        999,
        None,
        None,
        None,
    ]


TEXT = '{"error": {"message": "Ungültig, 無効", "code": 190}}'
LATIN = '{"error": {"message": "Ungültig", "code": 190}}'


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (TEXT.encode(), "", TEXT),
        (TEXT.encode("utf-8-sig"), "", TEXT),
        (TEXT.encode("utf-8-sig"), "application/json; charset=iso-8859-1", TEXT),
        (TEXT.encode(), "application/json; charset=iso-8859-1", TEXT),
        (TEXT.encode("utf-16"), "", TEXT),
        (TEXT.encode("utf-16-le"), "", TEXT),
        (TEXT.encode("utf-16-be"), 'application/json; charset="UTF-16BE"', TEXT),
        (TEXT.encode("utf-32"), "", TEXT),
        (TEXT.encode("utf-32-be"), "", TEXT),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "", TEXT),
        (LATIN.encode("latin-1"), "application/json;charset=ISO-8859-1", LATIN),
        (LATIN.encode("cp1252"), "text/plain; charset='windows-1252'", LATIN),
        ("無効".encode("shift_jis"), "text/html; charset=Shift_JIS", "無効"),
        ("無効".encode("gb18030"), "text/html; charset=gb18030", "無効"),
        (LATIN.encode("latin-1"), "application/json", LATIN.replace("ü", "\ufffd")),
        (LATIN.encode("latin-1"), "application/json; charset=punycode", LATIN.replace("ü", "\ufffd")),
        (LATIN.encode("latin-1"), "application/json; charset=iso-8859-99", LATIN.replace("ü", "\ufffd")),
        (b"\xff\xfe\x00", "", "\ufffd"),
        (b"", "", ""),
    ],
)
def test_a_body_is_text_in_whatever_charset_it_came(body, content_type, text):
    assert reading.decode(Response(400, {"content-type": content_type}, body)) == text


def test_an_invalid_byte_in_a_body_does_not_hide_its_fields():
    body = reading.json_object(Response(400, {}, LATIN.encode("latin-1")))
    assert reading.child(body, "error")["code"] == 190
