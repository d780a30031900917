"""Recipients: any usual writing of a number, user ids, groups; everything else is an error in words."""

import enum

import pytest

from airflow_provider_d360.api.errors import Condition, D360RequestError
from airflow_provider_d360.api.recipients import address, canonical, check_region


class Label(str, enum.Enum):
    ON_CALL = "+49 151 23456789"


@pytest.mark.parametrize(
    "written",
    [
        "4915112345689",
        "+4915112345689",
        "004915112345689",
        "+49 151 123456-89",
        "+49 (151) 123.456/89",
        "+49.15112345689",
        "(+49) 151 12345689",
        "(0049) 151 12345689",
        "4.915.112.345.689",
        " 49\u00a0151\u2011123456\u201189 ",
        "\u202a+49 151 12345689\u202c",
        "4915112345689\n",
        4915112345689,
    ],
)
def test_a_number_in_any_usual_writing_becomes_its_digits(written):
    assert address(written) == {"recipient_type": "individual", "to": "4915112345689"}


def test_a_text_with_a_name_of_its_own_counts_by_its_value():
    assert canonical(Label.ON_CALL) == "4915123456789"


@pytest.mark.parametrize(
    "digits",
    [
        "5215512345678",  # Mexico, as WhatsApp writes mobile numbers
        "525512345678",
        "5511987654321",  # Brazil, with and without the ninth digit
        "551187654321",
        "5491123456789",  # Argentina, with the 9, without it, with the 15
        "541123456789",
        "54111523456789",
        "390612345678",  # Italy dials its zero
        "3780549123456",
        "2250708091011",  # Ivory Coast and Benin, new and old
        "22507080910",
        "2290112345678",
        "22912345678",
        "15123456789",
        "12025550143",
        "33612345600",
        "6591234567",
    ],
)
def test_the_digits_of_an_international_number_are_never_changed(digits):
    assert canonical(digits) == canonical(f"+{digits}") == canonical(f"00{digits}") == digits
    assert canonical(digits, default_region="DE") == canonical(digits, default_region="BR") == digits


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 (0)151 23456789", "4915123456789"),
        ("0049 (0) 151 23456789", "4915123456789"),
        ("49(0)15123456789", "4915123456789"),
        ("+44 ( 0 ) 7911 123456", "447911123456"),
        ("+39 (0)6 12345678", "390612345678"),
    ],
)
def test_a_zero_in_brackets_is_dropped_where_the_country_does_not_dial_it(written, number):
    assert canonical(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "(11) 96123-4567",
        "(246) 250-1234",
        "(601) 2345678",
        "8 (495) 123-45-67",
        "8(916)1234567",
        "4 (9) 15112345689",
    ],
)
@pytest.mark.parametrize("region", [None, "BR", "RU"])
def test_an_area_code_in_brackets_is_not_taken_for_a_country_code(written, region):
    with pytest.raises(D360RequestError, match="area code in brackets"):
        canonical(written, default_region=region)


@pytest.mark.parametrize(
    "written", ["1 (312) 345-6789", "1(312)3456789", "+1 (312) 345 6789", "001 (312) 3456789"]
)
def test_an_area_code_in_brackets_after_the_country_code_is_part_of_the_number(written):
    assert canonical(written) == "13123456789"


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("0151 23456789", "DE", "4915123456789"),
        ("(0151) 23456789", "DE", "4915123456789"),
        ("(0)151 23456789", "DE", "4915123456789"),
        ("0151.23456789", "DE", "4915123456789"),
        ("06 12345678", "IT", "390612345678"),
        ("06 30 1234567", "HU", "36301234567"),
        ("011 15 2345 6789", "AR", "5491123456789"),
        ("011 49 151 23456789", "US", "4915123456789"),
        ("0044 7911 123456", "DE", "447911123456"),
    ],
)
def test_a_leading_zero_is_read_as_the_default_region_dials(written, region, number):
    assert canonical(written, default_region=region) == number


@pytest.mark.parametrize(
    "written", ["0110", "0", "0 (0)151 23456789", "01 (0) 51234567", "0151 2345678 ext 5", "0123456789012345"]
)
def test_what_is_no_national_number_is_an_error_in_a_region_as_well(written):
    with pytest.raises(D360RequestError):
        canonical(written, default_region="DE")


def test_a_zero_that_the_region_does_not_dial_is_an_error():
    with pytest.raises(D360RequestError, match="after the country code"):
        canonical("0512345678", default_region="US")


@pytest.mark.parametrize("user_id", ["BR.1502", "US.ENT.15a2B"])
def test_a_business_scoped_user_id_goes_into_recipient(user_id):
    assert address(user_id) == {"recipient_type": "individual", "recipient": user_id}


def test_one_recipient_has_one_writing():
    assert canonical("+49 151 123456-89") == canonical(4915112345689) == "4915112345689"
    assert canonical("BR.1502") == "BR.1502"
    assert canonical("Y2FwaV9ncm91cDox", "group") == "Y2FwaV9ncm91cDox"


def test_a_group_id_goes_as_it_is():
    assert address("Y2FwaV9ncm91cDox", "group") == {"recipient_type": "group", "to": "Y2FwaV9ncm91cDox"}


