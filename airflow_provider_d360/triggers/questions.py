"""The trigger that waits until a question needs its task. It only reads, so it may run twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_d360.conversations.asking import Look, look
from airflow_provider_d360.store import Store, StoreUnavailableError
from airflow_provider_d360.store.arrivals import OVERLAP_SECONDS, Wait
from airflow_provider_d360.triggers.messages import shared_watch
from airflow_provider_d360.triggers.replies import shared_arrivals

log = logging.getLogger(__name__)

_STORE_AWAY_SECONDS = 5.0


class D360QuestionTrigger(BaseTrigger):
    """
    Wait until a question is settled or has expired, or until a message must be sent.

    What that is, the task looks up itself: the event says only that it has to look. All triggers of a process
    that wait for messages of people share one query every two seconds.

    :param question_id: The question. Its id says nothing.
    """

    def __init__(self, *, question_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.question_id = question_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_d360.triggers.questions.D360QuestionTrigger",
            {"question_id": self.question_id},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        store = (await shared_watch()).store
        arrivals = await shared_arrivals()
        current = await self._look(store)
        wait = _wait_for(current)
        while current.progress is not None and not current.progress.outcome and not current.progress.due:
            await arrivals.next(wait, current.progress.wake_at)
            current = await self._look(store)
        yield TriggerEvent({"state": "due", "question": self.question_id})

    async def _look(self, store: Store) -> Look:
        while True:
            try:
                return await asyncio.to_thread(look, store, self.question_id, time.time())
            except StoreUnavailableError as error:
                log.warning("A question cannot be read, trying again: %s", error)
            await asyncio.sleep(_STORE_AWAY_SECONDS)


def _wait_for(current: Look) -> Wait:
    """Wait for what the people write, for what quotes our messages, and for their failures."""
    people = current.question.people
    names = [name for person in people for name in (person.number, person.wa_id) if name]
    ids = [message_id for person in people for message_id in person.message_ids]
    return Wait((*names, *ids), current.question.asked_at - OVERLAP_SECONDS, with_failures=True)
