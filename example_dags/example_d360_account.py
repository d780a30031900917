"""
Keep the business profile up to date, and block somebody who writes spam, with the hook.

Needs the connection ``d360_default``. WhatsApp blocks only people who wrote to you within the last 24 hours.
"""

from __future__ import annotations

# [START account]
from airflow.sdk import DAG, task

from airflow_provider_d360.hooks.d360 import D360Hook

with DAG(
    "example_d360_account", schedule=None, tags=["example", "whatsapp"], params={"spammer": "+44 7700 900123"}
):

    @task
    def update_profile() -> None:
        hook = D360Hook("d360_default")
        hook.set_business_profile(about="Open from 9 to 5", email="help@shop.example")
        print("The profile says:", hook.get_business_profile().about)

    @task
    def block(number: str) -> None:
        outcome = D360Hook("d360_default").block_users([number])
        print(f"Blocked {len(outcome.done)}, failed {len(outcome.failed)}")

    @task
    def unblock(number: str) -> None:
        D360Hook("d360_default").unblock_users([number])

    update_profile() >> block("{{ params.spammer }}") >> unblock("{{ params.spammer }}")
# [END account]
