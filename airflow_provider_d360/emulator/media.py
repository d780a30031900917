"""Endpoints of media: upload, look up, download, delete; and samples for templates."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.answers import ON_PREMISE_META, RefusedError, answer, gateway_error
from airflow_provider_d360.emulator.bodies import INVALID, INVALID_BODY, Problem
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.routes import Asked, Route, header

URL_SECONDS = 300
_MEGABYTE = 1024 * 1024
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
_MOST_BYTES = {
    "image/webp": 500 * 1024,
    "image": 5 * _MEGABYTE,
    "audio": 16 * _MEGABYTE,
    "video": 16 * _MEGABYTE,
    "": 100 * _MEGABYTE,
}
_ON_PREMISE_BYTES = 64 * _MEGABYTE

UPLOAD_FAILED = Problem(131053, 400)
UNKNOWN_ID = Problem(100, 1006)


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """
    One file that "WhatsApp" keeps.

    :param media_id: Its id.
    :param mime_type: What it was said to be.
    :param content: Its bytes.
    :param filename: Its name, when it was told.
    :param key: The key of the number that it belongs to.
    """

    media_id: str
    mime_type: str
    content: bytes = field(repr=False)
    filename: str = ""
    key: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


class Shelf:
    """
    What is kept of media.

    :ivar clock: Tells the time that addresses expire by, in seconds since 1970; tests give their own.
    :ivar stored: The files, by id.
    :ivar uploads: Announced lengths of samples, by id.
    :param key: Whose a file is, unless something else is said.
    """

    def __init__(self, key: str) -> None:
        self.clock: Callable[[], float] = time.time
        self.stored: dict[str, StoredMedia] = {}
        self.uploads: dict[str, int] = {}
        self._key, self._secret = key, secrets.token_bytes(16)

    def add(
        self,
        content: bytes,
        mime_type: str,
        *,
        media_id: str | None = None,
        filename: str = "",
        key: str | None = None,
    ) -> str:
        """Keep a file, as if it were uploaded or somebody had sent it, and return its id."""
        known = media_id or str(10**15 + secrets.randbelow(10**15))
        self.stored[known] = StoredMedia(known, mime_type, content, filename, key or self._key)
        return known

    def sign(self, media: StoredMedia, expires: int) -> str:
        """Write the query of an address. What it ends with breaks when somebody rewrites percent signs."""
        said = f"{media.media_id} {expires} {media.key}".encode()
        digest = hmac.new(self._secret, said, hashlib.sha256).hexdigest()
        return f"mid={media.media_id}&ext={expires}&hash=ATv{digest[:20]}%2f%7E~=="


def post_media(asked: Asked) -> Response:
    """Take a file as a form with three fields."""
    found = re.search(r'boundary="?([^";]+)', header(asked.request, "content-type"))
    if not found:
        INVALID_BODY.refuse(asked.hosting, "The body is not multipart/form-data")
    fields = dict(_fields(asked.request.body, found[1].encode()))
    if fields.get("messaging_product", _NOTHING).content != b"whatsapp":
        INVALID_BODY.refuse(asked.hosting, "The parameter messaging_product is required")
    file = fields.get("file")
    if file is None or not file.content:
        INVALID_BODY.refuse(asked.hosting, "The parameter file is required")
    return answer(200, {"id": _store(asked, file.mime_type, file.content, file.filename)})


def post_raw_media(asked: Asked) -> Response:
    """Take a file as the body, the on-premise way."""
    media_id = _store(asked, header(asked.request, "content-type"), asked.request.body)
    return answer(201, {"media": [{"id": media_id}], "meta": ON_PREMISE_META})


def get_media(asked: Asked) -> Response:
    """Tell where a file is to be had for the next five minutes: on a host that is not 360dialog's."""
    media = _media(asked)
    shelf = asked.emulator.media
    query = shelf.sign(media, int(shelf.clock()) + URL_SECONDS)
    url = f"https://lookaside.fbsbx.com/whatsapp_business/attachments/?{query}"
    body: JSONObject = {
        "messaging_product": "whatsapp",
        "url": url,
        "mime_type": media.mime_type,
        "sha256": media.sha256,
        "file_size": str(len(media.content)),
        "id": media.media_id,
    }
    response = answer(200, body)
    # As PHP writes it, which is why 360dialog's page tells shell users to unescape the address.
    return Response(response.status, response.headers, response.body.replace(b"/", b"\\/"))


