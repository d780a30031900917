"""Numbers, bodies and keys do not appear where people or programs may read them."""

import base64
import html
import json
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.privacy import (
    conceal,
    decodings,
    explain,
    file_error,
    mask_number,
    private_strings,
    public_strings,
    quotes,
    readable,
    scrub,
    short_id,
)
from airflow_provider_d360.api.shapes import Leaf
from airflow_provider_d360.emulator.message_ids import new_message_id


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
        (True, "(4 characters)"),
        (["ab", ("c",)], ["(2 characters)", ["(1 character)"]]),
        ({"type": {"nested": "x"}}, {"type": {"(6 characters)": "(1 character)"}}),
        ({"template": "{{ x }}"}, {"template": "(7 characters)"}),
        (42, "(2 characters)"),
    ],
)
def test_anything_can_be_concealed(value, shown):
    assert conceal(value) == shown


def test_free_data_is_concealed_whatever_its_keys_are_called():
    data = {"status": "HIV positive", "code": "1234", "type": "x", "Ann Smith": 1}
    parameters = {"flow_action": "navigate", "flow_action_payload": {"screen": "A", "data": data}}
    message = {"type": "interactive", "interactive": {"type": "flow", "action": {"parameters": parameters}}}
    shown = json.dumps(conceal(message))
    assert "navigate" in shown
    for private in ("HIV", "1234", "Ann", "Smith"):
        assert private not in shown
    assert {"HIV positive", "1234"} <= private_strings(message)


def test_what_has_no_grammar_is_concealed_as_a_whole():
    assert conceal({"code": "secret", "type": "b"}, Leaf.PRIVATE) == "(2 entries)"
    assert conceal({"status": "secret"}, Leaf.PRIVATE) == "(1 entry)"


def test_the_words_of_the_grammar_are_public():
    assert public_strings(TEMPLATE) == {
        "template", "order_update", "deterministic", "en_US", "body", "text",
    }  # fmt: skip


PERSON = "4915112345689"
HOSTINGS = [CLOUD, ON_PREMISE, SANDBOX]


@pytest.mark.parametrize("number", [PERSON, "16503879439", "918884075557", "4512345678"])
@pytest.mark.parametrize("hosting", HOSTINGS, ids=[hosting.name for hosting in HOSTINGS])
def test_the_short_form_of_an_id_decodes_to_no_number(hosting, number):
    message_id = new_message_id(hosting, number)
    forms = [message_id.removeprefix("wamid."), *decodings(message_id.removeprefix("wamid."))]
    assert any(number in form or number in form.encode("latin-1", "replace").hex() for form in forms[1:]) or (
        number in base64.urlsafe_b64decode(message_id + "=" * (-len(message_id) % 4)).hex()
    )
    short = short_id(message_id)
    assert short == short_id(message_id) != short_id(new_message_id(hosting, number))
    for form in decodings(short):
        assert number[:6] not in form
        assert number[:6] not in form.encode("latin-1", "replace").hex()
    assert scrub(f"Message {message_id}: sent") == f"Message {short}: sent"


SAID = "Dear Ann Smith, your account is blocked: HIV positive, code 482913, unpaid invoices."
FORMS = {
    "as it is": SAID,
    "capitals": SAID.upper(),
    "words in reverse": " ".join(reversed(SAID.split())),
    "reversed": SAID[::-1],
    "decomposed": unicodedata.normalize("NFKD", SAID.replace("A", "Ä")),
    "fullwidth": "".join(chr(ord(ch) + 0xFEE0) if "!" <= ch <= "~" else ch for ch in SAID),
    "JSON": json.dumps(json.dumps({SAID: SAID})),
    "code points": "".join(f"\\u{ord(ch):04x}" for ch in SAID),
    "code points in braces": "".join(f"\\u{{{ord(ch):x}}}" for ch in SAID),
    "code points of Unicode": " ".join(f"U+{ord(ch):04X}" for ch in SAID),
    "calls": "+".join(f"chr({ord(ch)})" for ch in SAID),
    "octal": "".join(f"\\{ord(ch):03o}" for ch in SAID),
    "hexadecimal": "".join(f"\\x{ord(ch):02x}" for ch in SAID),
    "HTML": html.escape(SAID),
    "HTML by number": "".join(f"&#{ord(ch)};" for ch in SAID),
    "HTML by number, twice": html.escape("".join(f"&#{ord(ch)};" for ch in SAID)),
    "a list of bytes": str(list(SAID.encode())),
    "a URL": quote(SAID),
    "a URL, all of it": "".join(f"%{ord(ch):02X}" for ch in SAID),
    "Base64": base64.b64encode(SAID.encode()).decode(),
    "Base64 for URLs": base64.urlsafe_b64encode(SAID.encode()).decode(),
    "hex": SAID.encode().hex(),
    "hex by bytes": SAID.encode().hex(" "),
    "letters": " ".join(SAID),
    "underscores": SAID.replace(" ", "_"),
}
TELLTALE = ["ann", "smith", "hiv", "positive", "482913", "4829", "2913", "is blocked", "blocked is"]


