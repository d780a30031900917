"""Which files WhatsApp takes: kinds of media, their types and sizes, told from a name and a few bytes."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass

from airflow_provider_d360.api.errors import D360RequestError, Refusal

HEAD_BYTES = 32
_KILOBYTE, _MEGABYTE = 1024, 1024 * 1024
_ANIMATED_STICKER = 500 * _KILOBYTE
_ANY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of media.

    :param mime_types: What it may be; anything when empty.
    :param most_bytes: How large it may be.
    """

    mime_types: tuple[str, ...]
    most_bytes: int


# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media
KINDS = {
    "image": Kind(("image/jpeg", "image/png"), 5 * _MEGABYTE),
    "sticker": Kind(("image/webp",), 100 * _KILOBYTE),
    "audio": Kind(
        ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"), 16 * _MEGABYTE
    ),
    "video": Kind(("video/mp4", "video/3gpp", "video/3gp"), 16 * _MEGABYTE),
    "document": Kind((), 100 * _MEGABYTE),
}

# Python's own table depends on the system it runs on.
_OFFICE = "application/vnd.openxmlformats-officedocument"
_BY_SUFFIX = {
    "3gp": "video/3gpp",
    "aac": "audio/aac",
    "amr": "audio/amr",
    "csv": "text/csv",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "webp": "image/webp",
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
    What a file is.

    :param kind: ``image``, ``sticker``, ``audio``, ``video`` or ``document``.
    :param mime_type: Its MIME type.
    """

    kind: str
    mime_type: str


def examine(
    name: str, size: int, head: bytes, *, kind: str | None = None, mime_type: str | None = None
) -> FileFacts:
    """
    Tell what a file is and whether WhatsApp takes it.

    The first bytes are believed before the name; what is given is believed before both. Without a kind, a
    file is what its type allows, and a document otherwise.

    :param name: Its name; no error repeats it.
    :param size: How many bytes it has.
    :param head: The first ``HEAD_BYTES`` of them.
    :raises D360RequestError: when the type or the size does not fit the kind.
    """
    mime_type = _known_type(mime_type) or _type_of_bytes(head) or _type_of_name(name)
    plain = mime_type.partition(";")[0].strip().lower()
    if kind is None:
        kind = next((name for name, known in KINDS.items() if plain in known.mime_types), "document")
    if kind not in KINDS:
        raise _wrong(f"kind is {kind!r}", f"Use one of {', '.join(KINDS)}.")
    wanted = KINDS[kind]
    if wanted.mime_types and plain not in wanted.mime_types:
        allowed = ", ".join(wanted.mime_types)
        raise _wrong(
            f"The file is {plain}, and {_a(kind)} may be {allowed}", "Convert it, or send a document."
        )
    most = _ANIMATED_STICKER if kind == "sticker" and _is_animated(head) else wanted.most_bytes
    check_size(size, most, _a(kind))
    return FileFacts(kind, mime_type)


def check_size(size: int, most: int, what: str) -> None:
    """
    Check a size before a byte is sent.

    :raises D360RequestError: when there is nothing, or too much.
    """
    if size == 0:
        raise _wrong("The file is empty", "Give a file with content.")
    if size > most:
        raise _wrong(
            f"The file has {size:,} bytes, and {what} may have {most:,}", "Make it smaller, or send a link."
        )


def suffix_of(mime_type: str | None) -> str:
    """Find the ending of a file name for a MIME type; nothing for an unknown one."""
    plain = (mime_type or "").partition(";")[0].strip().lower()
    known = next((f".{suffix}" for suffix, known in _BY_SUFFIX.items() if known == plain), None)
    return known or mimetypes.guess_extension(plain) or ""


def _known_type(mime_type: str | None) -> str | None:
    if mime_type and not re.fullmatch(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", mime_type):
        raise _wrong("mime_type is not one", "Write it like application/pdf.")
    return mime_type


def _type_of_bytes(head: bytes) -> str | None:
    return next((known for first, known in _BY_FIRST_BYTES if re.match(first, head, re.S)), None)


def _type_of_name(name: str) -> str:
    suffix = name.rpartition(".")[2].lower()
    return _BY_SUFFIX.get(suffix) or mimetypes.guess_type(f"x.{suffix}")[0] or _ANY


def _is_animated(head: bytes) -> bool:
    return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _wrong(title: str, remedy: str) -> D360RequestError:
    return D360RequestError(Refusal(title, remedy))
