"""Media: files that are uploaded to be sent, and files that people sent."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import quote, urlencode

from airflow_provider_d360.api.checks import files
from airflow_provider_d360.api.checks.identifiers import require_id
from airflow_provider_d360.api.hosting import Hosting
from airflow_provider_d360.api.reading import integer, json_object, objects, read_nothing, string
from airflow_provider_d360.api.wire import Call, Reader, Request, Response, Sink, Source, json_request

_SLOWEST_BYTES_PER_SECOND = 128 * 1024
_JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Media:
    """
    A file that is stored at 360dialog.

    :param media_id: Its id. Uploads live for 30 days, what people send for 7; on-premise keeps both for 14.
    :param address: Path and query to download it from; on cloud they are signed and valid for five minutes.
    :param mime_type: Its MIME type.
    :param sha256: The SHA-256 of its bytes.
    :param size: Its size in bytes.
    """

    media_id: str
    address: str | None = field(default=None, repr=False)
    mime_type: str | None = None
    sha256: str | None = None
    size: int | None = None


def upload_media(
    hosting: Hosting, source: Source, mime_type: str, *, filename: str, boundary: str
) -> Call[str]:
    """
    Store a file and get its id. Repeatable: stored twice is two ids, and nobody receives anything.

    :param hosting: The hosting of the number; not the sandbox.
    :param source: The file.
    :param mime_type: Its MIME type; see :func:`~airflow_provider_d360.api.checks.files.examine`.
    :param filename: Its name; sent to cloud only.
    :param boundary: The separator of the parts of the cloud's body: a text that is not in the file.
    :raises D360RequestError: when the hosting takes no media, or not of this size.
    """
    path = hosting.need(hosting.media, "media upload")
    files.check_size(source.size, hosting.largest_upload, f"an upload to the {hosting.name} hosting")
    if hosting.names_product:
        fields = {"messaging_product": "whatsapp", "type": mime_type}
        headers = {**_JSON, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = Request(
            "POST", path, headers, source=_multipart(fields, source, mime_type, filename, boundary)
        )
    else:
        request = Request("POST", path, {**_JSON, "Content-Type": mime_type}, source=source)
    return Call(request, _read_id, repeatable=True, extra_seconds=_carrying(source.size))


def get_media(hosting: Hosting, media_id: str) -> Call[Media]:
    """
    Read the address of a file, its size and its SHA-256; not on on-premise, which needs no address.

    There is one attempt only: after too many failures the number is blocked for an hour.

    :param hosting: The hosting of the number; cloud only.
    :param media_id: The file's id.
    :raises D360RequestError: when the id is missing.
    """
    path = _item(hosting, media_id)
    if not hosting.media_by_url:
        hosting.need(None, "media address; download the id itself")
    return Call(json_request("GET", path), partial(_read_media, media_id), repeatable=True, single=True)


def download_media(hosting: Hosting, media: Media, sink: Sink) -> Call[Media]:
    """
    Fetch a file, and check it on its way into the sink. There is one attempt only, as for :func:`get_media`.

    :param hosting: The hosting of the number; not the sandbox.
    :param media: The value that :func:`get_media` returned; on on-premise ``Media(media_id)`` is enough.
    :param sink: Takes the bytes. They are checked only when the call has returned.
    """
    path = media.address or _item(hosting, media.media_id)
    meter = _Meter(sink)
    size = hosting.largest_upload if media.size is None else media.size
    return Call(
        Request("GET", path, {"Accept": "*/*", "Accept-Encoding": "identity"}),
        partial(_read_download, media, meter),
        repeatable=True,
        private=lambda: frozenset({path}),
        sink=meter,
        extra_seconds=_carrying(size),
    )


def delete_media(hosting: Hosting, media_id: str) -> Call[None]:
    """
    Delete a file.

    :param hosting: The hosting of the number; not the sandbox.
    :param media_id: The file's id.
    :raises D360RequestError: when the id is missing.
    """
    return Call(json_request("DELETE", _item(hosting, media_id)), read_nothing, repeatable=True)


def open_upload(hosting: Hosting, size: int, mime_type: str, *, filename: str) -> Call[str]:
    """
    Begin to upload a sample for a template's header, or a profile picture; cloud only.

    :param hosting: The hosting of the number; cloud only.
    :param size: The file's size in bytes.
    :param mime_type: The file's MIME type.
    :param filename: The file's name.
    :returns: The id for :func:`fill_upload`.
    """
    path = hosting.need(hosting.uploads, "upload of samples")
    query = urlencode({"file_length": size, "file_type": mime_type, "file_name": filename}, quote_via=quote)
    return Call(json_request("POST", f"{path}?{query}"), _read_id, repeatable=True)


def fill_upload(hosting: Hosting, upload_id: str, source: Source) -> Call[str]:
    """
    Upload a sample or a picture, and return the handle by which templates and profiles name it.

    :param hosting: The hosting of the number; cloud only.
    :param upload_id: The id that :func:`open_upload` returned.
    :param source: The file.
    """
    hosting.need(hosting.uploads, "upload of samples")
    headers = {**_JSON, "Content-Type": "application/octet-stream", "file_offset": "0"}
    request = Request("POST", f"/{quote(upload_id, safe=':=?&')}", headers, source=source)
    return Call(request, _read_handle, repeatable=True, extra_seconds=_carrying(source.size))


def _item(hosting: Hosting, media_id: str) -> str:
    path = hosting.need(hosting.media_item, "media")
    require_id("media_id", media_id, "Give the id of an upload, or of a received message.")
    return path + quote(media_id, safe="")


def _carrying(size: int) -> float:
    return size / _SLOWEST_BYTES_PER_SECOND


def _multipart(
    fields: dict[str, str], source: Source, mime_type: str, filename: str, boundary: str
) -> Source:
    """Frame a file as HTML forms do, see https://www.rfc-editor.org/rfc/rfc7578 ."""
    name = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    disposition = "Content-Disposition: form-data; name="
    head = "".join(
        f'--{boundary}\r\n{disposition}"{field}"\r\n\r\n{value}\r\n' for field, value in fields.items()
    )
    head += f'--{boundary}\r\n{disposition}"file"; filename="{name}"\r\nContent-Type: {mime_type}\r\n\r\n'
    before, after = head.encode("utf-8", "replace"), f"\r\n--{boundary}--\r\n".encode()
    return Source(len(before) + source.size + len(after), lambda: _Framed(before, source, after))


