"""A warning that is logged once a minute at most, with the number of times it was due."""

from __future__ import annotations

import atexit
import logging
import threading
import time

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0


class ThrottledLog:
    """
    Counts an occurrence and logs it: the first at once, the following ones once a minute.

    Nothing that was counted is lost: the rest is logged at the end of the minute, and when the process ends.
    Usable from several threads.

    :param text: The text of the warning, with ``%(count)d`` for the number of occurrences and ``%(last)s``
        for a detail of the last one.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lock = threading.Lock()
        self._count = 0
        self._last = ""
        self._timer: threading.Timer | None = None
        self._next_at = 0.0
        atexit.register(self.flush)

    def count(self, last: str = "", times: int = 1) -> None:
        """
        Count an occurrence.

        :param last: A detail of it. Must not hold private data.
        :param times: How many occurrences this is.
        """
        with self._lock:
            self._count += times
            self._last = last
            wait_seconds = self._next_at - time.monotonic()
            if wait_seconds > 0:
                if self._timer is None:
                    self._timer = threading.Timer(wait_seconds, self.flush)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self.flush()

    def flush(self) -> None:
        """Log what was counted and not logged yet."""
        with self._lock:
            count, last, self._count = self._count, self._last, 0
            timer, self._timer = self._timer, None
            self._next_at = time.monotonic() + INTERVAL_SECONDS
        if timer is not None:
            timer.cancel()
        if count:
            log.warning(self._text, {"count": count, "last": last})
