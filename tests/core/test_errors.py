"""The error tree: every error carries one refusal and travels between processes."""

import copy
import pickle

import pytest

from airflow_provider_d360.api import errors
from airflow_provider_d360.api.errors import Condition, D360Error, ErrorDetail
from airflow_provider_d360.api.responses import failed_status

KINDS = [
    errors.D360RequestError,
    errors.D360AuthError,
    errors.D360RecipientError,
    errors.D360RateLimitError,
    errors.D360UnavailableError,
    errors.D360AmbiguousError,
]


def test_there_are_six_kinds_of_error():
    assert set(D360Error.__subclasses__()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("carry", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301
def test_an_error_survives_copying_and_pickling(kind, carry):
    error = kind(ErrorDetail("Too many", "Wait.", 130429, "details", 400, "trace", 2.5, retry_soon=True))
    carried = carry(error)
    assert type(carried) is kind
    assert carried.detail == error.detail
    assert str(carried) == str(error)


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (ErrorDetail("No connection"), "No connection"),
        (ErrorDetail("No connection", "Wait."), "No connection. Wait."),
        (
            ErrorDetail("Too many", "Wait.", 4, "calls", 400, "A1"),
            "4 Too many: calls (HTTP 400, fbtrace_id A1). Wait.",
        ),
        (ErrorDetail("Too many calls", code=4, details="calls"), "4 Too many calls"),
        (ErrorDetail("", code=4), "4"),
    ],
)
def test_an_error_reads_as_what_happened_and_what_to_do(refusal, text):
    assert str(D360Error(refusal)) == text


def test_a_closed_window_is_one_meaning_of_many_codes_and_words():
    closed = [
        failed_status(131047, "Re-engagement message", "", on_premise=False),
        failed_status(470, "Failed", "", on_premise=True),
        failed_status(470, "Failed", "", on_premise=False),
        failed_status(
            None, "Failed", "More than 24 hours have passed since the last reply", on_premise=False
        ),
    ]
    assert {error.detail.condition for error in closed} == {Condition.WINDOW_CLOSED}
    other = failed_status(131026, "Message undeliverable", "", on_premise=False)
    assert other.detail.condition is not Condition.WINDOW_CLOSED
