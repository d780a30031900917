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
