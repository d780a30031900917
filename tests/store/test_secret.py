"""Hashes of the ledger: the same for the same message, other for others, saying nothing without the secret."""

import datetime

from airflow_provider_d360.store.secret import keyed_hash

PARTS = ("dag", "run", "task", -1, "4915112345689", {"type": "text", "text": {"body": "Hi"}})


def test_the_same_message_has_the_same_name_whatever_the_order_of_its_keys():
    turned = {"text": {"body": "Hi"}, "type": "text"}
    assert keyed_hash(b"key", *PARTS) == keyed_hash(b"key", *PARTS[:-1], turned)


def test_every_part_and_the_key_count():
    names = {keyed_hash(b"key", *PARTS), keyed_hash(b"other", *PARTS)}
    names |= {keyed_hash(b"key", *PARTS[:n], "changed", *PARTS[n + 1 :]) for n in range(len(PARTS))}
    assert len(names) == 2 + len(PARTS)


def test_a_name_is_short_and_holds_nothing_of_its_parts():
    name = keyed_hash(b"key", *PARTS)
    assert len(name) == 32
    assert "4915112345689" not in name


def test_anything_can_be_a_part():
    assert keyed_hash(b"key", datetime.date(2026, 1, 1), "\ud800") != keyed_hash(b"key")
