"""Work beside the receiver: on a thread of its own, when something came, and again after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """
    Does one piece of work whenever it is woken, one at a time.

    :param work: The work. It may block and raise.
    :param name: The name of the thread.
    :param retry_seconds: Returns how long after a failure it is tried again.
    :param report: Called with a failure.
    """

    def __init__(
        self,
        work: Callable[[], object],
        name: str,
        retry_seconds: Callable[[], float],
        report: Callable[[Exception], object],
    ) -> None:
        self._work, self._name, self._retry_seconds, self._report = work, name, retry_seconds, report
        self._lock = threading.Lock()
        self._is_running = self._is_due = False
        self._timer: threading.Timer | None = None

    def wake(self) -> None:
        """Do what is due; this returns at once."""
        with self._lock:
            self._is_due = True
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._is_due:
                    self._is_running = False
                    return
                self._is_due = False
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - of a notifier, of a secrets backend, of the store
                self._report(error)
                self._wake_later()

    def _wake_later(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._retry_seconds(), self.wake)
            self._timer.daemon = True
            self._timer.start()
