"""
Download the files that people sent, one mapped task for each.

Needs the connection ``d360_default`` and the ids of the files, as your webhook received them; they are good
for 7 days. The folder may be in object storage, such as ``s3://aws_default@bucket/inbox/``.

Under its name there is the whole file, checked, or nothing. A download that fails is not tried again at once:
a number whose downloads fail too often may not download for an hour. Hence the patience of these retries.
"""

from __future__ import annotations

# [START download_media]
import tempfile
from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_provider_d360.operators.media import D360DownloadMediaOperator

with DAG(
    "example_d360_download_media",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"folder": f"{tempfile.gettempdir()}/inbox/"},
):

    @task
    def received() -> list[str]:
        return ["1234567890123456", "1234567890123457"]

    download = D360DownloadMediaOperator.partial(
        task_id="download",
        path="{{ params.folder }}",
        retries=2,
        retry_delay=timedelta(minutes=10),
    ).expand(media_id=received())

    @task
    def report(paths: list[str]) -> None:
        print(f"Downloaded {', '.join(list(paths))}")

    report(download.output)
# [END download_media]
