"""The credentials that are valid now: looked up again when they may have changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from airflow_provider_d360.receiver.admission import Admission, Headers, NoCredentialsError
from airflow_provider_d360.receiver.throttled_log import ThrottledLog

RETRY_SECONDS = 5.0
REFRESH_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 3.0

_MOST_WAITING = 64


class Credentials:
    """
    Decides whose deliveries are accepted, and follows changes of the connections without a restart.

    New credentials are found at the first delivery that carries them: before a delivery is rejected, the
    connections are looked up again, at most every 5 seconds. Credentials that were removed stay valid for up
    to a minute. While the look-up fails, those that were found before stay valid.

    :param look_up: Reads the connections. Runs in a thread.
    :raises Exception: whatever ``look_up`` raises at the first look-up.
    """

    def __init__(self, look_up: Callable[[], Admission]) -> None:
        self._look_up = look_up
        self._admission: Admission | None = look_up()
        self._failed = ThrottledLog(
            "The webhook's credentials cannot be looked up (%(last)s); the last known ones stay valid"
        )
        self._looked_up_at = time.monotonic()
        self._refreshing: asyncio.Task[None] | None = None
        self._waiting = 0

    async def admit(self, headers: Headers) -> bool:
        """
        Return True if the headers of a delivery carry valid credentials.

        :param headers: Names in lower case.
        """
        if self._admits(headers):
            if self._age_seconds() > REFRESH_SECONDS:
                self._refresh()
            return True
        if self._refreshing is None and self._age_seconds() < RETRY_SECONDS:
            return False
        if self._waiting >= _MOST_WAITING:
            return False
        self._waiting += 1
        try:
            await asyncio.wait([self._refresh()], timeout=LONGEST_WAIT_SECONDS)
        finally:
            self._waiting -= 1
        return self._admits(headers)

    def trusts(self, headers: Headers, body: bytes) -> bool:
        """
        Return True if the body carries a valid signature, or if none is required.

        :param headers: Names in lower case.
        :param body: The body as it was sent.
        """
        return self._admission is not None and self._admission.trusts(headers, body)

    def _admits(self, headers: Headers) -> bool:
        return self._admission is not None and self._admission.admits(headers)

    def _age_seconds(self) -> float:
        return time.monotonic() - self._looked_up_at

    def _refresh(self) -> asyncio.Task[None]:
        """Look the connections up in a thread, one look-up at a time."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh_once())
        return self._refreshing

    async def _refresh_once(self) -> None:
        try:
            self._admission = await asyncio.to_thread(self._look_up)
        except NoCredentialsError:  # they were removed
            self._admission = None
        except Exception as error:  # noqa: BLE001 - whatever it is, what was valid stays valid
            self._failed.count(type(error).__name__)
        finally:
            self._looked_up_at = time.monotonic()
            self._refreshing = None
