"""
What DAG authors write, as mypy sees it: `make types` checks this file with the rules for arguments switched on.

Nothing runs it. A line that must be rejected has a comment for mypy, which complains when the comment is not needed.
"""

from __future__ import annotations

from airflow.sdk import DAG, ObjectStoragePath, task

from airflow_provider_d360.messages import (
    buttons,
    carousel,
    contact,
    contacts,
    cta_url,
    document,
    image,
    link_card,
    list_picker,
    location,
    one_time_code,
    quick_reply_button,
    reaction,
    reply_card,
    template,
    text,
    url_button,
)
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.operators.media import (
    D360DeleteMediaOperator,
    D360DownloadMediaOperator,
    D360UploadMediaOperator,
)
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.operators.templates import D360CreateTemplateOperator, D360EditTemplateOperator
from airflow_provider_d360.operators.webhooks import D360ConfigureWebhookOperator
from airflow_provider_d360.sensors.messages import D360MessageStatusSensor
from airflow_provider_d360.sensors.templates import D360TemplateApprovedSensor

with DAG("idioms", schedule=None):

    @task
    def read_name() -> str:
        return "Ada"

    @task
    def count() -> int:
        return 42

    name = read_name()
    upload = D360UploadMediaOperator(task_id="upload", path=name, mime_type=name)

    # What another task returns may stand wherever a text may.
    sent = D360SendMessageOperator(task_id="send", to=name, message=text(name))
    D360SendMessageOperator(
        task_id="reply", to=name, message=name, reply_to=sent.output, idempotency_key=name
    )
    D360SendMessageOperator(
        task_id="again", to="+44 7700 900123", message="Hello", resend="{{ params.again }}"
    )
    D360SendMessageOperator(task_id="by_hand", to=name, message={"type": "text", "text": {"body": name}})
    D360MessageStatusSensor(task_id="wait", message_id=sent.output)
    D360DeleteMediaOperator(task_id="delete", media_id=upload.output)
    D360DownloadMediaOperator(task_id="download", media_id=name, path=ObjectStoragePath("s3://bucket/inbox/"))
    D360ConfigureWebhookOperator(task_id="webhook", url=name, headers={"X-Token": name})
    created = D360CreateTemplateOperator(
        task_id="create", name=name, language="en", category="UTILITY", components=[]
    )
    D360TemplateApprovedSensor(task_id="approved", name=name, language="en")
    D360EditTemplateOperator(task_id="edit", template_id=created.output, components=[])

    document(id=upload.output, filename=name)
    image(link=name, caption=name)
    template("order", "en", body=[name, count(), 42, 1.5], header=image(id=upload.output))
    template("order", "en", body={"name": name, "number": count()}, buttons=[url_button(name)])
    template("order", "en", body=name, buttons={1: quick_reply_button(name)})
    one_time_code("login", "en", name)
    buttons(name, {"yes": name, "no": "No"}, header=image(id=upload.output))
    buttons("Deploy?", [("yes", "Yes"), ("no", name)])
    buttons("Deploy?", name)
    list_picker("Which?", "Open", {"a": name})
    list_picker("Which?", "Open", [("a", name), ("b", "B", name)])
    list_picker("Which?", "Open", sections={"Letters": {"a": name}})
    cta_url("Read it", "Open", name, header=name)
    contacts(contact(name, phone=name))
    location(51.5, -0.12, name=name)
    reaction(sent.output, "👍")
    carousel(
        "Which?",
        [link_card(image(link=name), "Open", name, body=name), reply_card(image(link=name), {"a": name})],
    )
    D360Notifier(to="{{ var.value.on_call }}", message=text("{{ ti.task_id }} failed"))

    # What can never be right is still rejected.
    text(42)  # type: ignore[arg-type]
    buttons("Deploy?", ["Yes", "No"])  # type: ignore[list-item]
    template("order", "en", body=[None])  # type: ignore[list-item]
    D360SendMessageOperator(task_id="wrong", to=447700900123, message="Hello")  # type: ignore[arg-type]
