"""The in-memory stores of media, templates and settings, in process and over a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, ON_PREMISE_KEY, SANDBOX_KEY, Emulator
from tests.emulator.services import ON_PREMISE_TEXT, TEXT, Service, over_http

PNG = b"\x89PNG\r\n\x1a\n"
CONTENT = {
    "name": "greeting",
    "language": "en_US",
    "category": "UTILITY",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Hi"},
        {"type": "BODY", "text": "{{1}} {{2}}"},
    ],
}
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def form(**parts: str) -> bytes:
    filled = "".join(f'--b\r\nContent-Disposition: form-data; name="{n}"{v}\r\n' for n, v in parts.items())
    return f"{filled}--b--\r\n".encode("latin-1")


FILE = '; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + PNG.decode("latin-1")
PRODUCT = "\r\n\r\nwhatsapp"


def code_of(result: tuple[int, Any]) -> int:
    return int(result[1]["error"]["code"])


def test_a_form_becomes_a_file(service: Service) -> None:
    status, body = service.json("POST", "/media", form(messaging_product=PRODUCT, file=FILE), headers=FORM)
    stored = service.emulator.media.stored[body["id"]]
    assert (status, stored.content, stored.mime_type, stored.filename) == (200, PNG, "image/png", "a.png")


@pytest.mark.parametrize(
    ("parts", "headers", "code"),
    [
        ({"file": FILE}, FORM, 100),
        ({"messaging_product": PRODUCT}, FORM, 100),
        ({"messaging_product": PRODUCT, "file": '; filename="a"\r\nContent-Type: a/b\r\n\r\n'}, FORM, 100),
        ({"messaging_product": PRODUCT, "file": '; filename="a"\r\n\r\nabc'}, FORM, 131053),
        ({"messaging_product": PRODUCT, "file": FILE}, {"Content-Type": "image/png"}, 100),
    ],
)
def test_a_wrong_form_is_refused(
    service: Service, parts: dict[str, str], headers: dict[str, str], code: int
) -> None:
    assert code_of(service.json("POST", "/media", form(**parts), headers=headers)) == code
    assert service.emulator.media.stored == {}


def test_a_file_may_not_be_larger_than_its_kind(emulator: Emulator) -> None:
    service = Service(emulator, emulator.handle)
    image, key = {"Content-Type": "image/png"}, ON_PREMISE_KEY
    assert service.json("POST", "/v1/media", bytes(5 << 20), headers=image, key=key)[0] == 201
    status, body = service.json("POST", "/v1/media", bytes((5 << 20) + 1), headers=image, key=key)
    assert (status, body["errors"][0]["code"]) == (400, 400)


@pytest.mark.parametrize(
    "mime_type",
    [
        "text/csv",
        "application/json",
        "application/zip",
        "application/octet-stream",
        "image/gif",
        "image/heic",
    ],
)
def test_cloud_refuses_a_file_of_another_type_than_the_documented_ones(
    service: Service, mime_type: str
) -> None:
    file = FILE.replace("image/png", mime_type)
    status, body = service.json("POST", "/media", form(messaging_product=PRODUCT, file=file), headers=FORM)
    assert (status, body["error"]["code"]) == (400, 100)
    assert "one of the following types: image/jpeg" in body["error"]["error_data"]["details"]
    assert f"Received file of type '{mime_type}'" in body["error"]["error_data"]["details"]


@pytest.mark.parametrize(
    "mime_type", ["text/plain", "application/pdf", "audio/ogg; codecs=opus", "video/3gpp", "image/webp"]
)
def test_cloud_takes_files_of_the_documented_types(service: Service, mime_type: str) -> None:
    file = FILE.replace("image/png", mime_type)
    assert service.json("POST", "/media", form(messaging_product=PRODUCT, file=file), headers=FORM)[0] == 200


def test_a_static_sticker_may_have_100_kilobytes_and_an_animated_one_500(emulator: Emulator) -> None:
    service = Service(emulator, emulator.handle)

    def status(flags: int, size: int) -> int:
        content = (b"RIFF____WEBPVP8X____" + bytes([flags])).ljust(size, b"0")
        headers = {"Content-Type": "image/webp"}
        return service.json("POST", "/v1/media", content, headers=headers, key=ON_PREMISE_KEY)[0]

    assert [status(0, 100 << 10), status(0, (100 << 10) + 1)] == [201, 400]
    assert [status(2, 500 << 10), status(2, (500 << 10) + 1)] == [201, 400]


def test_a_profile_keeps_to_its_limits(service: Service) -> None:
    product = {"messaging_product": "whatsapp"}
    for change in (
        {"about": "x" * 140},
        {"email": "Ann"},
        {"websites": ["https://a.example"] * 3},
        {"about": ""},
    ):
        assert code_of(service.json("POST", "/whatsapp_business_profile", {**product, **change})) == 131009
    assert code_of(service.json("POST", "/whatsapp_business_profile", {**product, "photo": "x"})) == 100
    assert service.emulator.settings[CLOUD_KEY].profile == {}


def test_an_address_points_elsewhere_and_its_slashes_are_escaped(service: Service) -> None:
    media_id = service.emulator.media.add(PNG, "image/png")
    response = service.ask("GET", f"/{media_id}")
    assert rb"https:\/\/lookaside.fbsbx.com\/whatsapp_business\/attachments\/?mid=" in response.body
    body = json.loads(response.body)
    assert (body["file_size"], body["mime_type"]) == ("8", "image/png")
    address = body["url"].removeprefix("https://lookaside.fbsbx.com")
    got = service.ask("GET", address)
    assert (got.status, got.body, got.headers["content-type"]) == (200, PNG, "image/png")
    for wrong in (address[:-1], address.replace("ATv", "ATw"), "/whatsapp_business/attachments/?mid=1"):
        assert service.ask("GET", wrong).status == 404


def test_the_file_of_another_number_is_not_there(service: Service) -> None:
    media_id = service.emulator.media.add(PNG, "image/png", key=ON_PREMISE_KEY)
    assert code_of(service.json("GET", f"/{media_id}")) == 100
    assert service.ask("GET", f"/v1/media/{media_id}", key=ON_PREMISE_KEY).body == PNG


@pytest.mark.parametrize(
    "path", ["/media", "/v1/media/1", "/v1/configs/templates", "/message_templates/1", "/1"]
)
def test_the_sandbox_has_none_of_it(service: Service, path: str) -> None:
    assert service.json("POST" if path == "/media" else "GET", path, {}, key=SANDBOX_KEY)[0] == 403


@pytest.mark.parametrize("upload", ["/uploads", "/uploads?file_length=x&file_type=a/b", "/upload:none"])
def test_a_sample_must_be_announced(service: Service, upload: str) -> None:
    assert code_of(service.json("POST", upload)) == 131009


def test_a_sample_must_be_as_long_as_announced(service: Service) -> None:
    upload_id = service.json("POST", "/uploads?file_length=8&file_type=image/png")[1]["id"]
    header = {"file_offset": "0"}
    assert code_of(service.json("POST", f"/{upload_id}", PNG[:-1], headers=header)) == 131009
    assert service.json("POST", f"/{upload_id}", PNG, headers=header)[1]["h"].startswith("4::")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": None}, 131008),
        ({"components": []}, 131008),
        ({"name": "No Good"}, 100),
        ({"category": "JOKE"}, 100),
        ({"components": {"type": "BODY"}}, 100),
    ],
)
def test_a_wrong_template_is_refused(service: Service, change: dict[str, Any], code: int) -> None:
    assert code_of(service.json("POST", "/v1/configs/templates", {**CONTENT, **change})) == code
    assert code_of(service.json("POST", "/v1/configs/templates", b"{")) == 100


def test_templates_are_filtered_and_paged_on_the_server(service: Service) -> None:
    for name in ("a", "b", "c"):
        service.emulator.templates.add({**CONTENT, "name": name}, status="approved")
    filters = json.dumps({"business_templates.name": "b"}).replace(" ", "%20")
    body = service.json("GET", f"/v1/configs/templates?filters={filters}")[1]
    assert [item["name"] for item in body["waba_templates"]] == ["b"]
    body = service.json("GET", "/v1/configs/templates?limit=1&offset=1")[1]
    assert (body["count"], body["total"], body["waba_templates"][0]["name"]) == (1, 3, "b")
    assert service.json("GET", "/v1/configs/templates?filters=[]")[0] == 400


def test_a_review_takes_its_time(emulator: Emulator) -> None:
    emulator.templates.review_seconds = 3600
    template = emulator.templates.add(CONTENT)
    assert [template.read_status() for _ in range(5)] == ["pending"] * 5
    template.due = 0.0
    assert [template.read_status() for _ in range(2)] == ["pending", "approved"]


def message(*texts: str, language: str = "en_US", name: str = "greeting") -> dict[str, Any]:
    parameters = [{"type": "text", "text": text} for text in texts]
    components = [{"type": "body", "parameters": parameters}]
    template = {"name": name, "language": {"code": language}, "components": components, "namespace": "n"}
    return {**TEXT, "type": "template", "template": template}


def test_a_template_that_was_created_here_must_be_approved_and_filled(service: Service) -> None:
    template = service.emulator.templates.add(CONTENT)
    assert code_of(service.send(message("a", "b"))) == 132001
    template.status = "approved"
    assert code_of(service.send(message("a"))) == 132000
    assert code_of(service.send(message("a", "b", language="de"))) == 132001
    assert service.send(message("a", "b"))[0] == 200


def test_other_templates_are_anybodys_unless_a_test_is_strict(service: Service) -> None:
    assert service.send(message(name="unknown"))[0] == 200
    service.emulator.strict = True
    assert code_of(service.send(message(name="unknown"))) == 132001
    body = {**ON_PREMISE_TEXT, **{k: v for k, v in message().items() if k != "messaging_product"}}
    status, refused = service.json("POST", "/v1/messages", body, key=ON_PREMISE_KEY)
    assert (status, refused["errors"][0]["code"]) == (404, 2001)


def test_an_approved_templates_category_stays(service: Service) -> None:
    template = service.emulator.templates.add(CONTENT, status="approved")
    path = f"/message_templates/{template.template_id}"
    assert code_of(service.json("POST", path, {"category": "MARKETING"})) == 131009
    assert code_of(service.json("POST", path, {})) == 131008
    assert code_of(service.json("GET", "/message_templates/1")) == 100


def test_settings_are_checked(service: Service) -> None:
    product = {"messaging_product": "whatsapp"}
    assert code_of(service.json("POST", "/whatsapp_business_profile", {"about": "x"})) == 100
    assert code_of(service.json("POST", "/block_users", product)) == 131008
    failed = service.json("POST", "/block_users", {**product, "block_users": [{"user": "Ann"}]})[1]
    assert failed["block_users"]["failed_users"][0]["errors"][0]["code"] == 139103


def test_a_reset_forgets_it_all(service: Service) -> None:
    emulator = service.emulator
    emulator.media.add(PNG, "image/png")
    emulator.templates.add(CONTENT)
    emulator.settings[CLOUD_KEY].blocked.append("1")
    emulator.reset()
    assert (emulator.media.stored, emulator.templates.stored) == ({}, [])
    assert emulator.settings[CLOUD_KEY].blocked == []


def test_another_process_may_store_files_and_templates(server: Any, emulator: Emulator) -> None:
    service = Service(emulator, lambda request: over_http(int(server.url.rpartition(":")[2]), request))
    file = {"content_base64": "iVBORw==", "mime_type": "image/png", "media_id": "7"}
    assert service.json("POST", "/_emulator/media", file) == (200, {"media_id": "7"})
    assert emulator.media.stored["7"].content == b"\x89PNG"
    assert service.json("POST", "/_emulator/media", {**file, "content_base64": "?"})[0] == 400
    assert service.json("POST", "/_emulator/templates", {**CONTENT, "status": "approved"})[0] == 200
    assert emulator.templates.stored[0].status == "approved"
