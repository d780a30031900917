"""
Decide by the kind of error: when a recipient cannot be reached on WhatsApp, go another way.

Needs the connection ``d360_default``. The errors are a small tree, sorted by what you can do about them
(:mod:`airflow_provider_d360.api.errors`). Catch the one you have an answer to: a wrong key should
still fail the task.
"""

from __future__ import annotations

# [START branch_on_error]
from airflow.sdk import DAG, task

from airflow_provider_d360.api.errors import D360RecipientError
from airflow_provider_d360.hooks.d360 import D360Hook

with DAG(
    "example_d360_branch_on_error",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"to": "+44 7700 900123"},
):

    @task.branch
    def notify(to: str) -> str:
        try:
            D360Hook("d360_default").send(to, "Your order has left our warehouse.")
        except D360RecipientError as error:
            print(error)
            return "write_an_email"
        return "done"

    @task
    def write_an_email() -> None:
        print("Here an email would be written")

    @task
    def done() -> None:
        print("Nothing else to do")

    notify("{{ params.to }}") >> [write_an_email(), done()]
# [END branch_on_error]