@pytest.mark.parametrize(
    "text",
    [
        "4915123456789.0",
        "+4915123456789.0",
        "4915123456789.00",
        "49151234.56",
        "49.151.23456789.0",
        "+49 30 1234567/68",
    ],
)
def test_a_number_with_decimals_or_an_appendix_is_never_another_persons_number(text):
    with pytest.raises(D360RequestError, match="decimals or an appendix"):
        canonical(text)


@pytest.mark.parametrize("missing", ["None", "nan", "NaN", "null", "<NA>", "NaT", " undefined "])
@pytest.mark.parametrize("kind", ["individual", "group"])
def test_a_missing_value_that_was_rendered_as_text_is_named(missing, kind):
    with pytest.raises(D360RequestError, match="holds no value"):
        canonical(missing, kind)


INVALID = [
    ("", "individual", "to is empty"),
    (" + ", "individual", "to is empty"),
    ("\u200b", "individual", "to is empty"),
    ("ann@example.com", "individual", "it holds letters (15 characters)"),
    ("{{ params.to }}", "individual", "it holds letters"),
    ("+4915123456789 ext 5", "individual", "without extension"),
    ("tel:+4915123456789", "individual", "it holds letters"),
    ("1-800-FLOWERS", "individual", "it holds letters"),
    ("4.915123456789e12", "individual", "it holds letters"),
    ("br.1502", "individual", "it holds letters"),
    ("+4915123456789;5", "individual", "only spaces"),
    ("+4915123456789,5", "individual", "only spaces"),
    ("+4915123456789#5", "individual", "only spaces"),
    ("4,915,123,456,789", "individual", "only spaces"),
    ("4915_123456789", "individual", "only spaces"),
    ("++4915123456789", "individual", "only spaces"),
    ("+4915123456789 +4915123456788", "individual", "Give one number"),
    ("4915123456789\n4915123456788", "individual", "Give one number"),
    ("4915123456789\t1", "individual", "only spaces"),
    ("4915123456789\x00", "individual", "only spaces"),
    ("49 (151 23456789", "individual", "only spaces"),
    ("-4915123456789", "individual", "only spaces"),
    (-4915123456789, "individual", "only spaces"),
    ("49151²3456789", "individual", "only spaces"),
    ("4915123456789/4915123456788", "individual", "at most 15 digits"),
    ("1234567890123456", "individual", "at most 15 digits"),
    ("١٢٣٤٥٦٧٨", "individual", "digits of another script"),
    ("\uff0b\uff14\uff19\uff11\uff15\uff11\uff12\uff13\uff14\uff15\uff16\uff17", "individual", "digits of another script"),
    ("0151 23456789", "individual", "set default_region"),
    ("110", "individual", "no number of that country"),
    ("+49110", "individual", "no number of that country"),
    ("1", "individual", "no number of that country"),
    ("+49", "individual", "no number of that country"),
    ("+1 1 659 123 4567", "individual", "no number of that country"),
    ("+7 (8) 912 3456789", "individual", "no number of that country"),
    ("+999123456789", "individual", "country code"),
    ("00", "individual", "country code"),
    ("000491511234567", "individual", "country code"),
    ("+49 0151 23456789", "individual", "zero after the country code"),
    ("+49 (0151) 23456789", "individual", "zero after the country code"),
    ("+36 (06) 30 1234567", "individual", "zero after the country code"),
    ("+49 151 (0) 2345678", "individual", "no trunk zero"),
    ("+49 (0)(0)151 2345678", "individual", "several zeros in brackets"),
    (None, "individual", "must be a string, not NoneType"),
    (True, "individual", "must be a string, not bool"),
    (4915123456789.0, "individual", "must be a string, not float"),
    (float("nan"), "individual", "must be a string, not float"),
    (b"4915123456789", "individual", "must be a string, not bytes"),
    (["4915112345689"], "individual", ".expand(to=[…])"),
    ({"to": "4915112345689"}, "individual", "must be a string, not dict"),
    ("4915112345689", "broadcast", "recipient_type must be"),
    ("two words", "group", "is not a group id"),
    (None, "group", "must be a string, not NoneType"),
]  # fmt: skip


@pytest.mark.parametrize(("to", "kind", "shown"), INVALID)
def test_what_is_no_recipient_is_an_error_that_does_not_repeat_it(to, kind, shown):
    with pytest.raises(D360RequestError) as caught:
        address(to, kind)
    error = str(caught.value)
    assert shown in error
    assert caught.value.detail.remedy.endswith(".")
    assert caught.value.detail.condition is Condition.RECIPIENT_INVALID
    assert len(str(to).strip()) < 7 or isinstance(to, bool) or str(to) not in error


@pytest.mark.parametrize(("region", "known"), [("DE", "DE"), (" br ", "BR")])
def test_a_region_is_two_letters_of_a_country(region, known):
    assert check_region(region) == known


@pytest.mark.parametrize("region", ["", "49", "GER", "ZZ", "001"])
def test_what_is_no_region_is_an_error(region):
    with pytest.raises(ValueError, match="such as DE"):
        check_region(region)
