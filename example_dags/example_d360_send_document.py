"""
Write a report and send it as a document: the file is uploaded and sent by one task.

Needs the connection ``d360_default``, and a recipient who wrote to you within the last 24 hours. The path
may be a local one, or one of object storage such as ``s3://aws_default@bucket/report.csv``; the file is
streamed and may have 100 MB. WhatsApp takes PDF, plain text and Office files: a CSV file goes out as plain
text, under its own name. A file for many people is better uploaded once: the second task does that.
"""

from __future__ import annotations

# [START send_document]
import tempfile
from pathlib import Path

from airflow.sdk import DAG, task

from airflow_provider_d360.messages import document
from airflow_provider_d360.operators.media import D360DeleteMediaOperator, D360UploadMediaOperator
from airflow_provider_d360.operators.messages import D360SendMessageOperator

with DAG(
    "example_d360_send_document",
    schedule=None,
    tags=["example", "whatsapp"],
    params={"to": "+44 7700 900123"},
):

    @task
    def write_report() -> str:
        path = Path(tempfile.mkdtemp()) / "report.csv"
        path.write_text("day,orders\nMonday,1204\n")
        return f"file://{path}"

    path = write_report()
    D360SendMessageOperator(
        task_id="send_report",
        to="{{ params.to }}",
        message=document(path=path, mime_type="text/plain", caption="Yesterday's orders"),
    )

    upload = D360UploadMediaOperator(task_id="upload", path=path, mime_type="text/plain")
    send = D360SendMessageOperator.partial(
        task_id="send_to_all", message=document(id=upload.output, filename="orders.csv")
    ).expand(to=["+44 7700 900123", "+1 (202) 555-0143"])
    send >> D360DeleteMediaOperator(task_id="delete", media_id=upload.output)
# [END send_document]
