"""A log line that is throttled, and counts everything."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from airflow_provider_d360.receiver import throttled_log
from airflow_provider_d360.receiver.throttled_log import ThrottledLog

TEXT = "%(count)d times, last %(last)s"


def lines(caplog, text: str = TEXT) -> list[str]:
    """Return what was logged with a text: timers of other tests log in this process, too."""
    return [record.getMessage() for record in caplog.records if record.msg == text]


def wait_for_lines(caplog, number: int) -> None:
    deadline = time.monotonic() + 20
    while len(lines(caplog)) < number and time.monotonic() < deadline:
        time.sleep(0.02)


def test_the_first_is_logged_at_once_and_the_rest_together_at_the_end_of_the_interval(caplog, monkeypatch):
    monkeypatch.setattr(throttled_log, "INTERVAL_SECONDS", 1.0)
    throttled = ThrottledLog(TEXT)
    began_at = time.monotonic()
    for name in "abcd":
        throttled.count(name)
    assert lines(caplog)[0] == "1 times, last a"
    wait_for_lines(caplog, 2)
    assert lines(caplog) == ["1 times, last a", "3 times, last d"]
    assert time.monotonic() - began_at > 0.9
    time.sleep(1.1)
    throttled.count("e", times=5)
    assert lines(caplog)[2:] == ["5 times, last e"]


def test_nothing_is_lost_when_many_threads_count(caplog, monkeypatch):
    monkeypatch.setattr(throttled_log, "INTERVAL_SECONDS", 0.01)
    throttled = ThrottledLog("%(count)d of many threads")

    def count():
        for _ in range(2000):
            throttled.count()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    throttled.flush()

    def total():
        return sum(int(line.split()[0]) for line in lines(caplog, "%(count)d of many threads"))

    deadline = time.monotonic() + 20
    while (
        total() < 8000 and time.monotonic() < deadline
    ):  # a timer may have taken a count and not logged it yet
        time.sleep(0.02)
    assert total() == 8000


def test_what_was_counted_is_logged_when_the_process_ends():
    code = (
        "from airflow_provider_d360.receiver.throttled_log import ThrottledLog\n"
        f"log = ThrottledLog({TEXT!r})\n"
        "for name in 'abc': log.count(name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["1 times, last a", "2 times, last c"]
