"""The link from a task to the page of its message."""

from importlib.metadata import version

import pytest

from airflow_provider_d360 import compat
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.messages import text
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.tasks import links


@pytest.fixture
def operator(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    return D360SendMessageOperator(task_id="send", to="+4915112345689", message=text("Hello"))


@pytest.fixture
def link(operator):
    (link,) = operator.operator_extra_links
    return link


@pytest.mark.parametrize("base_path", ["", "/team/airflow"])
@pytest.mark.parametrize("is_framed", [True, False])
def test_the_link_leads_to_the_message_inside_airflow_where_airflow_can(
    d360_emulator, operator, link, monkeypatch, is_framed, base_path
):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", f"https://airflow.example{base_path}")
    monkeypatch.setattr(links, "PAGES_HAVE_ADDRESSES", is_framed)
    operator.execute({})
    path = f"{base_path}/d360/messages/{short_id(d360_emulator.sent[0].message_id)}"
    expected = f"{base_path}/plugin/whatsapp{path}" if is_framed else path
    assert link.get_link(operator, ti_key=None) == f"https://airflow.example{expected}"


def test_pages_have_addresses_from_airflow_3_3_on():
    major, minor = map(int, version("apache-airflow-core").split(".")[:2])
    assert ((major, minor) >= (3, 3)) == compat.PAGES_HAVE_ADDRESSES


def test_there_is_no_link_before_the_message_has_an_id(operator, link):
    assert link.get_link(operator, ti_key=None) == ""


def test_there_is_no_link_where_there_is_no_store(d360_emulator, operator, link, monkeypatch):
    operator.execute({})
    monkeypatch.setattr("sqlalchemy.__version__", "1.4.54")
    assert link.get_link(operator, ti_key=None) == ""
