"""Media calls: the documented bodies, addresses byte for byte, and files that are never whole in memory."""

import base64
import hashlib
import io
import json

import pytest

from airflow_provider_d360.api.endpoints import media
from airflow_provider_d360.api.endpoints.media import Media
from airflow_provider_d360.api.errors import D360RequestError, D360UnavailableError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.responses import read_response
from airflow_provider_d360.api.wire import Response, Source

CONTENT = b"%PDF-1.7 a file"
SHA = hashlib.sha256(CONTENT).hexdigest()


def source(content=CONTENT, size=None):
    return Source(len(content) if size is None else size, lambda: io.BytesIO(content))


def upload(hosting=CLOUD, filename="a.pdf", **arguments):
    return media.upload_media(
        hosting, source(**arguments), "application/pdf", filename=filename, boundary="limit"
    )


def whole(request):
    opened, chunks = request.source.open(), []
    while chunk := opened.read(7):
        chunks.append(chunk)
    opened.close()
    return b"".join(chunks)


def response(body, status=200, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def test_the_cloud_takes_a_form_of_three_fields():
    request = upload().request
    assert (request.method, request.path, request.body) == ("POST", "/media", b"")
    assert request.headers["Content-Type"] == "multipart/form-data; boundary=limit"
    expected = (
        b'--limit\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
        b'--limit\r\nContent-Disposition: form-data; name="type"\r\n\r\napplication/pdf\r\n'
        b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n'
        b"Content-Type: application/pdf\r\n\r\n" + CONTENT + b"\r\n--limit--\r\n"
    )
    assert whole(request) == expected
    assert request.source.size == len(expected)


def test_a_name_cannot_break_out_of_its_quotes():
    body = whole(upload(filename='a"\r\nX: 1.pdf\udcff').request)
    assert b'filename="a%22%0D%0AX: 1.pdf?"\r\n' in body


def test_a_file_that_grew_is_cut_and_one_that_shrank_is_an_error():
    assert CONTENT[:5] + b"\r\n--limit" in whole(upload(size=5).request)
    with pytest.raises(OSError, match="ends 3 bytes early"):
        whole(upload(size=len(CONTENT) + 3).request)


def test_on_premise_takes_the_bytes_and_their_type():
    request = upload(ON_PREMISE).request
    assert (request.path, request.headers["Content-Type"]) == ("/v1/media", "application/pdf")
    assert whole(request) == CONTENT


def test_an_upload_may_be_repeated_and_has_time_for_its_size():
    call = media.upload_media(
        CLOUD, Source(100 << 20, lambda: io.BytesIO()), "video/mp4", filename="a", boundary="b"
    )
    assert call.repeatable
    assert 700 < call.extra_seconds < 900


@pytest.mark.parametrize("body", [{"id": "123"}, {"media": [{"id": "123"}], "meta": {}}, {"id": 123}])
def test_both_answers_to_an_upload_hold_an_id(body):
    assert read_response(upload(), response(body), ["key"]) == "123"


@pytest.mark.parametrize("body", [{}, {"media": []}, {"media": "x"}, [], b"{", {"id": True}])
def test_an_upload_without_an_id_is_unreadable(body):
    with pytest.raises(D360UnavailableError, match="cannot be read"):
        read_response(upload(), response(body), ["key"])


def test_more_than_a_hosting_takes_is_refused_before():
    big = Source(65 << 20, lambda: io.BytesIO())
    with pytest.raises(D360RequestError, match="an upload to the on_premise hosting may have 67,108,864"):
        media.upload_media(ON_PREMISE, big, "application/pdf", filename="a", boundary="b")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=A%2f%7E~==",
            "/whatsapp_business/attachments/?mid=1&ext=2&hash=A%2f%7E~==",
        ),
        ("http://127.0.0.1:8360/x?a=/b//c?d", "/x?a=/b//c?d"),
    ],
)
def test_an_address_keeps_path_and_query_byte_for_byte(url, address):
    call = media.get_media(CLOUD, "1")
    body = {"url": url, "mime_type": "image/png", "sha256": SHA, "file_size": "15", "id": "1"}
    result = read_response(call, response(json.dumps(body).replace("/", "\\/").encode()), ["key"])
    assert result == Media("1", address, "image/png", SHA, 15)
    assert media.download_media(CLOUD, result, io.BytesIO()).request.path == address
    assert address not in repr(result)


