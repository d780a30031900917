"""The link from a task to the page of its message."""

import pytest

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.messages import text
from airflow_provider_d360.operators.messages import D360SendMessageOperator


@pytest.fixture
def operator(monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
    return D360SendMessageOperator(task_id="send", to="+4915112345689", message=text("Hello"))


@pytest.fixture
def link(operator):
    (link,) = operator.operator_extra_links
    return link


def test_the_link_leads_to_the_message_whether_or_not_there_is_a_receiver(d360_emulator, operator, link):
    operator.execute({})
    message_id = short_id(d360_emulator.sent[0].message_id)
    assert link.get_link(operator, ti_key=None) == f"https://airflow.example/d360/messages/{message_id}"


def test_there_is_no_link_before_the_message_has_an_id(operator, link):
    assert link.get_link(operator, ti_key=None) == ""


def test_there_is_no_link_where_there_is_no_store(d360_emulator, operator, link, monkeypatch):
    operator.execute({})
    monkeypatch.setattr("sqlalchemy.__version__", "1.4.54")
    assert link.get_link(operator, ti_key=None) == ""
