"""Account calls: profile and blocked users, in each hosting's dialect."""

import json

import pytest

from airflow_provider_d360.api.endpoints import accounts
from airflow_provider_d360.api.endpoints.accounts import BlockOutcome, BusinessProfile
from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.responses import read_response
from airflow_provider_d360.api.wire import Response

FIELDS = {"address": "Street 1", "email": "a@b.example", "websites": ["https://a.example"]}
PROFILE = BusinessProfile(address="Street 1", email="a@b.example", websites=("https://a.example",))


def response(body):
    return Response(200, {}, json.dumps(body).encode())


def body(call):
    return json.loads(call.request.body)


@pytest.mark.parametrize(
    ("hosting", "path", "shape"),
    [
        (
            CLOUD,
            "/whatsapp_business_profile?fields=about,address,description,email,profile_picture_url,websites,vertical",
            {"data": [{**FIELDS, "messaging_product": "whatsapp"}]},
        ),
        (ON_PREMISE, "/v1/settings/business/profile", {"settings": {"business": {"profile": FIELDS}}}),
    ],
)
def test_the_profile_is_read_on_both_hostings(hosting, path, shape):
    call = accounts.get_business_profile(hosting)
    assert (call.request.method, call.request.path) == ("GET", path)
    assert read_response(call, response(shape), ["key"]) == PROFILE
    assert read_response(call, response({"data": []}), ["key"]) == BusinessProfile()


def test_the_profile_is_set_in_both_dialects():
    assert body(accounts.set_business_profile(CLOUD, about="Hi", **FIELDS)) == {
        "messaging_product": "whatsapp",
        "about": "Hi",
        **FIELDS,
    }
    assert body(accounts.set_business_profile(ON_PREMISE, **FIELDS)) == FIELDS


@pytest.mark.parametrize("field", ["about", "profile_picture_handle"])
def test_a_field_that_on_premise_does_not_have_is_refused(field):
    with pytest.raises(D360RequestError, match=f"profile of the on_premise hosting has no {field}"):
        accounts.set_business_profile(ON_PREMISE, **{field: "x"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"adress": "Street 1"}, "has no adress. Give one of about, address"),  # codespell:ignore
        ({}, "No field is given"),
        ({"about": "x" * 140}, "about: 140 characters, at most 139"),
        ({"about": None, "email": 3}, "email: must be a string"),
        ({"websites": "https://a.example"}, "websites: must be a list"),
        ({"websites": ["a.example"]}, r"websites\[0\]: must start with http"),
        ({"description": "None"}, "description: missing: the value is None"),
    ],
)
def test_a_profile_that_is_certain_to_be_refused_is_not_sent(fields, message):
    with pytest.raises(D360RequestError, match=message):
        accounts.set_business_profile(CLOUD, **fields)


@pytest.mark.parametrize("users", ["4915112345678", [], ["4915112345678"] * 1001, None])
@pytest.mark.parametrize("make", [accounts.block_users, accounts.unblock_users])
def test_users_are_a_list_of_one_to_a_thousand(make, users):
    with pytest.raises(D360RequestError, match="users "):
        make(CLOUD, users)


def test_people_are_blocked_by_number_and_by_user_id():
    call = accounts.block_users(CLOUD, ["+49 151 12345678", "BR.1502"])
    assert (call.request.method, call.request.path) == ("POST", "/block_users")
    assert body(call) == {
        "messaging_product": "whatsapp",
        "block_users": [{"user": "4915112345678"}, {"user_id": "BR.1502"}],
    }
    assert call.private() == {"4915112345678", "BR.1502"}
    shape = {
        "block_users": {
            "added_users": [{"input": "+49151", "wa_id": "4915112345678"}],
            "failed_users": [
                {"input": "1", "errors": [{"code": 139103, "message": "Failed"}, {"message": "Twice"}]}
            ],
        }
    }
    assert read_response(call, response(shape), ["key"]) == BlockOutcome(
        ("4915112345678",), {"1": "139103 Failed; Twice"}
    )


@pytest.mark.parametrize("make", [accounts.block_users, accounts.unblock_users])
def test_a_national_number_is_read_in_the_region_of_the_connection(make):
    call = make(CLOUD, ["0151 23456789", "+1 650 253 0000"], default_region="DE")
    assert body(call)["block_users"] == [{"user": "4915123456789"}, {"user": "16502530000"}]


@pytest.mark.parametrize("make", [accounts.block_users, accounts.unblock_users])
@pytest.mark.parametrize("user", ["0151 98765432", "4915198765432.0", None, "nan", ["4915198765432"], 4.9e12])
def test_a_person_who_cannot_be_one_is_named_by_place(make, user):
    with pytest.raises(D360RequestError, match=r"^users\[1\] ") as caught:
        make(CLOUD, ["4915112345678", user])
    assert "98765432" not in str(caught.value)


def test_people_are_unblocked():
    call = accounts.unblock_users(CLOUD, ["4915112345678"])
    assert (call.request.method, call.request.path) == ("DELETE", "/block_users")
    outcome = read_response(
        call, response({"block_users": {"removed_users": [{"user_id": "BR.1"}, {}]}}), ["key"]
    )
    assert outcome.done == ("BR.1", "")
    assert "BR.1" not in repr(outcome)


def test_on_premise_blocks_one_person():
    call = accounts.block_users(ON_PREMISE, ["+49 151 12345678"])
    assert (call.request.path, body(call)) == ("/v1/contacts/4915112345678/block", {"reason": "blocked"})
    assert read_response(call, Response(200), ["key"]) == BlockOutcome(("4915112345678",))
    for users, problem in (
        (["4915112345678", "4915112345679"], "one person at a time"),
        (["BR.1502"], "knows no user ids"),
    ):
        with pytest.raises(D360RequestError, match=problem):
            accounts.block_users(ON_PREMISE, users)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: accounts.get_business_profile(SANDBOX), "sandbox hosting has no business profile"),
        (
            lambda: accounts.set_business_profile(SANDBOX, email="a"),
            "sandbox hosting has no business profile",
        ),
        (lambda: accounts.unblock_users(ON_PREMISE, ["4915112345678"]), "on_premise hosting has no way"),
        (lambda: accounts.block_users(SANDBOX, ["4915112345678"]), "sandbox hosting has no way"),
    ],
)
def test_what_a_hosting_does_not_have_is_said_with_its_name(make, problem):
    with pytest.raises(D360RequestError, match=problem):
        make()
