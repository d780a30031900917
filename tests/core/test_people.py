"""All numbers of a person have one spelling, and no two people share one."""

from __future__ import annotations

import pytest

from airflow_provider_d360.api.people import person


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5215512345678", "525512345678"),
        ("5511961234567", "551161234567"),
        ("5491123456789", "541123456789"),
        ("54111523456789", "541123456789"),
        ("542211545678901"[:14], "5422145678901"[:12]),
    ],
)
def test_both_numbers_of_a_person_have_one_spelling(one, other):
    assert person(one) == person(other)


@pytest.mark.parametrize(
    "number",
    [
        "4915123456789",
        "525512345678",
        "551131234567",
        "5511931234567",
        "541123456789",
        "BR.1502",
        "17",
        "541115234567",
    ],
)
def test_other_recipients_stay_as_they_are(number):
    assert person(number) == number
