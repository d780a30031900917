"""The retry policy: Airflow waits as long as 360dialog asks, and does not retry what cannot succeed."""

from datetime import timedelta

import airflow.sdk
import pytest

from airflow_provider_d360.api import errors
from airflow_provider_d360.api.errors import ErrorDetail
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.tasks.retries import D360RetryPolicy

HAS_POLICIES = hasattr(airflow.sdk, "RetryPolicy")
needs_policies = pytest.mark.skipif(not HAS_POLICIES, reason="retry policies came with Airflow 3.3")


@needs_policies
@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (
            errors.D360RateLimitError(ErrorDetail("Slow down", retry_after_seconds=90)),
            "retry",
            timedelta(seconds=90),
        ),
        (errors.D360RateLimitError(ErrorDetail("Slow down")), "retry", None),
        (
            errors.D360UnavailableError(ErrorDetail("Syncing", retry_after_seconds=600)),
            "retry",
            timedelta(minutes=10),
        ),
        (errors.D360RequestError(ErrorDetail("Wrong")), "fail", None),
        (errors.D360AuthError(ErrorDetail("Wrong key")), "fail", None),
        (errors.D360RecipientError(ErrorDetail("Not there")), "fail", None),
        (errors.D360AmbiguousError(ErrorDetail("Lost")), "fail", None),
        (ValueError("ours"), "default", None),
    ],
)
def test_each_error_is_retried_when_and_only_when_that_can_help(error, action, delay):
    decision = D360RetryPolicy().evaluate(error, try_number=1, max_tries=3)
    assert (decision.action.value, decision.retry_delay) == (action, delay)


@needs_policies
def test_a_lost_answer_is_retried_when_somebody_asked_for_it():
    lost = errors.D360AmbiguousError(ErrorDetail("Lost"))
    assert D360RetryPolicy(resend_ambiguous=True).evaluate(lost, 1, 3).action.value == "retry"


def test_a_policy_survives_serialization():
    policy = D360RetryPolicy(resend_ambiguous=True)
    assert D360RetryPolicy.deserialize(policy.serialize()).resend_ambiguous is True


def test_a_policy_of_another_version_is_restored_from_what_is_known_of_it():
    assert D360RetryPolicy.deserialize({"added_later": 1}).resend_ambiguous is False


def send(**arguments):
    return D360SendMessageOperator(task_id="send", to="4915112345689", message="Hello", **arguments)


@needs_policies
def test_the_operator_has_the_policy_unless_its_author_chose_another():
    own = D360RetryPolicy()
    assert isinstance(send().retry_policy, D360RetryPolicy)
    assert send(on_ambiguous="resend").retry_policy.resend_ambiguous is True
    assert send(retry_policy=own).retry_policy is own


@pytest.mark.skipif(HAS_POLICIES, reason="only where Airflow knows no retry policies")
def test_the_operator_does_without_where_airflow_knows_no_policies():
    assert not hasattr(send(), "retry_policy")
