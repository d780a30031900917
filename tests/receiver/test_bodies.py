"""Bytes in, events out: encodings, compression, and that nothing in a body is left out."""

from __future__ import annotations

import base64
import gzip
import json
import time
import zlib

import pytest

from airflow_provider_d360.api.events import OmittedEvent, UnknownEvent
from airflow_provider_d360.receiver.bodies import (
    TooLargeError,
    UnknownEncodingError,
    decompress,
    read_delivery,
    read_encodings,
)
from tests.receiver.doors import statuses

BODY = json.dumps(statuses(("a", "sent"))).encode()
LIMIT = 10_000


def ids(body: bytes) -> list[str]:
    return [event.message_id for event in read_delivery(body)]  # type: ignore[union-attr]


def unknown(body: bytes) -> list[object]:
    return [event.raw for event in read_delivery(body) if isinstance(event, UnknownEvent)]


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_every_encoding_of_json_is_read(encoding):
    name = "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"
    assert ids(json.dumps(statuses((name, "sent"))).encode(encoding)) == [name]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(BODY)),
        (b" GZip ", gzip.compress(BODY)),
        (b"x-gzip", gzip.compress(BODY)),
        (b"deflate", zlib.compress(BODY)),
        (b"deflate", raw_deflate(BODY)),
        (b"identity", BODY),
        (b"", BODY),
        (b"gzip, identity", gzip.compress(BODY)),
        (b"deflate, gzip", gzip.compress(zlib.compress(BODY))),
        (b"gzip", gzip.compress(BODY[:20]) + gzip.compress(BODY[20:50]) + gzip.compress(BODY[50:])),
        (b"gzip", gzip.compress(BODY) + b"\0" * 20),
        (b"gzip", BODY),  # a proxy that decompresses may forget to change the header
        (b"deflate", BODY),
    ],
)
def test_a_body_is_decompressed_as_its_header_says(encoding, body):
    assert decompress(read_encodings(encoding), body, LIMIT) == BODY


@pytest.mark.parametrize(
    "encoding", [b"br", b"zstd", b"gzip, br", b"compress", b"gzip,gzip,gzip,gzip", b"\xff"]
)
def test_an_encoding_that_cannot_be_undone_is_named_so(encoding):
    with pytest.raises(UnknownEncodingError):
        read_encodings(encoding)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, raw_deflate])
def test_a_compressed_body_obeys_the_limit_of_a_plain_one(compress):
    encodings = [b"deflate"]
    assert len(decompress(encodings, compress(BODY.ljust(LIMIT)), LIMIT)) == LIMIT
    with pytest.raises(TooLargeError):
        decompress(encodings, compress(BODY.ljust(LIMIT + 1)), LIMIT)
    with pytest.raises(TooLargeError):
        decompress(encodings, compress(b" " * 50_000_000), LIMIT)


def test_the_limit_covers_all_members_together():
    with pytest.raises(TooLargeError):
        decompress([b"gzip"], gzip.compress(b" " * 6000) * 2, LIMIT)
    with pytest.raises(TooLargeError):
        decompress([b"gzip", b"gzip"], gzip.compress(gzip.compress(b" " * LIMIT) * 1000), LIMIT)


@pytest.mark.parametrize("end", [10, 40, -20])
def test_a_compressed_body_that_breaks_off_is_kept(end):
    cut = decompress([b"gzip"], gzip.compress(BODY)[:end], LIMIT)
    assert all(isinstance(event, UnknownEvent) for event in read_delivery(cut))


def test_what_follows_a_compressed_body_is_kept():
    body = decompress([b"gzip"], gzip.compress(BODY) + b"more", LIMIT)
    assert [type(event).__name__ for event in read_delivery(body)] == ["StatusEvent", "UnknownEvent"]
    assert unknown(body) == ["more"]


@pytest.mark.parametrize(
    "separator", [b"\n", b"\r\n", b"", b" ", b"\n\n\x1e"], ids=["lf", "crlf", "nothing", "space", "record"]
)
def test_several_documents_in_one_body_are_all_read(separator):
    body = separator.join(json.dumps(statuses((name, "sent"))).encode() for name in "abc")
    assert ids(body) == ["a", "b", "c"]
    assert ids(separator + body + separator) == ["a", "b", "c"]


