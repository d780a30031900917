"""Bytes in, events out: encodings, packings, and what must not take a whole body with it."""

from __future__ import annotations

import gzip
import json
import time
import zlib

import pytest

from airflow_provider_d360.webhook.bodies import TooLargeError, UnreadableError, read_delivery, unpacked
from tests.webhook.doors import statuses

BODY = json.dumps(statuses(("a", "sent"))).encode()
LIMIT = 10_000


def ids(body: bytes) -> list[str]:
    return [event.message_id for event in read_delivery(body)]  # type: ignore[union-attr]


def among_good_ones(item: str) -> bytes:
    good = [{"id": name, "status": "sent"} for name in ("before", "after")]
    return json.dumps({"statuses": [good[0], "HERE", good[1]]}).replace('"HERE"', item).encode()


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_every_encoding_of_json_is_read(encoding):
    assert ids(
        json.dumps(statuses(("Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}", "sent"))).encode(encoding)
    ) == ["Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(BODY)),
        (b" GZip ", gzip.compress(BODY)),
        (b"x-gzip", gzip.compress(BODY)),
        (b"deflate", zlib.compress(BODY)),
        (b"identity", BODY),
        (b"br", BODY),
        (b"gzip", BODY),  # a proxy that unpacks may forget to change the header
    ],
)
def test_a_body_is_unpacked_as_its_header_says_if_it_is_packed(encoding, body):
    assert unpacked({b"content-encoding": encoding}, body, LIMIT) == BODY


def test_a_body_that_says_nothing_is_left_alone():
    assert unpacked({}, BODY, LIMIT) is BODY


def test_a_packed_body_obeys_the_limit_of_an_unpacked_one():
    packed = {b"content-encoding": b"gzip"}
    assert len(unpacked(packed, gzip.compress(BODY.ljust(LIMIT)), LIMIT)) == LIMIT
    with pytest.raises(TooLargeError):
        unpacked(packed, gzip.compress(BODY.ljust(LIMIT + 1)), LIMIT)
    with pytest.raises(TooLargeError):
        unpacked(packed, gzip.compress(b" " * 50_000_000), LIMIT)


@pytest.mark.parametrize("end", [10, 40, -20])
def test_a_packed_body_that_breaks_off_is_unreadable(end):
    cut = unpacked({b"content-encoding": b"gzip"}, gzip.compress(BODY)[:end], LIMIT)
    with pytest.raises(UnreadableError):
        read_delivery(cut)


@pytest.mark.parametrize("body", [b"", b"\0", b"{", b"<xml/>", b"a=1", b"\xff\xfe{\0", b"{}{}", b"[" * 9000])
def test_what_is_no_json_is_unreadable(body):
    with pytest.raises(UnreadableError):
        read_delivery(body)


@pytest.mark.parametrize(
    "item",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"id":' + '["]",{"}":' * 5000 + "1" + "}]" * 5000 + "}",
        '{"a":"[[[{{\\"[[","b":' + "[" * 5000 + "]" * 5000 + "}",
    ],
)
def test_an_item_of_any_depth_does_not_keep_the_good_ones_out(item):
    assert ids(among_good_ones(item)) == ["before", "after"]


@pytest.mark.parametrize(
    "end", ['"' * 1_000_000, '"' + '\\"' * 500_000, "\\" * 1_000_000, "[" * 500_000, "]" * 500_000]
)
def test_a_body_made_to_be_slow_is_not(end):
    begun = time.process_time()
    with pytest.raises(UnreadableError):
        read_delivery(b"[" * 5000 + end.encode())
    assert time.process_time() - begun < 10, "a reader that looks at everything twice needs minutes"
