"""An acknowledged event survives ``kill -9``: twenty times, under load, on both databases."""

from __future__ import annotations

import pytest

from tests.receiver.killing import lost_after_kills
from tests.store.conftest import postgres, url  # noqa: F401

pytestmark = pytest.mark.system

KILLS = 20


def test_what_was_acknowledged_survives_twenty_kills(url: str) -> None:  # noqa: F811
    acknowledged, lost = lost_after_kills(url, KILLS)
    assert acknowledged >= KILLS * 120
    assert lost == set()