@pytest.mark.parametrize("size", [3, 5, 8, 13, 21, 40, 400])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_no_fragment_in_any_form_shows_what_a_message_says(form, size):
    for start in range(0, max(1, len(form) - size + 1), 1 if size < 40 else 7):
        shown = readable(f"(#100) Invalid parameter '{form[start : start + size]}'", [SAID, PERSON])
        assert shown.startswith("(#100) Invalid parameter")
        rest = shown.removeprefix("(#100) Invalid parameter").casefold()
        assert [part for part in TELLTALE if part in rest or part in html.unescape(rest)] == []
        if size > 20:  # besides the ends of what looks like a number, too little is left to decode
            rest = re.sub(r"\d\d…+\d\d", "", rest)
            assert len([ch for ch in rest if ch.isdecimal()]) <= 6, shown


@pytest.mark.parametrize(
    "written",
    [PERSON, "+49 151 12345689", "0151/123-456-89", "49.151.123.456.89", "49_151_123_456_89", "4915 and 5689",
     "49, then 151, then 123, then 45, then 689", "4 9 1 5 1 1 2 3 4 5 6 8 9", "12345689", "15112",
     "986543, 211519, 4", "9865, then 4321"],
)  # fmt: skip
def test_no_part_of_a_number_is_readable_whatever_stands_between_its_digits(written):
    shown = readable(f"Invalid parameter {written}", [PERSON])
    digits = "".join(ch for ch in shown if ch.isdecimal())
    for number in (PERSON, PERSON[::-1]):
        assert not any(number[start : start + 5] in digits for start in range(len(number) - 4))


def test_many_numbers_among_known_words_may_be_the_codes_of_characters():
    codes = " is ".join(str(ord(ch)) for ch in SAID[:11])
    assert readable(f"(#100) Invalid parameter: {codes}", [SAID]).count("1") == 1


def test_codes_of_errors_are_no_part_of_a_number():
    assert readable("(#131030) Recipient not in allowed list", [PERSON]) == (
        "(#131030) Recipient not in allowed list"
    )


@pytest.mark.parametrize(
    "trace_id",
    [
        "AnnSmith", "Axx-ANN-SMITH-9", "hivp", "xANNx", PERSON + "A", "A" + PERSON[3:8],
        base64.b64encode(b"Ann Smith").decode(), base64.urlsafe_b64encode(b"?Ann Smith").decode().rstrip("="),
        "x" + base64.b64encode(b"Smith!").decode(), b"Smith".hex(),
    ],
)  # fmt: skip
def test_an_id_that_quotes_a_message_in_some_form_is_recognised(trace_id):
    assert quotes(trace_id, [SAID, PERSON, "Ann"])


def test_an_id_of_random_characters_quotes_nothing():
    assert not quotes("Az8or2yhqkZfEZ-_4Qn_Bam", [SAID, PERSON, "", "…"])
    assert not quotes("Az8or2yhqkZfEZ-_4Qn_Bam", [])


SENTENCES = (Path(__file__).parent / "known_sentences.txt").read_text().splitlines()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_that_the_services_are_known_to_use_stays_readable(sentence):
    assert readable(sentence, ["Dear Ann Smith, your order 12 is ready.", PERSON]) == sentence


class UnprintableError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def test_a_foreign_exception_is_its_class_and_known_words():
    assert explain(ValueError("invalid value: 'Ann Smith'")) == "ValueError: invalid value: '…'"
    assert explain(KeyError("Ann Smith")) == "KeyError"
    assert explain(KeyError("order_date"), public=["order_date"]) == "KeyError: 'order_date'"
    assert explain(UnprintableError()) == "UnprintableError"


def test_a_value_where_the_grammar_has_an_object_is_private():
    assert conceal({"template": "Ann", "text": ["Smith"]}) == {
        "template": "(3 characters)", "text": ["(5 characters)"],
    }  # fmt: skip


def test_an_error_of_a_file_loses_its_path_and_keeps_its_class():
    missing = file_error(FileNotFoundError(2, "No such file or directory", "/home/ann/hiv.pdf"))
    assert type(missing) is FileNotFoundError
    assert str(missing).startswith("No such file or directory. Check the path")
    assert str(file_error(PermissionError("/home/ann/hiv.pdf"))).startswith("PermissionError")
    foreign = file_error(RuntimeError("s3://key:canary@bucket/ann is not found"))
    assert type(foreign) is OSError
    assert "canary" not in str(foreign)
    assert "not" in str(foreign)
