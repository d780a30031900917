"""Sends a campaign in a process of its own, which tests kill: ``campaign_sender.py STORE CAMPAIGN BATCH``."""

from __future__ import annotations

import sys

from airflow_provider_d360.campaigns import control, sending
from airflow_provider_d360.campaigns.running import run_sender
from airflow_provider_d360.campaigns.terms import Terms
from airflow_provider_d360.store import Store
from airflow_provider_d360.store.campaign_rows import Part

# Shorter than in a real Airflow, in the same proportion: each kill is followed by this time.
control._FRESH_SECONDS = 1.0
sending._LEASE_MARGIN_SECONDS = 2.0


def main() -> None:
    url, campaign_id, batch = sys.argv[1:]
    store = Store(url)
    campaign = store.campaigns.find(campaign_id)
    assert campaign is not None
    ended = run_sender(store, campaign, Terms(Part(campaign.key), int(batch)))
    sys.stdout.write(ended.end.name)


if __name__ == "__main__":
    main()
