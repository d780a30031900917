"""What the log of a failed task says before the exception: what went wrong, and what to do."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_d360.api.errors import D360UnavailableError, ErrorDetail
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.store.watch import Waited
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.tracking import conclude

TO = "4915112345689"


def send():
    return D360SendMessageOperator(task_id="send", to=TO, message="A private text", retries=0)


def errors(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_what_went_wrong_and_what_to_do_are_two_lines(d360_emulator, caplog):
    d360_emulator.reject(131026)
    with pytest.raises(AirflowFailException) as caught:
        send().execute({})
    what, remedy = errors(caplog)
    assert what.startswith("D360RecipientError with connection 'd360_default': 131026 ")
    assert remedy.startswith("What to do: ")
    assert str(caught.value) == f"{what}. {remedy.removeprefix('What to do: ')}"


def test_a_failure_that_will_be_retried_is_told_as_well(caplog):
    detail = ErrorDetail("The service does not respond", "Try again later.")
    with pytest.raises(D360UnavailableError), fail_at_once("d360_default"):
        raise D360UnavailableError(detail)
    assert errors(caplog) == [
        "D360UnavailableError with connection 'd360_default': The service does not respond",
        "What to do: Try again later.",
    ]


def test_neither_line_holds_the_number_or_the_text(d360_emulator, caplog):
    d360_emulator.reject(131026)
    with pytest.raises(AirflowFailException):
        send().execute({})
    assert [one for one in (TO, "A private text") if one in "\n".join(errors(caplog))] == []


def test_a_message_that_failed_later_is_told_in_two_lines(caplog):
    waited = Waited("wamid.x", "failed", error_code=131026)
    with pytest.raises(AirflowFailException):
        conclude(waited, "delivered")
    what, remedy = errors(caplog)
    assert "failed: 131026" in what
    assert remedy.startswith("What to do: ")


def test_a_message_that_is_not_delivered_in_time_is_told_in_two_lines(caplog):
    with pytest.raises(AirflowFailException):
        conclude(Waited("wamid.x", "timeout"), "delivered")
    what, remedy = errors(caplog)
    assert what.endswith(" was accepted, but is not delivered in time.")
    assert (
        remedy
        == "What to do: Its recipient may be offline. Without a working webhook, no status comes at all."
    )
