"""Message ids, decoded: they hold the whole number, as the real ones do."""

from __future__ import annotations

import base64

import pytest

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX, Hosting
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, Webhook
from airflow_provider_d360.emulator.message_ids import new_message_id


def decoded(message_id: str) -> bytes:
    return base64.b64decode(message_id.removeprefix("wamid."), validate=True)


@pytest.mark.parametrize("hosting", [CLOUD, SANDBOX])
def test_an_id_holds_the_digits_of_the_recipient_as_the_public_example_does(hosting: Hosting) -> None:
    message_id = new_message_id(hosting, "16503879439")
    assert message_id.startswith("wamid.HBgLMTY1MDM4Nzk0MzkVAgARGB")
    whole = decoded(message_id)
    assert whole[:3] == b"\x1c\x18\x0b"
    assert whole[3:14] == b"16503879439"
    assert whole[14:20] == b"\x15\x02\x00\x11\x18\x12"
    assert len(whole[20:-1]) == 18
    assert set(whole[20:-1]) <= set(b"0123456789ABCDEF")
    assert whole[-1:] == b"\x00"


def test_an_inbound_id_holds_the_digits_of_the_sender(emulator: Emulator) -> None:
    emulator.numbers[CLOUD_KEY].webhook = Webhook("https://hooks.example.com")
    message_id = emulator.receive("Hi", sender="+49 151 12345678")
    assert b"4915112345678" in decoded(message_id)


def test_an_on_premise_id_holds_the_digits_as_packed_decimals() -> None:
    assert new_message_id(ON_PREMISE, "16503879439").startswith("gBGGFlA4eUOfAg")
    assert new_message_id(ON_PREMISE, "918884075557").startswith("gBEGkYiEB1VXAg")


def test_the_id_for_a_hidden_number_holds_no_part_of_the_user_id() -> None:
    whole = decoded(new_message_id(CLOUD, "BR.15021"))
    assert whole[2] == 15
    assert whole[3:18].isdigit()
    assert b"15021" not in whole[3:18]


def test_no_two_ids_are_alike() -> None:
    assert len({new_message_id(CLOUD, "16503879439") for _ in range(1000)}) == 1000
