"""Files are uploaded where WhatsApp's grammar has a media object, from allowed directories, and nowhere else."""

import contextlib

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_d360.api.errors import D360RequestError
from airflow_provider_d360.messages import (
    carousel,
    cta_url,
    document,
    flow,
    flow_button,
    image,
    link_card,
    template,
    template_card,
    text,
)
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.sending.roots import allowed

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
SECRET = b"root:canary-secret:0:0"


@pytest.fixture
def folder(tmp_path):
    for name in ("data", "data2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(PNG)
        (tmp_path / name / "a.txt").write_bytes(SECRET)
    return tmp_path


def send(message):
    operator = D360SendMessageOperator(task_id="t", to="4915112345689", message=message, preflight=False)
    operator.execute({})


def uploads(emulator):
    return [request for request in emulator.requests if "media" in request.path]


def places(path):
    """Return messages with an object that looks like a file where WhatsApp has no media object."""
    file = {"path": path}
    media = {"type": "document", "document": file, "image": file, "data": [{"type": "image", "image": file}]}
    parameters = {"type": "text", "text": "x", "document": file}
    return {
        "flow data": flow("Body", "Go", flow_id="1", screen="A", data={"document": file}),
        "nested flow data": flow("Body", "Go", flow_id="1", screen="A", data={"a": [media, {"b": media}]}),
        "contacts": {"type": "contacts", "contacts": [{"name": {"formatted_name": "A", "first_name": "A"}, **media}]},
        "text": {"type": "text", "text": {"body": "x", **media}},
        "another type": {"type": "text", "text": {"body": "x"}, "document": file},
        "action parameters": {
            "type": "interactive",
            "interactive": {"type": "cta_url", "body": {"text": "x"}, "action": {"name": "cta_url", "parameters": media}},
        },
        "interactive body": {"type": "interactive", "interactive": {"type": "button", "body": media, "action": media}},
        "card body": {
            "type": "interactive",
            "interactive": {"type": "carousel", "body": {"text": "x"}, "action": {"cards": [{"body": media, "action": media}]}},
        },
        "template value": {
            "type": "template",
            "template": {
                "name": "t", "language": {"code": "en"},
                "components": [{"type": "body", "parameters": [parameters], **media}],
            },
        },
        "flow button of a template": template(
            "t", "en", buttons={0: flow_button(data={"document": file, "type": "document", "x": [media]})}
        ),
        "location": {"type": "location", "location": {"latitude": "1", "longitude": "2", **media}},
        "context": {"type": "text", "text": {"body": "x"}, "context": media},
    }  # fmt: skip


@pytest.mark.parametrize("place", places(""))
def test_a_path_outside_of_a_media_object_is_never_read(d360_emulator, folder, place):
    path = str(folder / "data" / "a.txt")
    for told in (path, f"file://{path}", "s3://aws_default@bucket/key"):
        with contextlib.suppress(Exception):
            send(places(told)[place])
    assert uploads(d360_emulator) == []
    assert SECRET not in b"".join(bytes(str(request.body), "utf-8") for request in d360_emulator.requests)


def test_the_data_of_a_flow_is_sent_as_it_is(d360_emulator):
    send(flow("Body", "Go", flow_id="1", screen="A", data={"document": {"path": "/etc/passwd"}}))
    parameters = d360_emulator.sent[0].body["interactive"]["action"]["parameters"]
    assert parameters["flow_action_payload"]["data"] == {"document": {"path": "/etc/passwd"}}


def media_messages(path):
    cards = [link_card(header=image(path=path), body="Card", display_text="Go", url="https://a.example")] * 2
    return {
        "message": image(path=path),
        "interactive header": cta_url("Body", "Go", "https://a.example", header=image(path=path)),
        "carousel card": carousel("Body", cards),
        "template header": template("t", "en", header=image(path=path)),
        "template card": template("t", "en", cards=[template_card(header=image(path=path))] * 2),
    }


@pytest.mark.parametrize("place", media_messages(""))
def test_the_path_of_a_media_object_is_uploaded_once(d360_emulator, folder, place):
    with contextlib.suppress(Exception):  # the emulator has no such template
        send(media_messages(str(folder / "data" / "a.png"))[place])
    assert len(uploads(d360_emulator)) == 1


@pytest.fixture
def only_data(monkeypatch, folder):
    roots = f"{folder}/data/, s3://aws_a@bucket/exports ,"
    monkeypatch.setenv("AIRFLOW__D360__UPLOAD_ROOTS", roots)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "data2"))
    (folder / "data" / "link").symlink_to(folder / "data2")
    (folder / "data" / "link.png").symlink_to(folder / "data2" / "a.png")
    (folder / "into").symlink_to(folder / "data")
    return folder


OUTSIDE = [
    "{folder}/data2/a.png", "{folder}/data/../data2/a.png", "{folder}/data/link/a.png", "{folder}/data/link.png",
    "data2/a.png", "data/../data2/a.png", "file://{folder}/data2/a.png", "file://{folder}/data/../data2/a.png",
    "file://{folder}/data/link.png", "local://{folder}/data2/a.png", "~/a.png",
    "{folder}/data/link/../a.png",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_file_outside_of_the_roots_is_not_uploaded(d360_emulator, only_data, path):
    with pytest.raises(Exception, match=r"outside of the allowed directories|No such file|not ") as caught:
        send(image(path=path.format(folder=only_data)))
    assert str(only_data) not in str(caught.value)
    assert d360_emulator.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "{folder}/data/a.png",
        "data/a.png",
        "into/a.png",
        "{folder}/data/./a.png",
        "file://{folder}/data/a.png",
    ],
)
def test_a_file_inside_of_a_root_is_uploaded(d360_emulator, only_data, path):
    send(image(path=path.format(folder=only_data)))
    assert len(uploads(d360_emulator)) == 1


class Stored:
    """A path in an object storage that nobody opens."""

    def __init__(self, path):
        self.text, self.protocol = path, path.partition(":")[0]

    def __str__(self):
        return self.text


@pytest.mark.parametrize(
    "path",
    [
        "s3://aws_b@bucket/exports/a", "s3://bucket/exports/a", "s3://aws_a@bucket/exports2/a",
        "s3://aws_a@bucket/exports", "s3://aws_a@bucket/exports/../private/a", "s3://aws_a@bucket2/exports/a",
        "gs://aws_a@bucket/exports/a", "zip://a::s3://aws_a@bucket/exports/a.zip", "http://127.0.0.1/exports/a",
        "s3://aws_a@bucket/exports/..", "S3://AWS_A@bucket/private/a",
    ],
)  # fmt: skip
def test_an_object_must_lie_below_a_prefix_with_the_same_connection(only_data, path):
    with pytest.raises(D360RequestError, match="upload_roots") as caught:
        allowed(Stored(path))
    assert "bucket" not in str(caught.value)


def test_an_object_below_a_prefix_is_allowed(only_data):
    path = Stored("s3://aws_a@bucket/exports/2026/a.png")
    assert allowed(path) is path


def test_the_connection_of_a_real_object_path_counts(only_data):
    assert allowed(ObjectStoragePath("s3://aws_a@bucket/exports/a.png"))
    with pytest.raises(D360RequestError):
        allowed(ObjectStoragePath("s3://aws_b@bucket/exports/a.png"))


def test_a_message_without_a_file_needs_no_root(d360_emulator, only_data):
    send(text("Hello"))
    send(document(link="https://a.example/a.pdf", filename="a.pdf"))
    assert len(d360_emulator.sent) == 2
