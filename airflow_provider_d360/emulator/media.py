"""Endpoints of media: upload, look up, download, delete; and samples for templates."""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple
from urllib.parse import parse_qs

from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator.media_store import StoredMedia
from airflow_provider_d360.emulator.records import JSONObject
from airflow_provider_d360.emulator.responses import (
    INVALID,
    INVALID_BODY,
    ON_PREMISE_META,
    UNKNOWN_ID,
    UPLOAD_FAILED,
    RejectedError,
    gateway_error,
    json_response,
)
from airflow_provider_d360.emulator.routes import RequestContext, Route, header

URL_SECONDS = 300
_KILOBYTE, _MEGABYTE = 1024, 1024 * 1024
_OFFICE = "application/vnd.openxmlformats-officedocument"
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
_MOST_BYTES = {
    **dict.fromkeys(("image/jpeg", "image/png"), 5 * _MEGABYTE),
    "image/webp": 500 * _KILOBYTE,
    **dict.fromkeys(("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"), 16 * _MEGABYTE),
    **dict.fromkeys(("video/mp4", "video/3gpp", "video/3gp"), 16 * _MEGABYTE),
    **dict.fromkeys(
        (
            "text/plain",
            "application/pdf",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            f"{_OFFICE}.wordprocessingml.document",
            f"{_OFFICE}.spreadsheetml.sheet",
            f"{_OFFICE}.presentationml.presentation",
        ),
        100 * _MEGABYTE,
    ),
}
_STATIC_STICKER_BYTES = 100 * _KILOBYTE
_ON_PREMISE_BYTES = 64 * _MEGABYTE
_SAMPLE_TYPES = frozenset({"image/jpeg", "image/png", "video/mp4", "application/pdf"})


class FormField(NamedTuple):
    """
    One field of a form.

    :param mime_type: Its content type; empty when none is stated.
    :param content: Its bytes.
    :param filename: Its filename; empty when none is stated.
    """

    mime_type: str
    content: bytes
    filename: str


def _post_media(context: RequestContext) -> Response:
    """Store a file that comes as a form: ``messaging_product`` and ``file``."""
    boundary = re.search(
        r'^multipart/form-data;.*boundary="?([^";]+)', header(context.request, "content-type")
    )
    if not boundary:
        INVALID_BODY.reject("The body is not multipart/form-data")
    fields = _form_fields(context.request.body, boundary[1].encode())
    product, file = fields.get("messaging_product"), fields.get("file")
    if product is None or product.content != b"whatsapp":
        INVALID_BODY.reject("The parameter messaging_product is required")
    if file is None or not file.content:
        INVALID_BODY.reject("The parameter file is required")
    return json_response(200, {"id": _store(context, file.mime_type, file.content, file.filename)})


def _post_raw_media(context: RequestContext) -> Response:
    """Store a file that comes as the body, as on-premise takes it."""
    media_id = _store(context, header(context.request, "content-type"), context.request.body)
    return json_response(201, {"media": [{"id": media_id}], "meta": ON_PREMISE_META})


def _get_media(context: RequestContext) -> Response:
    """Return the download URL of a file, which is valid for five minutes and names a host of Meta's."""
    media, store = _media(context), context.state.media
    query = store.sign(media, int(store.clock()) + URL_SECONDS)
    body: JSONObject = {
        "messaging_product": "whatsapp",
        "url": f"https://lookaside.fbsbx.com/whatsapp_business/attachments/?{query}",
        "mime_type": media.mime_type,
        "sha256": media.sha256,
        "file_size": str(len(media.content)),
        "id": media.media_id,
    }
    response = json_response(200, body)
    # The service escapes slashes, which is why 360dialog's page tells shell users to unescape the URL.
    return Response(response.status, response.headers, response.body.replace(b"/", b"\\/"))


def _get_attachment(context: RequestContext) -> Response:
    """Return the bytes of a file, if the signed query is unchanged and has not expired."""
    query = context.request.path.partition("?")[2]
    values = parse_qs(query)
    expires = values.get("ext", ["0"])[0]
    store = context.state.media
    media = store.stored.get(values.get("mid", [""])[0])
    valid = media is not None and expires.isdecimal() and query == store.sign(media, int(expires))
    if media is None or not valid or int(expires) < store.clock():
        raise RejectedError(gateway_error(404, "The signature of the URL is invalid or has expired"))
    return _content(media)


def _get_raw_media(context: RequestContext) -> Response:
    """Return the bytes of a file on-premise."""
    return _content(_media(context))


