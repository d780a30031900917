"""Account calls: profile, blocked users and conversational components, in each hosting's dialect."""

import io
import json

import pytest

from airflow_provider_d360.api import accounts
from airflow_provider_d360.api.accounts import Automation, BlockOutcome, BusinessProfile
from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.refusals import read_answer
from airflow_provider_d360.api.wire import Response, Source

FIELDS = {"address": "Street 1", "email": "a@b.example", "websites": ["https://a.example"]}
PROFILE = BusinessProfile(address="Street 1", email="a@b.example", websites=("https://a.example",))


def answer(body):
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
    assert read_answer(call, answer(shape), ["key"]) == PROFILE
    assert read_answer(call, answer({"data": []}), ["key"]) == BusinessProfile()


def test_the_profile_is_set_in_both_dialects():
    assert body(accounts.set_business_profile(CLOUD, about="Hi", **FIELDS)) == {
        "messaging_product": "whatsapp",
        "about": "Hi",
        **FIELDS,
    }
    assert body(accounts.set_business_profile(ON_PREMISE, **FIELDS)) == FIELDS


@pytest.mark.parametrize(("field", "use"), [("about", "set_about"), ("profile_picture_handle", "set_photo")])
def test_what_on_premise_keeps_elsewhere_is_shown_the_way(field, use):
    with pytest.raises(
        D360RequestError, match=f"on_premise hosting has no {field} in its profile. Use {use}"
    ):
        accounts.set_business_profile(ON_PREMISE, **{field: "x"})


def test_about_and_photo_have_their_own_endpoints_on_premise():
    about = accounts.set_about(ON_PREMISE, "Hi")
    assert (about.request.method, about.request.path) == ("PATCH", "/v1/settings/profile/about")
    assert body(about) == {"text": "Hi"}
    assert body(accounts.set_about(CLOUD, "Hi")) == {"messaging_product": "whatsapp", "about": "Hi"}
    picture = Source(3, lambda: io.BytesIO(b"abc"))
    photo = accounts.set_photo(ON_PREMISE, picture, "image/png")
    assert (photo.request.path, photo.request.source) == ("/v1/settings/profile/photo", picture)
    with pytest.raises(D360RequestError, match="cloud hosting has no photo endpoint"):
        accounts.set_photo(CLOUD, picture, "image/png")


def test_people_are_blocked_by_number_and_by_user_id():
    call = accounts.block_users(CLOUD, ["+49 151 12345678", "BR.1502"])
    assert (call.request.method, call.request.path) == ("POST", "/block_users")
    assert body(call) == {
        "messaging_product": "whatsapp",
        "block_users": [{"user": "4915112345678"}, {"user_id": "BR.1502"}],
    }
    assert call.private == {"4915112345678", "BR.1502"}
    shape = {
        "block_users": {
            "added_users": [{"input": "+49151", "wa_id": "4915112345678"}],
            "failed_users": [
                {"input": "1", "errors": [{"code": 139103, "message": "Failed"}, {"message": "Twice"}]}
            ],
        }
    }
    assert read_answer(call, answer(shape), ["key"]) == BlockOutcome(
        ("4915112345678",), {"1": "139103 Failed; Twice"}
    )


def test_people_are_unblocked():
    call = accounts.unblock_users(CLOUD, ["4915112345678"])
    assert (call.request.method, call.request.path) == ("DELETE", "/block_users")
    outcome = read_answer(
        call, answer({"block_users": {"removed_users": [{"user_id": "BR.1"}, {}]}}), ["key"]
    )
    assert outcome.done == ("BR.1", "")
    assert "BR.1" not in repr(outcome)


def test_on_premise_blocks_one_person_with_a_reason():
    call = accounts.block_users(ON_PREMISE, ["+49 151 12345678"], reason="spam")
    assert (call.request.path, body(call)) == ("/v1/contacts/4915112345678/block", {"reason": "spam"})
    assert read_answer(call, Response(200), ["key"]) == BlockOutcome(("4915112345678",))
    for users, said in ((["1", "2"], "one person at a time"), (["BR.1502"], "knows no user ids")):
        with pytest.raises(D360RequestError, match=said):
            accounts.block_users(ON_PREMISE, users)


@pytest.mark.parametrize(
    ("data", "users"),
    [
        ([{"wa_id": "1"}, {"user_id": "BR.1"}], ("1", "BR.1")),
        ([{"block_users": [{"wa_id": "1"}]}], ("1",)),
        ([{"block_users": []}], ()),
    ],
)
def test_blocked_people_are_listed_in_both_known_shapes(data, users):
    call = accounts.list_blocked_users(CLOUD)
    assert call.request.path == "/block_users?limit=100"
    page = read_answer(call, answer({"data": data}), ["key"])
    assert (page.users, page.next) == (users, None)


def test_the_list_of_the_blocked_goes_on_behind_its_cursor():
    first = accounts.list_blocked_users(CLOUD, limit=1)
    shape = {"data": [{"wa_id": "1"}], "paging": {"cursors": {"after": "A"}}}
    page = read_answer(first, answer(shape), ["key"])
    assert page.next
    assert page.next.request.path == "/block_users?limit=1&after=A"
    assert read_answer(page.next, answer(shape), ["key"]).next is None


@pytest.mark.parametrize(
    "wrap", [lambda it: {"conversational_automation": it}, lambda it: {"data": [it]}, dict]
)
def test_conversational_components_go_there_and_back(wrap):
    automation = Automation(True, ("Book", "Pay"), {"help": "Ask us"})
    call = accounts.set_automation(CLOUD, automation)
    assert body(call) == {
        "enable_welcome_message": True,
        "prompts": ["Book", "Pay"],
        "commands": [{"command_name": "help", "command_description": "Ask us"}],
    }
    assert read_answer(accounts.get_automation(CLOUD), answer(wrap(body(call))), ["key"]) == automation
    assert read_answer(accounts.get_automation(CLOUD), answer(wrap({}) or {}), ["key"]) == Automation()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: accounts.get_business_profile(SANDBOX), "sandbox hosting has no business profile"),
        (
            lambda: accounts.set_business_profile(SANDBOX, email="a"),
            "sandbox hosting has no business profile",
        ),
        (lambda: accounts.set_about(SANDBOX, "x"), "sandbox hosting has no business profile"),
        (lambda: accounts.unblock_users(ON_PREMISE, ["1"]), "on_premise hosting has no way"),
        (lambda: accounts.list_blocked_users(ON_PREMISE), "on_premise hosting has no list"),
        (lambda: accounts.get_automation(ON_PREMISE), "on_premise hosting has no conversational"),
        (lambda: accounts.set_automation(SANDBOX, Automation()), "sandbox hosting has no conversational"),
        (lambda: accounts.block_users(SANDBOX, ["4915112345678"]), "sandbox hosting has no way"),
    ],
)
def test_what_a_hosting_does_not_have_is_said_with_its_name(make, said):
    with pytest.raises(D360RequestError, match=said):
        make()
