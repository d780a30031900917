"""Templates and accounts over a real socket, in sync and in async, on every hosting that has them."""

import pytest

from airflow_provider_d360.api.endpoints import accounts, templates
from airflow_provider_d360.api.endpoints.accounts import BlockOutcome
from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.emulator.app import CLOUD_KEY, ON_PREMISE_KEY
from airflow_provider_d360.sending.templates import list_templates

BODY = [{"type": "BODY", "text": "Hi {{1}}"}]
BOTH = pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])


def create(hosting=CLOUD, name="greeting", language="en_US"):
    return templates.create_template(hosting, name, language, "UTILITY", BODY)


@BOTH
def test_a_template_is_created_approved_and_deleted(carrier, hosting):
    created = carrier.call(create(hosting), hosting=hosting)
    assert created.status in ("pending", "submitted")
    states = [carrier.run(list_templates, name="greeting", hosting=hosting)[0].status for _ in range(2)]
    assert states == ["pending", "approved"]
    assert carrier.run(list_templates, status="REJECTED", hosting=hosting) == []
    carrier.call(templates.delete_template(hosting, "greeting"), hosting=hosting)
    assert carrier.run(list_templates, hosting=hosting) == []


@BOTH
def test_a_duplicate_is_refused(carrier, emulator, hosting):
    carrier.call(create(hosting), hosting=hosting)
    with pytest.raises(D360RequestError, match=r"already exists"):
        carrier.call(create(hosting), hosting=hosting)
    assert len(emulator.templates.stored) == 1


def test_all_pages_are_read(carrier, monkeypatch):
    monkeypatch.setattr("airflow_provider_d360.api.endpoints.templates._MOST", 2)
    names = [f"t{number}" for number in range(5)]
    for name in names:
        carrier.call(create(name=name))
    assert [one.name for one in carrier.run(list_templates)] == names


def test_one_template_is_read_edited_and_deleted_by_its_id(carrier, emulator):
    for language in ("en_US", "de"):
        carrier.call(create(language=language))
    template_id = emulator.templates.stored[0].template_id
    carrier.call(templates.edit_template(CLOUD, template_id, components=[{"type": "BODY", "text": "Bye"}]))
    result = carrier.call(templates.get_template(CLOUD, template_id))
    assert (result.components[0]["text"], result.quality) == ("Bye", "UNKNOWN")
    carrier.call(templates.delete_template(CLOUD, "greeting", template_id=template_id))
    assert [one.language for one in emulator.templates.stored] == ["de"]
    for call in (
        templates.get_template(CLOUD, "1"),
        templates.delete_template(CLOUD, "none", template_id="1"),
    ):
        with pytest.raises(D360RequestError):
            carrier.call(call)
    with pytest.raises(D360RequestError):
        carrier.call(templates.delete_template(CLOUD, "none"))


@BOTH
def test_a_profile_is_set_and_read(carrier, hosting):
    carrier.call(accounts.set_business_profile(hosting, email="a@b.example"), hosting=hosting)
    profile = carrier.call(accounts.get_business_profile(hosting), hosting=hosting)
    assert profile.email == "a@b.example"


def test_a_picture_is_set_by_its_handle(carrier):
    carrier.call(accounts.set_business_profile(CLOUD, profile_picture_handle="4::x"))
    assert carrier.call(accounts.get_business_profile(CLOUD)).profile_picture_url.endswith("4::x")


def test_people_are_blocked_and_unblocked(carrier, emulator):
    users = [f"49151000000{number:02}" for number in range(5)]
    outcome = carrier.call(accounts.block_users(CLOUD, [*users, "BR.1502"]))
    assert outcome == BlockOutcome((*users, "BR.1502"))
    assert carrier.call(accounts.unblock_users(CLOUD, users)).done == tuple(users)
    assert emulator.settings[CLOUD_KEY].blocked == ["BR.1502"]


def test_one_person_is_blocked_on_premise(carrier, emulator):
    call = accounts.block_users(ON_PREMISE, ["+49 151 00000000"])
    assert carrier.call(call, hosting=ON_PREMISE).done == ("4915100000000",)
    assert emulator.settings[ON_PREMISE_KEY].blocked == ["4915100000000"]
