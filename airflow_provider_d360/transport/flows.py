"""
Flows: whatever takes several requests, pauses or blocking work, written once for blocking and async callers.

A flow is a generator. It yields steps and receives their results; the error of a step is raised at its
``yield``. Two drivers take the steps: :func:`run_blocking` and :func:`run_async`. On cancellation the flow is
closed and takes no further step.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from airflow_provider_d360.api.errors import D360Error
from airflow_provider_d360.api.responses import read_response
from airflow_provider_d360.api.retries import wait_seconds
from airflow_provider_d360.api.wire import Call
from airflow_provider_d360.transport.settings import ConnectionSettings

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T]):
    """
    One attempt: a request and its response. The result is the response.

    :param call: The call whose request is sent.
    :param seconds: The time limit.
    :param begin: Is called when the connection is open and the body is about to be sent. It may block. Its
        error stops the request, so that nothing is sent, and is raised.
    """

    call: Call[T]
    seconds: float
    begin: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Recorded(Generic[T]):
    """
    A call whose attempts are recorded. It returns the call's result.

    :param call: The call.
    :param attempts: Is called around each attempt.
    """

    call: Call[T]
    attempts: Attempts


@dataclass(frozen=True, slots=True)
class Pause:
    """
    A pause.

    :param seconds: Its length.
    """

    seconds: float

    def run(self) -> None:
        """Wait."""
        time.sleep(self.seconds)

    async def arun(self) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True, slots=True)
class Work:
    """
    Blocking work: files, object storage, a database. The async driver runs it in a thread.

    :param work: The function that does it. Its result is the result of the step.
    :param awork: An async function with the same result, where there is one; used in place of the thread.
    """

    work: Callable[[], Any]
    awork: Callable[[], Awaitable[Any]] | None = None

    def run(self) -> Any:
        """Do the work."""
        return self.work()

    async def arun(self) -> Any:
        """Do the work without blocking the event loop."""
        if self.awork is not None:
            return await self.awork()
        from asgiref.sync import sync_to_async  # in other threads, Airflow's look-ups fail in a triggerer

        return await sync_to_async(self.work, thread_sensitive=False)()


@dataclass(frozen=True, slots=True)
class Together:
    """
    Several flows at once, at most eight at a time. The result is the list of their results.

    All of them come to an end; then the first error, if there was one, is raised.

    :param flows: The flows.
    """

    flows: Sequence[Flow[Any]]


Step: TypeAlias = "Call[Any] | Recorded[Any] | Exchange[Any] | Pause | Work | Together"
Flow: TypeAlias = Generator[Any, Any, T]  # what it yields is a Step, what it receives the step's result


class Attempts(Protocol):
    """Is called around each attempt of a call; both methods may block."""

    def begin(self) -> object:
        """
        Note that the request is about to be sent, on an open connection: from now on, it may be accepted.

        An error that is raised here stops the request.
        """

    def failed(self, error: D360Error) -> object:
        """
        Note that the attempt failed.

        :param error: Its error. Unless it is ambiguous, nothing was accepted.
        """


def run_blocking(flow: Flow[T], take: Callable[[Any], object]) -> T:
    """
    Run a flow, blocking, and return its result.

    :param flow: The flow.
    :param take: Takes a step and returns its result.
    :raises Exception: what the flow raises.
    """
    try:
        step = next(flow)
        result: object
        problem: Exception | None
        while True:
            try:
                result, problem = take(step), None
            except Exception as error:  # noqa: BLE001 - raised in the flow
                result, problem = None, error
            # Outside of the except block: what the flow raises instead must not have it as its context.
            step = flow.throw(problem) if problem else flow.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        flow.close()


async def run_async(flow: Flow[T], take: Callable[[Any], Awaitable[object]]) -> T:
    """
    Run a flow without blocking the event loop, and return its result.

    :param flow: The flow.
    :param take: Takes a step and returns its result.
    :raises Exception: what the flow raises.
    """
    try:
        step = next(flow)
        result: object
        problem: Exception | None
        while True:
            try:
                result, problem = await take(step), None
            except Exception as error:  # noqa: BLE001 - raised in the flow
                result, problem = None, error
            step = flow.throw(problem) if problem else flow.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    except asyncio.CancelledError:
        await asyncio.to_thread(flow.close)  # it may have a file to remove
        raise
    finally:
        flow.close()


def retry(
    call: Call[T],
    settings: ConnectionSettings,
    *,
    jitter: Callable[[], float],
    ends: float | None = None,
    attempts: Attempts | None = None,
) -> Flow[T]:
    """
    Perform a call: exchange request and response, and try again where nothing was accepted.

    :param call: The call.
    :param settings: The limits of attempts and time, and the strings to remove from errors.
    :param jitter: Returns random numbers from 0 to 1.
    :param ends: The end of the time for this call, on the monotonic clock; the call's own budget by default.
    :param attempts: Is called around each attempt.
    :raises D360RecipientError: before anything is sent, when the connection may not write to the recipient.
    :raises D360Error: the one of the six that fits.
    """
    _refuse_forbidden(settings, call.recipient)
    deadline = time.monotonic() + settings.budget_seconds + call.extra_seconds
    deadline = deadline if ends is None else min(deadline, ends)
    max_attempts = 1 if call.single or call.sink else settings.max_attempts
    for attempt in count(1):
        left = deadline - time.monotonic()
        try:
            seconds = max(0.1, min(settings.timeout_seconds + call.extra_seconds, left))
            response = yield Exchange(call, seconds, attempts.begin if attempts else None)
            return read_response(call, response, settings.secrets)
        except D360Error as error:
            if attempts:
                yield Work(partial(attempts.failed, error))
            wait = wait_seconds(
                error,
                attempt=attempt,
                max_attempts=max_attempts,
                remaining_seconds=deadline - time.monotonic(),
                jitter=jitter(),
            )
            if wait is None:
                raise
            log.info("Attempt %s of %s: %s Waiting %.1f s.", attempt, max_attempts, error, wait)
        yield Pause(wait)
    raise AssertionError  # count() does not end


def _refuse_forbidden(settings: ConnectionSettings, recipient: str) -> None:
    """Refuse a message to somebody whom the connection does not allow, whichever code made the call."""
    if recipient and settings.restriction and not settings.restriction.allows(recipient):
        settings.restriction.refuse(recipient)