def get_attachment(asked: Asked) -> Response:
    """Hand a file out to whoever knows its address, byte for byte, and comes in time."""
    query = asked.request.path.partition("?")[2]
    values = parse_qs(query)
    media_id, expires = values.get("mid", [""])[0], values.get("ext", ["0"])[0]
    shelf = asked.emulator.media
    media = shelf.stored.get(media_id)
    known = media is not None and expires.isdecimal() and query == shelf.sign(media, int(expires))
    if media is None or not known or int(expires) < shelf.clock():
        raise RefusedError(gateway_error(404, "The signature of the URL does not fit, or has expired"))
    return _bytes(media)


def get_raw_media(asked: Asked) -> Response:
    """Hand a file out, the on-premise way."""
    return _bytes(_media(asked))


def delete_media(asked: Asked) -> Response:
    """Forget a file."""
    del asked.emulator.media.stored[_media(asked).media_id]
    return answer(200, {"success": True})


def post_uploads(asked: Asked) -> Response:
    """Begin the upload of a sample."""
    values = parse_qs(asked.request.path.partition("?")[2])
    length = values.get("file_length", [""])[0]
    if not length.isdecimal() or "file_type" not in values:
        INVALID.refuse(asked.hosting, "file_length and file_type are required")
    upload_id = secrets.token_hex(12)
    asked.emulator.media.uploads[upload_id] = int(length)
    return answer(200, {"id": f"upload:{upload_id}"})


def post_upload(asked: Asked) -> Response:
    """Take a sample, and answer the handle that stands for it."""
    length = asked.emulator.media.uploads.get(asked.parts["upload_id"])
    if length is None or header(asked.request, "file_offset") != "0":
        INVALID.refuse(asked.hosting, "There is no such upload, or file_offset is not 0")
    if len(asked.request.body) != length:
        INVALID.refuse(asked.hosting, f"{length} bytes were announced")
    return answer(200, {"h": f"4::{asked.parts['upload_id']}"})


ROUTES = (
    Route("POST", "/media", (CLOUD,), post_media),
    Route("GET", "/whatsapp_business/attachments", (CLOUD,), get_attachment),
    Route("POST", "/uploads", (CLOUD,), post_uploads),
    Route("POST", "/upload:{upload_id}", (CLOUD,), post_upload),
    Route("POST", "/v1/media", (ON_PREMISE,), post_raw_media),
    Route("GET", "/v1/media/{media_id}", (ON_PREMISE,), get_raw_media),
    Route("DELETE", "/v1/media/{media_id}", (ON_PREMISE,), delete_media),
)

# These take any path of one segment, so they come after all others.
LAST_ROUTES = (
    Route("GET", "/{media_id}", (CLOUD,), get_media),
    Route("DELETE", "/{media_id}", (CLOUD,), delete_media),
)


_NOTHING = StoredMedia("", "", b"")


def _fields(body: bytes, boundary: bytes) -> list[tuple[str, StoredMedia]]:
    fields = []
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        name = re.search(r' name="([^"]*)"', text)
        filename = re.search(r' filename="([^"]*)"', text)
        kind = re.search(r"(?mi)^content-type: *(\S.*?)\r?$", text)
        file = StoredMedia(
            "", kind[1] if kind else "", content.removesuffix(b"\r\n"), filename[1] if filename else ""
        )
        fields.append((name[1] if name else "", file))
    return fields


def _store(asked: Asked, mime_type: str, content: bytes, filename: str = "") -> str:
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+(;.*)?", mime_type):
        UPLOAD_FAILED.refuse(asked.hosting, "The file has no type")
    plain = mime_type.partition(";")[0]
    most = _MOST_BYTES.get(plain) or _MOST_BYTES.get(plain.partition("/")[0]) or _MOST_BYTES[""]
    most = min(most, _ON_PREMISE_BYTES) if asked.hosting is ON_PREMISE else most
    if not 0 < len(content) <= most:
        UPLOAD_FAILED.refuse(asked.hosting, f"The file must have 1 to {most} bytes")
    return asked.emulator.media.add(content, mime_type, filename=filename, key=asked.number.key)


def _media(asked: Asked) -> StoredMedia:
    media_id = asked.parts["media_id"]
    media = asked.emulator.media.stored.get(media_id)
    if media is not None and media.key == asked.number.key:
        return media
    if media_id.isdecimal():
        UNKNOWN_ID.refuse(asked.hosting, f"Object with ID '{media_id}' does not exist")
    raise RefusedError(gateway_error(404, "Not Found"))


def _bytes(media: StoredMedia) -> Response:
    return Response(200, {"content-type": media.mime_type}, media.content)
