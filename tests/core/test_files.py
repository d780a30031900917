"""Files: what they are is told from bytes and name, and what WhatsApp would not take costs no byte."""

import pytest

from airflow_provider_d360.api.checks.files import FileFacts, examine, suffix_of
from airflow_provider_d360.api.errors import D360RequestError

JPEG, PNG, PDF = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7"
STILL_WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(16)
MOVING_WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02" + bytes(8)


@pytest.mark.parametrize(
    ("name", "head", "kind", "mime_type"),
    [
        ("a.jpg", JPEG, "image", "image/jpeg"),
        ("a.png", JPEG, "image", "image/jpeg"),
        ("a", PNG, "image", "image/png"),
        ("a.webp", STILL_WEBP, "sticker", "image/webp"),
        ("a.pdf", b"", "document", "application/pdf"),
        ("a.bin", PDF, "document", "application/pdf"),
        ("voice.opus", b"OggS", "audio", "audio/ogg"),
        ("A.MP3", b"ID3", "audio", "audio/mpeg"),
        ("a.m4a", b"", "audio", "audio/mp4"),
        ("a.amr", b"#!AMR\n", "audio", "audio/amr"),
        ("a.3gp", b"", "video", "video/3gpp"),
        ("a.mp4", b"", "video", "video/mp4"),
        ("a.txt", b"Hello", "document", "text/plain"),
        ("a.log", b"Hello", "document", "text/plain"),
        ("a.doc", b"", "document", "application/msword"),
        ("a.xls", b"", "document", "application/vnd.ms-excel"),
        ("a.ppt", b"", "document", "application/vnd.ms-powerpoint"),
        ("a.xlsx", b"PK", "document", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_a_file_is_what_its_first_bytes_and_its_name_say(name, head, kind, mime_type):
    assert examine(name, 1000, head) == FileFacts(kind, mime_type)


def test_what_is_given_is_believed_before_both():
    assert examine("a.jpg", 9, JPEG, kind="document") == FileFacts("document", "image/jpeg")
    assert examine("a.bin", 9, b"", mime_type="audio/ogg; codecs=opus").kind == "audio"


@pytest.mark.parametrize(
    ("name", "head", "mime_type", "remedy"),
    [
        ("a.csv", b"a,b", "text/csv", 'give mime_type="text/plain"'),
        ("a.json", b"{}", "application/json", 'give mime_type="text/plain"'),
        ("a.html", b"<p>", "text/html", 'give mime_type="text/plain"'),
        ("a.zip", b"PK", "application/zip", "convert it to PDF"),
        ("a.gif", b"GIF89a", "image/gif", "convert it to PDF"),
        ("a.jpg", b"\x00\x00\x00\x18ftypheic", "image/heic", "convert it to PDF"),
        ("unknown", b"??", "application/octet-stream", "convert it to PDF"),
        ("", b"??", "application/octet-stream", "convert it to PDF"),
    ],
)
@pytest.mark.parametrize("kind", [None, "document"])
def test_a_type_that_the_service_does_not_take_is_refused_with_a_way_out(name, head, mime_type, remedy, kind):
    with pytest.raises(D360RequestError, match=f"The file is {mime_type}, which WhatsApp's upload") as caught:
        examine(name, 9, head, kind=kind)
    assert remedy in str(caught.value)
    assert examine(name, 9, head, kind=kind, mime_type="text/plain").kind == "document"


@pytest.mark.parametrize(
    ("kind", "most"),
    [("image", 5 << 20), ("audio", 16 << 20), ("video", 16 << 20), ("document", 100 << 20)],
)
def test_each_kind_may_be_so_large_and_no_larger(kind, most):
    mime_type = {"image": "image/png", "audio": "audio/mpeg", "video": "video/mp4"}.get(kind, "text/plain")
    examine("a", most, b"", kind=kind, mime_type=mime_type)
    with pytest.raises(D360RequestError, match=rf"{most + 1:,} bytes, and an? {kind} may have {most:,}"):
        examine("a", most + 1, b"", kind=kind, mime_type=mime_type)


def test_a_sticker_that_moves_may_be_larger():
    examine("a.webp", 500 << 10, MOVING_WEBP)
    with pytest.raises(D360RequestError, match="a sticker may have 102,400"):
        examine("a.webp", 500 << 10, STILL_WEBP)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"kind": "image", "head": PDF},
            "The file is application/pdf, and an image may be image/jpeg, image/png",
        ),
        ({"kind": "video", "mime_type": "video/3gp"}, "a video may be video/mp4, video/3gpp"),
        ({"kind": "poster"}, "kind is 'poster'.*Use one of image, sticker"),
        ({"size": 0}, "The file is empty"),
        ({"mime_type": "pdf"}, "mime_type is no MIME type"),
        ({"mime_type": "a/b\r\nX-Evil: 1"}, "mime_type is no MIME type"),
    ],
)
def test_what_whatsapp_would_not_take_is_refused_without_its_name(arguments, problem):
    with pytest.raises(D360RequestError, match=problem) as caught:
        examine(**{"name": "canary.pdf", "size": 9, "head": b"", **arguments})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("mime_type", "suffix"),
    [("audio/ogg; codecs=opus", ".oga"), ("application/pdf", ".pdf"), (None, ""), ("who/knows", "")],
)
def test_a_type_gives_the_ending_of_a_name(mime_type, suffix):
    assert suffix_of(mime_type) in (suffix, ".ogg" if suffix == ".oga" else suffix)
