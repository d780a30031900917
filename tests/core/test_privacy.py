"""Numbers, bodies and keys do not appear where people or programs may read them."""

import pytest

from airflow_provider_d360.api.privacy import (
    conceal,
    explain_rendering,
    mask_number,
    private_strings,
    scrub,
)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("4915112345689", "49…89"),
        ("+49 151 123456-89", "49…89"),
        ("BR.15020001", "BR…01"),
        (4915112345689, "49…89"),
        ("1234", "…"),
        ("", "…"),
        (None, "…"),
    ],
)
def test_a_number_is_shown_by_its_ends(number, shown):
    assert mask_number(number) == shown


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Recipient 4915112345689 is not allowed", "Recipient 49…89 is not allowed"),
        ("to +49 (151) 1234-5689.", "to 49…89."),
        ("user BR.1502000123 unknown", "user BR…23 unknown"),
        ("(#131047) within 24 hours", "(#131047) within 24 hours"),
        ("127.0.0.1 refused on 8080", "127.0.0.1 refused on 8080"),
        ("secret sauce", "… sauce"),
    ],
)
def test_a_text_loses_numbers_and_secrets_but_keeps_codes(text, clean):
    assert scrub(text, ["secret"]) == clean


def test_the_longer_secret_goes_first():
    assert scrub("abcdef", ["abc", "abcdef"]) == "…"


TEMPLATE = {
    "type": "template",
    "template": {
        "name": "order_update",
        "language": {"policy": "deterministic", "code": "en_US"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Ann Example"}]}],
    },
}


def test_the_private_part_of_a_template_is_its_parameters():
    assert private_strings(TEMPLATE) == {"Ann Example"}


def test_everything_said_or_addressed_is_private_whatever_its_type():
    body = {
        "to": "4915112345689",
        "location": {"latitude": 52.52, "name": "Office"},
        "ok": True,
        "none": None,
        "tuple": ("longer", "no"),
    }
    assert private_strings(body) == {"4915112345689", "52.52", "Office", "longer"}


def test_a_concealed_message_keeps_its_form():
    assert conceal(TEMPLATE) == {
        "type": "template",
        "template": {
            "name": "order_update",
            "language": {"policy": "deterministic", "code": "en_US"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "(11 characters)"}]}],
        },
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Hello", "(5 characters)"),
        (None, None),
        (True, True),
        (["ab", ("c",)], ["(2 characters)", ["(1 characters)"]]),
        ({"type": {"nested": "x"}}, {"type": {"nested": "(1 characters)"}}),
        ({"template": "{{ x }}"}, {"template": "(7 characters)"}),
        (42, "(2 characters)"),
    ],
)
def test_anything_can_be_concealed(value, shown):
    assert conceal(value) == shown


def test_a_template_that_fails_is_explained_without_what_it_was_given():
    class UndefinedError(RuntimeError):
        __module__ = "jinja2.exceptions"

    undefined = UndefinedError("'dict object' has no attribute '4915112345689'")
    assert explain_rendering(undefined) == "UndefinedError: 'dict object' has no attribute '49…89'"
    assert explain_rendering(KeyError("canary")) == "KeyError"