def test_the_documents_before_a_broken_one_are_read_and_the_rest_is_kept():
    body = BODY + b"\n" + BODY[:-5]
    assert [type(event).__name__ for event in read_delivery(body)] == ["StatusEvent", "UnknownEvent"]
    assert unknown(body) == [BODY[:-5].decode()]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"<xml/>",
        b"payload=%7B%7D&a=1",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
        BODY[:-1],
        b"[" * 9000 + b"]" * 9000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
)
def test_what_is_not_json_is_kept_as_text(body):
    assert unknown(body) == [body.decode()]


@pytest.mark.parametrize("body", [b"\xff\xd8\xff\xe0 an image", b"\x28\xb5\x2f\xfd\xff", gzip.compress(BODY)])
def test_what_is_not_even_text_is_kept_in_base64(body):
    assert unknown(body) == [f"base64:{base64.b64encode(body).decode()}"]


def test_a_body_of_very_many_unknown_items_is_kept_as_one():
    good = {"id": "good", "status": "sent"}
    assert len(unknown(json.dumps([1] * 1000).encode())) == 1000
    body = json.dumps([{"statuses": [good]}, *range(5000)]).encode()
    assert [type(event).__name__ for event in read_delivery(body)] == ["StatusEvent", "UnknownEvent"]
    assert unknown(body) == [body.decode()]


@pytest.mark.parametrize("body", [b"", b" \n", b"[]", b"{}", b"null", b'""'])
def test_a_body_without_content_yields_nothing_to_store(body):
    assert all(isinstance(event, OmittedEvent) for event in read_delivery(body))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"statuses":[A],"statuses":[B]}', ["a", "b"]),
        ('{"statuses":A,"statuses":[B]}', ["a", "b"]),
        ('{"entry":[{"changes":[{"value":{"statuses":[A]},"value":{"statuses":[B]}}]}]}', ["a", "b"]),
        (
            '{"entry":[{"changes":[{"value":{"statuses":[A]}}],"changes":[{"value":{"statuses":[B]}}]}]}',
            ["a", "b"],
        ),
        ('{"statuses":[{"id":"a","id":"a","status":"sent"}]}', ["a"]),
        ('{"statuses":[A],"statuses":[A]}', ["a"]),
    ],
)
def test_of_a_name_that_occurs_twice_neither_value_is_lost(body, expected):
    for name in "ab":
        body = body.replace(name.upper(), json.dumps({"id": name, "status": "sent"}))
    assert ids(body.encode()) == expected


def test_an_item_with_two_ids_is_kept_as_it_is():
    assert unknown(b'{"statuses":[{"id":"a","id":"b","status":"sent"}]}') == [
        {"id": ["a", "b"], "status": "sent"}
    ]


@pytest.mark.parametrize("digits", ["9" * 19, "9" * 25, "9" * 5000])
def test_an_integer_of_any_length_is_kept(digits):
    [item] = unknown(f'{{"statuses":[{{"id":{digits},"status":"sent"}}]}}'.encode())
    assert str(item["id"]) == digits  # type: ignore[index]


@pytest.mark.parametrize("digits", ["1e999", "-1E+400"])
def test_a_number_that_is_too_large_for_a_float_is_kept(digits):
    assert unknown(f'{{"statuses":[{{"id":{digits}}}]}}'.encode()) == [{"id": digits}]


@pytest.mark.parametrize(
    "body",
    [
        "[" * 5000 + '"' * 1_000_000,
        "[" * 5000 + '"' + '\\"' * 500_000,
        "[" * 1_000_000,
        "[" * 500_000 + "]" * 500_000,
        "{} " * 300_000,
        '{"a":1,"a":[1],"a":"' + "x" * 100_000 + '"}' + '{"a":[1],"a":[2]}' * 50_000,
        "{" + ",".join(['"a":[1,2,3]'] * 80_000) + "}",
    ],
)
def test_a_body_made_to_be_slow_is_not(body):
    begin = time.process_time()
    read_delivery(body.encode())
    assert time.process_time() - begin < 10, "a reader that looks at everything twice needs minutes"
