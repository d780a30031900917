"""The numbers of the charts."""

from __future__ import annotations

from airflow_provider_d360.pages.charts import HEIGHT, columns, shares


def test_the_greatest_value_is_as_high_as_the_chart() -> None:
    first, second = columns([5.0, 0.0, 10.0])
    assert (first.x, first.y, first.height) == (0.1, HEIGHT / 2, HEIGHT / 2)
    assert (second.x, second.y, second.height) == (2.1, 0.0, HEIGHT)


def test_without_values_nothing_is_drawn() -> None:
    assert columns([]) == columns([0.0]) == []
    assert shares({}) == shares({"read": 0}) == []


def test_shares_stand_beside_each_other_and_a_small_one_is_seen() -> None:
    bars = shares({"failed": 1, "read": 99_999, "planned": 100_000})
    assert [bar.name for bar in bars] == ["failed", "read", "planned"]
    assert [bar.width for bar in bars] == [0.25, 50.0, 50.0]
    assert [bar.x for bar in bars] == [0.0, 0.0, 50.0]
