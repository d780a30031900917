"""
One task instance, one message: what is known of it, kept where it survives the process.

Airflow 3.3 keeps a state for each task instance across retries, kills and *Clear*. The intent is written
there before the message is sent, and its id after. What is found there at the next try tells what that try
may do.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.api.errors import D360AmbiguousError, D360Error, Refusal
from airflow_provider_d360.compat import AirflowRuntimeError

if TYPE_CHECKING:
    from airflow_provider_d360.api.results import Sent

log = logging.getLogger(__name__)

_KEY = "d360_message"


@dataclass(frozen=True, slots=True)
class Intent:
    """
    One message that is meant to go out once.

    :param name: Names task instance, cycle, recipient and content; the same for each try of a cycle. It
        travels with the message, so that a status with it proves that this one was accepted.
    :param content: Names recipient and content alone.
    :param recipient: Names the recipient alone: a mapped task's index may go to somebody else after *Clear*.
    :param key: Names what the other names are made with: after a change of the API key, they do not compare.
    :param cycle: Grows with each *Clear* and not with a retry: Airflow's ``max_tries``.
    """

    name: str
    content: str
    recipient: str
    key: str
    cycle: int

    def concerns(self, entry: Any, *, resend: bool) -> bool:
        """
        Say whether an entry speaks of this message.

        That of an earlier try of the cycle always does, and that of an earlier cycle unless it is known to
        be about somebody else.

        :param resend: Send again what was sent in an earlier cycle.
        """
        if not isinstance(entry, dict) or not isinstance(entry.get("intent"), str):
            return False
        if entry.get("cycle") == self.cycle:
            return True
        somebody_else = entry.get("key") == self.key and entry.get("recipient") != self.recipient
        return not (resend or somebody_else)


class SendRecord:
    """
    What this task instance has sent, or was about to send when it was interrupted.

    :param store: Airflow's ``task_state_store``; ``None`` before 3.3, where nothing is remembered.
    :param intent: The message of this try.
    :param find: Finds the id of a message that was sent with an intent, if anybody knows it; it may wait so
        many seconds for a status.
    :param wait_seconds: How long to look for a message of unknown fate.
    """

    def __init__(
        self, store: Any, intent: Intent, find: Callable[[str, float], str | None], wait_seconds: float
    ) -> None:
        self._store = store
        self._intent = intent
        self._find = find
        self._wait_seconds = wait_seconds

    def already_sent(self, *, resend: bool, resend_ambiguous: bool) -> dict[str, Any] | None:
        """
        Find what an earlier try has sent; ``None`` when this try shall send.

        Without Airflow's state, the message store may know: before 3.3, Airflow may even run a try twice.

        :param resend: Send again what was sent before the task was cleared.
        :param resend_ambiguous: Send again what may have been sent.
        :raises D360AmbiguousError: when an earlier try was interrupted while it was sending.
        """
        if self._store is None:
            found = self._find(self._intent.name, 0.0)
            return {"message_id": found} if found else None
        entry: Any = self._store.get(_KEY)
        if not self._intent.concerns(entry, resend=resend):
            return None
        if entry.get("sent"):
            if entry.get("content") != self._intent.content:
                log.warning(
                    "The message, or the API key, has changed since it was sent. Use resend=True to send the "
                    "new one."
                )
            return dict(entry)
        found = self._find(entry["intent"], self._wait_seconds)
        if found:
            known = {**entry, "sent": True, "message_id": found}
            self._store.set(_KEY, known)
            return known
        if resend_ambiguous:
            log.warning("An earlier try may have sent this message; on_ambiguous='resend' sends it again.")
            return None
        raise D360AmbiguousError(
            Refusal(
                "An earlier try was interrupted while it was sending this message",
                "It may be on its way: look for its status. To send it again, start a new run, or clear the "
                "task with resend=True.",
            )
        )

    def send(self, send: Callable[[], Sent]) -> Sent:
        """
        Write the intent, send, and write the outcome.

        :raises D360Error: as ``send`` does. Only an ambiguous one leaves the intent standing.
        """
        from airflow_provider_d360.api.results import Sent

        self._write(sent=False)
        try:
            outcome = send()
        except D360AmbiguousError:
            found = self._find(self._intent.name, self._wait_seconds)
            if not found:
                raise
            log.warning("The answer was lost, but a status proves that the message was accepted.")
            outcome = Sent(found)
        except D360Error:
            self._forget()
            raise
        try:
            self._write(sent=True, message_id=outcome.message_id)
        except (AirflowRuntimeError, OSError) as problem:
            # The message is out: failing here would make Airflow try it again.
            log.warning("The message's id could not be stored: %s", type(problem).__name__)
        return outcome

    def forgetting(self, sleep: Callable[[float], None]) -> Callable[[float], None]:
        """Make waits in which no intent stands: 360dialog has refused, and who is killed has sent nothing."""

        def wait(seconds: float) -> None:
            self._forget()
            sleep(seconds)
            self._write(sent=False)

        return wait

    def _forget(self) -> None:
        if self._store is not None:
            with contextlib.suppress(AirflowRuntimeError, OSError):
                self._store.delete(_KEY)

    def _write(self, **state: Any) -> None:
        if self._store is not None:
            names = asdict(self._intent)
            self._store.set(_KEY, {"intent": names.pop("name"), **names, **state})
