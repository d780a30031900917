"""Recipients: any usual writing of a number, user ids, groups; everything else is refused in words."""

import pytest

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.recipients import address, canonical


@pytest.mark.parametrize(
    "written",
    [
        "4915112345689",
        "+4915112345689",
        "004915112345689",
        "+49 151 123456-89",
        "+49 (151) 123.456/89",
        " 49\u00a0151\u2011123456\u201189 ",
        "\u202a+49 151 12345689\u202c",
        4915112345689,
    ],
)
def test_a_number_in_any_usual_writing_becomes_its_digits(written):
    assert address(written) == {"recipient_type": "individual", "to": "4915112345689"}


@pytest.mark.parametrize("digits", ["5215512345678", "5511987654321", "0151123456", "49001511234"])
def test_digits_are_never_changed(digits):
    assert address(digits)["to"] == digits


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
    ("to", "kind", "said"),
    [
        ("", "individual", "to is empty"),
        (" + ", "individual", "to is empty"),
        ("ann@example.com", "individual", "to is no phone number (15 characters)"),
        ("{{ params.to }}", "individual", "to is no phone number"),
        ("1234567890123456", "individual", "at most 15 digits"),
        ("١٢٣٤٥٦٧٨", "individual", "to is no phone number"),
        (None, "individual", "must be a string, not NoneType"),
        (True, "individual", "must be a string, not bool"),
        (["4915112345689"], "individual", ".expand(to=[…])"),
        ("4915112345689", "broadcast", "recipient_type must be"),
        ("two words", "group", "is not a group id"),
    ],
)
def test_what_is_no_recipient_is_refused_without_repeating_it(to, kind, said):
    with pytest.raises(D360RequestError) as caught:
        address(to, kind)
    assert said in str(caught.value)
    assert not to or isinstance(to, bool) or str(to).strip() in ("", "+") or str(to) not in str(caught.value)
