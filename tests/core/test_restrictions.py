"""Whom a connection may write to, as its extras say it."""

import pytest

from airflow_provider_d360.api.errors import D360RecipientError, D360RequestError
from airflow_provider_d360.api.restrictions import Restriction, read_restriction

MINE = "4915112345689"
CUSTOMER = "33612345678"


def read(*extras: object) -> Restriction:
    restriction = read_restriction(*extras)
    assert restriction is not None
    return restriction


@pytest.mark.parametrize(
    "only_to",
    [
        MINE,
        int(MINE),
        "+49 151 123456-89",
        "0151 12345689",
        "+49 151*",
        "49 (151) *",
        f" {MINE} , +1 650 253 0000",
        [MINE, "+1 650 253 0000"],
        [int(MINE)],
        f"+1 650 253 0000;{MINE}\n",
    ],
)
def test_a_number_of_the_list_is_allowed_however_it_is_written(only_to):
    restriction = read(only_to, None, "DE")
    assert restriction.allows(MINE)
    assert not restriction.allows(CUSTOMER)


def test_a_whole_number_is_no_prefix():
    assert not read("4915112345", None).allows("491511234567")


def test_a_prefix_allows_phone_numbers_only():
    assert not read("1*", None).allows("120363025246125486@g.us")


def test_user_ids_and_groups_can_be_named():
    restriction = read("BR.1502, 120363025246125486@g.us", None)
    assert restriction.allows("BR.1502")
    assert restriction.allows("120363025246125486@g.us")
    assert not restriction.allows("BR.15021")


@pytest.mark.parametrize("missing", [None, ""])
def test_without_extras_nothing_is_restricted(missing):
    assert read_restriction(missing, missing) is None


def test_redirect_to_alone_gets_every_message():
    restriction = read("", MINE)
    assert restriction.destination(CUSTOMER) == MINE
    assert restriction.destination(MINE) == MINE


def test_a_refusal_names_nobody_and_says_what_to_do():
    with pytest.raises(D360RecipientError) as caught:
        read(MINE, None).destination(CUSTOMER)
    assert "33…78: its only_to" in caught.value.detail.title
    assert "only_to" in caught.value.detail.remedy
    assert CUSTOMER not in str(caught.value)


@pytest.mark.parametrize(
    ("only_to", "problem"),
    [
        (" , ", "only_to names nobody"),
        ([], "only_to names nobody"),
        (f"{MINE},*", "entry 2 of only_to is no beginning of a phone number"),
        ("0151*", "entry 1 of only_to is no beginning"),
        ("49x*", "entry 1 of only_to is no beginning"),
        ("+49*151", "entry 1 of only_to is no phone number"),
        ("110", "entry 1 of only_to is no phone number"),
        (True, "entry 1 of only_to must be a string"),
        ([MINE, None], "entry 2 of only_to must be a string"),
        ({"a": MINE}, "entry 1 of only_to must be a string"),
        ("None", "entry 1 of only_to"),
    ],
)
def test_a_wrong_list_is_an_error_that_names_the_place(only_to, problem):
    with pytest.raises(D360RequestError) as caught:
        read(only_to, None)
    assert problem in caught.value.detail.title
    assert caught.value.detail.remedy
    assert MINE not in str(caught.value)


@pytest.mark.parametrize("redirect_to", ["110", "120363025246125486@g.us", [MINE], f"{MINE},{CUSTOMER}"])
def test_a_message_is_redirected_to_one_person(redirect_to):
    with pytest.raises(D360RequestError, match=r"^redirect_to "):
        read(None, redirect_to)


def test_no_description_holds_a_whole_number():
    restriction = read(f"{CUSTOMER},+1 650*", MINE)
    assert str(restriction) == (
        "only_to names 2 recipients or prefixes; messages to anybody else go to 49…89"
    )
    assert str(read(MINE, None)).endswith("refused")
    assert str(read(None, MINE)).startswith("redirect_to is set; ")
    assert MINE not in repr(restriction)
    assert CUSTOMER not in repr(restriction)