class _Framed:
    """A file between two strings; of the file no more than was announced."""

    def __init__(self, before: bytes, source: Source, after: bytes) -> None:
        self._file = source.open()
        parts: list[tuple[Reader, int]] = [
            (io.BytesIO(before), len(before)),
            (self._file, source.size),
            (io.BytesIO(after), len(after)),
        ]
        self._parts = parts

    def read(self, size: int, /) -> bytes:
        while self._parts:
            part, left = self._parts[0]
            chunk = part.read(min(size, left))
            if chunk:
                self._parts[0] = part, left - len(chunk)
                return chunk
            if left:
                raise OSError(f"The file ends {left} bytes early")
            self._parts.pop(0)
        return b""

    def close(self) -> None:
        self._file.close()


class _Meter:
    """Measures what goes through it into a sink."""

    def __init__(self, sink: Sink) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self._sink = sink

    def write(self, data: bytes, /) -> None:
        self.size += len(data)
        self.sha256.update(data)
        self._sink.write(data)


def _read_id(response: Response) -> str:
    body = json_object(response)
    media_id = string(body.get("id")) or string(next(objects(body.get("media")), {}).get("id"))
    if media_id is None:
        raise ValueError("it holds no id")
    return media_id


def _read_handle(response: Response) -> str:
    handle = string(json_object(response).get("h"))
    if handle is None:
        raise ValueError("it holds no handle")
    return handle


def _read_media(media_id: str, response: Response) -> Media:
    body = json_object(response)
    # Only the host is exchanged: path and query are signed as they stand.
    address = re.match(r"https?://[^/?#\s]+(/[^#]*)", string(body.get("url")) or "")
    if not address:
        raise ValueError("it holds no address")
    return Media(
        media_id,
        address[1],
        string(body.get("mime_type")),
        string(body.get("sha256")),
        integer(body.get("file_size")),
    )


def _read_download(media: Media, meter: _Meter, response: Response) -> Media:
    digest = meter.sha256.digest()
    if media.sha256 is not None:
        if media.sha256.lower() != digest.hex() and media.sha256 != base64.b64encode(digest).decode():
            raise ValueError("the SHA-256 of what came is not the announced one")
    elif integer(response.headers.get("content-length")) not in (None, meter.size):
        raise ValueError("it ends early")
    kind = media.mime_type or string(response.headers.get("content-type"))
    return replace(media, mime_type=kind, sha256=digest.hex(), size=meter.size)