def _delete_media(context: RequestContext) -> Response:
    """Delete a file."""
    del context.state.media.stored[_media(context).media_id]
    return json_response(200, {"success": True})


def _post_uploads(context: RequestContext) -> Response:
    """Announce the upload of a sample."""
    length, kind = context.query.get("file_length", ""), context.query.get("file_type")
    if not re.fullmatch(r"[1-9]\d{0,9}", length):
        INVALID.reject("Param file_length must be a positive number")
    if kind not in _SAMPLE_TYPES:
        INVALID.reject(f"Param file_type must be one of {{{', '.join(sorted(_SAMPLE_TYPES))}}}")
    upload_id = secrets.token_hex(12)
    context.state.media.uploads[upload_id] = int(length)
    return json_response(200, {"id": f"upload:{upload_id}"})


def _post_upload(context: RequestContext) -> Response:
    """Take the bytes of a sample and return its handle."""
    upload_id = context.path_values["upload_id"]
    length = context.state.media.uploads.get(upload_id)
    if length is None or header(context.request, "file_offset") != "0":
        INVALID.reject("There is no such upload, or file_offset is not 0")
    if len(context.request.body) != length:
        INVALID.reject(f"{length} bytes were announced")
    return json_response(200, {"h": f"4::{upload_id}"})


ROUTES = (
    Route("POST", "/media", (CLOUD,), _post_media),
    Route("GET", "/whatsapp_business/attachments", (CLOUD,), _get_attachment),
    Route("POST", "/uploads", (CLOUD,), _post_uploads),
    Route("POST", "/upload:{upload_id}", (CLOUD,), _post_upload),
    Route("POST", "/v1/media", (ON_PREMISE,), _post_raw_media),
    Route("GET", "/v1/media/{media_id}", (ON_PREMISE,), _get_raw_media),
    Route("DELETE", "/v1/media/{media_id}", (ON_PREMISE,), _delete_media),
)

# These match any path of one segment, so they come after all others.
LAST_ROUTES = (
    Route("GET", "/{media_id}", (CLOUD,), _get_media),
    Route("DELETE", "/{media_id}", (CLOUD,), _delete_media),
)


def _form_fields(body: bytes, boundary: bytes) -> dict[str, FormField]:
    fields = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        name = re.search(r' name="([^"]*)"', text)
        filename = re.search(r' filename="([^"]*)"', text)
        kind = re.search(r"(?mi)^content-type: *(\S.*?)\r?$", text)
        fields[name[1] if name else ""] = FormField(
            kind[1] if kind else "", content.removesuffix(b"\r\n"), filename[1] if filename else ""
        )
    return fields


def _store(context: RequestContext, mime_type: str, content: bytes, filename: str = "") -> str:
    if not re.fullmatch(r"[\w.+-]+/[\w.+-]+(;.*)?", mime_type):
        UPLOAD_FAILED.reject("The file has no type")
    plain = mime_type.partition(";")[0].strip().lower()
    most = _MOST_BYTES.get(plain, _ON_PREMISE_BYTES if context.hosting is ON_PREMISE else None)
    if most is None:
        INVALID_BODY.reject(
            f"Param file must be a file with one of the following types: {', '.join(_MOST_BYTES)}. "
            f"Received file of type '{plain}'."
        )
    if plain == "image/webp" and not _is_animated(content):
        most = _STATIC_STICKER_BYTES
    most = min(most, _ON_PREMISE_BYTES) if context.hosting is ON_PREMISE else most
    if not 0 < len(content) <= most:
        UPLOAD_FAILED.reject(f"The file must have 1 to {most} bytes")
    return context.state.media.add(content, mime_type, filename=filename, key=context.number.key)


def _is_animated(content: bytes) -> bool:
    """Read the animation flag of WebP's extended header: https://developers.google.com/speed/webp/docs/riff_container."""
    return content[12:16] == b"VP8X" and len(content) > 20 and bool(content[20] & 2)


def _media(context: RequestContext) -> StoredMedia:
    media_id = context.path_values["media_id"]
    media = context.state.media.stored.get(media_id)
    if media is not None and media.key == context.number.key:
        return media
    if media_id.isdecimal():
        UNKNOWN_ID.reject(f"Object with ID '{media_id}' does not exist")
    raise RejectedError(gateway_error(404, "Not Found"))


def _content(media: StoredMedia) -> Response:
    return Response(200, {"content-type": media.mime_type}, media.content)
