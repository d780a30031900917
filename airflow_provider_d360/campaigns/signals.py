"""What people can do with a campaign, in Airflow's user interface and on the command line. Pure."""

from __future__ import annotations

# And the signal that its senders then read; ``slow`` gives a rate, too.
ACTIONS = {"pause": "pause", "resume": "run", "slow": "run", "stop": "stop"}
_HIGHEST_RATE = 10_000.0  # messages per second; WhatsApp allows 1,000


def is_rate(rate: float) -> bool:
    """
    Return whether a campaign can be slowed down to a rate.

    :param rate: Messages per second.
    """
    return 0 < rate <= _HIGHEST_RATE
