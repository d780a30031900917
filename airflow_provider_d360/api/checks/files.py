"""Kinds of media, their types and sizes, and how to recognise a file by its name and first bytes."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass

from airflow_provider_d360.api.errors import D360RequestError, request_error

HEAD_BYTES = 32
_KILOBYTE, _MEGABYTE = 1024, 1024 * 1024
_ANIMATED_STICKER = 500 * _KILOBYTE
_ANY = "application/octet-stream"
_READABLE = frozenset({"application/json", "application/xml", "application/x-ndjson", "application/yaml"})


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of media.

    :param mime_types: The types that WhatsApp takes.
    :param most_bytes: The largest size.
    """

    mime_types: tuple[str, ...]
    most_bytes: int


_OFFICE = "application/vnd.openxmlformats-officedocument"

# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
# The service itself lists the same types where it refuses an upload: "Param file must be a file with one of
# the following types". Any of them may be sent as a document.
KINDS = {
    "image": Kind(("image/jpeg", "image/png"), 5 * _MEGABYTE),
    "sticker": Kind(("image/webp",), 100 * _KILOBYTE),
    "audio": Kind(
        ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"), 16 * _MEGABYTE
    ),
    "video": Kind(("video/mp4", "video/3gpp"), 16 * _MEGABYTE),
    "document": Kind(
        (
            "application/pdf",
            "text/plain",
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
UPLOADABLE = frozenset(mime_type for kind in KINDS.values() for mime_type in kind.mime_types)

# Python's own table depends on the system it runs on.
_BY_SUFFIX = {
    "3gp": "video/3gpp",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "pdf": "application/pdf",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "txt": "text/plain",
    "log": "text/plain",
    "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
}
_BY_FIRST_BYTES = (
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"....ftyp(?:hei|hev|mif1|msf1|avif)", "image/heic"),
    (rb"%PDF-", "application/pdf"),
    (rb"#!AMR", "audio/amr"),
)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """
    The kind and the type of a file.

    :param kind: ``image``, ``sticker``, ``audio``, ``video`` or ``document``.
    :param mime_type: Its MIME type.
    """

    kind: str
    mime_type: str


def examine(
    name: str, size: int, head: bytes, *, kind: str | None = None, mime_type: str | None = None
) -> FileFacts:
    """
    Recognise a file and check whether WhatsApp takes it.

    The type is ``mime_type``, or else what the first bytes say, or else what the name says. Without a kind,
    a file is what its type allows, and a document otherwise.

    :param name: Its name; no error repeats it.
    :param size: Its size in bytes.
    :param head: The first ``HEAD_BYTES`` bytes.
    :param kind: ``image``, ``sticker``, ``audio``, ``video`` or ``document``.
    :param mime_type: Its MIME type, if the caller knows better than bytes and name.
    :raises D360RequestError: when WhatsApp does not take the type, or not for this kind, or not this size.
    """
    mime_type = _valid_type(mime_type) or _type_of_bytes(head) or _type_of_name(name)
    plain = mime_type.partition(";")[0].strip().lower()
    if kind is None:
        kind = next((name for name, known in KINDS.items() if plain in known.mime_types), "document")
    if kind not in KINDS:
        raise request_error(f"kind is {kind!r}", f"Use one of {', '.join(KINDS)}.")
    allowed = UPLOADABLE if kind == "document" else KINDS[kind].mime_types
    if plain not in allowed:
        raise _unfit(kind, plain)
    most = _ANIMATED_STICKER if kind == "sticker" and _is_animated(head) else KINDS[kind].most_bytes
    check_size(size, most, _a(kind))
    return FileFacts(kind, mime_type)


def check_size(size: int, most: int, what: str) -> None:
    """
    Check a size before a byte is sent.

    :param size: The size in bytes.
    :param most: The largest size.
    :param what: What has this limit, for the error: ``a document``.
    :raises D360RequestError: when the file is empty or too large.
    """
    if size == 0:
        raise request_error("The file is empty", "Give a file with content.")
    if size > most:
        raise request_error(
            f"The file has {size:,} bytes, and {what} may have {most:,}", "Make it smaller, or send a link."
        )


def suffix_of(mime_type: str | None) -> str:
    """
    Return the suffix of a file name for a MIME type; an empty string for an unknown one.

    :param mime_type: The MIME type; parameters are ignored.
    """
    plain = (mime_type or "").partition(";")[0].strip().lower()
    known = next((f".{suffix}" for suffix, known in _BY_SUFFIX.items() if known == plain), None)
    return known or mimetypes.guess_extension(plain) or ""


def _valid_type(mime_type: str | None) -> str | None:
    if mime_type and not re.fullmatch(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", mime_type):
        raise request_error("mime_type is no MIME type", "Write it like application/pdf.")
    return mime_type


def _type_of_bytes(head: bytes) -> str | None:
    return next((known for first, known in _BY_FIRST_BYTES if re.match(first, head, re.S)), None)


def _type_of_name(name: str) -> str:
    suffix = name.rpartition(".")[2].lower()
    return _BY_SUFFIX.get(suffix) or mimetypes.guess_type(f"x.{suffix}")[0] or _ANY


def _is_animated(head: bytes) -> bool:
    return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)


def _unfit(kind: str, plain: str) -> D360RequestError:
    known = KINDS[kind].mime_types
    if kind != "document":
        return request_error(
            f"The file is {plain}, and {_a(kind)} may be {', '.join(known)}",
            "Convert it, or send a document.",
        )
    readable = plain.startswith("text/") or plain in _READABLE
    remedy = 'give mime_type="text/plain" to send it as plain text' if readable else "convert it to PDF"
    return request_error(
        f"The file is {plain}, which WhatsApp's upload does not take",
        f"It takes PDF, plain text, and files of Word, Excel and PowerPoint: {remedy}, or send a link to it.",
    )


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