@pytest.mark.parametrize("url", [None, "", "/x", "ftp://a/b", "https://host", "https:///x", 7])
def test_an_answer_without_an_address_is_unreadable(url):
    with pytest.raises(D360UnavailableError, match="no address"):
        read_response(media.get_media(CLOUD, "1"), response({"url": url, "file_size": "many"}), ["key"])


def test_asking_for_media_is_tried_once():
    assert media.get_media(CLOUD, "1").single
    assert media.get_media(CLOUD, "1/2?").request.path == "/1%2F2%3F"


def downloaded(known, content=CONTENT, hosting=CLOUD, **headers):
    sink = io.BytesIO()
    call = media.download_media(hosting, known, sink)
    for position in range(0, len(content), 4):
        assert call.sink
        call.sink.write(content[position : position + 4])
    assert sink.getvalue() == content
    return read_response(call, response(b"", **headers), ["key"])


@pytest.mark.parametrize(
    "sha256", [SHA, SHA.upper(), base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()]
)
def test_what_came_is_checked_against_its_sha256_in_hex_and_in_base64(sha256):
    result = downloaded(Media("1", "/x", "application/pdf", sha256, 15))
    assert result == Media("1", "/x", "application/pdf", SHA, 15)


@pytest.mark.parametrize("sha256", ["0" * 64, "x"])
def test_what_came_otherwise_than_announced_is_an_error(sha256):
    with pytest.raises(D360UnavailableError, match="SHA-256"):
        downloaded(Media("1", "/x", sha256=sha256))


def test_without_a_sha256_the_length_is_checked():
    result = downloaded(Media("1"), hosting=ON_PREMISE, content_length="15", content_type="image/png")
    assert result == Media("1", None, "image/png", SHA, 15)
    assert downloaded(Media("1"), hosting=ON_PREMISE).mime_type is None
    with pytest.raises(D360UnavailableError, match="ends early"):
        downloaded(Media("1"), hosting=ON_PREMISE, content_length="16")


def test_on_premise_downloads_by_id():
    assert media.download_media(ON_PREMISE, Media("1/2"), io.BytesIO()).request.path == "/v1/media/1%2F2"
    with pytest.raises(D360RequestError, match="on_premise hosting has no media address"):
        media.get_media(ON_PREMISE, "1")


@pytest.mark.parametrize(("hosting", "path"), [(CLOUD, "/1"), (ON_PREMISE, "/v1/media/1")])
def test_media_is_deleted_by_its_id(hosting, path):
    request = media.delete_media(hosting, "1").request
    assert (request.method, request.path) == ("DELETE", path)


def test_a_sample_is_announced_then_sent():
    call = media.open_upload(CLOUD, 15, "application/pdf", filename="a b.pdf")
    assert call.request.path == "/uploads?file_length=15&file_type=application%2Fpdf&file_name=a%20b.pdf"
    assert read_response(call, response({"id": "upload:M?sig=A"}), ["key"]) == "upload:M?sig=A"
    filled = media.fill_upload(CLOUD, "upload:M?sig=A", source())
    assert (filled.request.path, filled.request.headers["file_offset"]) == ("/upload:M?sig=A", "0")
    assert read_response(filled, response({"h": "4::x"}), ["key"]) == "4::x"
    with pytest.raises(D360UnavailableError, match="no handle"):
        read_response(filled, response({}), ["key"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: upload(SANDBOX),
        lambda: media.get_media(SANDBOX, "1"),
        lambda: media.delete_media(SANDBOX, "1"),
        lambda: media.download_media(SANDBOX, Media("1"), io.BytesIO()),
        lambda: media.open_upload(SANDBOX, 1, "a/b", filename="a"),
        lambda: media.fill_upload(SANDBOX, "upload:1", source()),
    ],
)
def test_the_sandbox_has_no_media_and_says_so(make):
    with pytest.raises(D360RequestError, match="The sandbox hosting has no"):
        make()


@pytest.mark.parametrize("media_id", ["", " ", "None", None, 7])
@pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])
def test_without_an_id_nothing_is_looked_up_and_nothing_deleted(hosting, media_id):
    with pytest.raises(D360RequestError, match=r"media_id (is missing|must be a string)"):
        media.delete_media(hosting, media_id)
    with pytest.raises(D360RequestError, match=r"media_id (is missing|must be a string)"):
        media.get_media(hosting, media_id)
