"""The error tree: every error carries one refusal and travels between processes."""

import copy
import pickle

import pytest

from airflow_provider_d360.api import errors
from airflow_provider_d360.api.errors import D360Error, Refusal

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
    error = kind(Refusal("Too many", "Wait.", 130429, "details", 400, "trace", 2.5, retry_soon=True))
    carried = carry(error)
    assert type(carried) is kind
    assert carried.refusal == error.refusal
    assert str(carried) == str(error)


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (Refusal("No connection"), "No connection"),
        (Refusal("No connection", "Wait."), "No connection. Wait."),
        (
            Refusal("Too many", "Wait.", 4, "calls", 400, "A1"),
            "4 Too many: calls (HTTP 400, fbtrace_id A1). Wait.",
        ),
        (Refusal("Too many calls", code=4, details="calls"), "4 Too many calls"),
        (Refusal("", code=4), "4"),
    ],
)
def test_an_error_reads_as_what_happened_and_what_to_do(refusal, text):
    assert str(D360Error(refusal)) == text
