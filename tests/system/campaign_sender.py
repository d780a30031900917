"""
Sends a campaign in a process of its own, which tests kill.

``python -m tests.system.campaign_sender STORE BATCH SHARD OUTPUT``
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.programs import Program

SENT_AT = "X-Sent-At"  # a header with the moment, on the clock of all processes of a machine


class Sender:
    """
    A process that sends the campaign ``spring``.

    :param environment: The whole environment, with ``AIRFLOW_CONN_D360_DEFAULT``.
    :param store_url: The store.
    :param batch: How many messages are under way at most.
    :param shard: The part that it sends.
    :param output: The file that it writes to.
    """

    def __init__(
        self, environment: Mapping[str, str], store_url: str, batch: int, shard: str, output: Path
    ) -> None:
        self._output = output
        arguments = (store_url, str(batch), shard, str(output))
        self._program = Program("-m", __name__, *arguments, environment=environment)

    @property
    def exit_code(self) -> int | None:
        """0 after an end, 1 after an error, negative after a kill, None while it runs."""
        return self._program.returncode

    def kill(self) -> None:
        """Kill it with -9."""
        self._program.kill()

    def wait(self, seconds: float) -> str:
        """Wait until it has ended, and return what it said last: how the campaign ended, or the error."""
        try:
            self._program.wait(seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self._output.read_text()[-2000:]}") from None
        return self._output.read_text().splitlines()[-1]


def _send(store_url: str, batch: int, shard: str, output: Path) -> None:
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)

    from airflow_provider_d360.api.wire import Request
    from airflow_provider_d360.campaigns import control, sending
    from airflow_provider_d360.campaigns.running import read_shard, run_sender
    from airflow_provider_d360.campaigns.terms import Terms
    from airflow_provider_d360.store import Store
    from airflow_provider_d360.store.campaign_rows import Part
    from airflow_provider_d360.transport.client import Transport

    headers = Transport._headers

    def stamped(transport: Transport, request: Request) -> dict[str, str]:
        return {**headers(transport, request), SENT_AT: repr(time.monotonic())}

    Transport._headers = stamped  # type: ignore[method-assign,assignment]
    # Shorter than in a real Airflow, in the same proportion: each kill is followed by this time.
    vars(control)["FRESH_SECONDS"] = 1.0
    sending._LEASE_MARGIN_SECONDS = 2.0
    store = Store(store_url)
    campaign = store.campaigns.find("spring")
    assert campaign is not None
    ended = run_sender(store, campaign, Terms(Part(campaign.key, *read_shard(shard)), batch))
    sys.stderr.flush()
    sys.stdout.write(f"\n{ended.end.name}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _send(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
