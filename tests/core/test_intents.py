"""Intents: stable over tries, different for different messages, saying nothing without the key."""

import datetime

from airflow_provider_d360.api.intents import fingerprint

PARTS = ("dag", "run", "task", -1, "4915112345689", {"type": "text", "text": {"body": "Hi"}})


def test_the_same_message_has_the_same_name_whatever_the_order_of_its_keys():
    turned = {"text": {"body": "Hi"}, "type": "text"}
    assert fingerprint("key", *PARTS) == fingerprint("key", *PARTS[:-1], turned)


def test_every_part_and_the_key_count():
    names = {fingerprint("key", *PARTS), fingerprint("other", *PARTS)}
    names |= {fingerprint("key", *PARTS[:n], "changed", *PARTS[n + 1 :]) for n in range(len(PARTS))}
    assert len(names) == 2 + len(PARTS)


def test_a_name_is_short_and_holds_nothing_of_its_parts():
    name = fingerprint("key", *PARTS)
    assert len(name) == 32
    assert "4915112345689" not in name


def test_anything_can_be_a_part():
    assert fingerprint("key", datetime.date(2026, 1, 1), "\ud800") != fingerprint("key")
