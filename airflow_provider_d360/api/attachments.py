"""Files inside a message: media named by a path on this machine, until it is uploaded and has an id."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from airflow_provider_d360.api.shapes import MESSAGE, Leaf, Shape, inside


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    A file that a message names.

    :param kind: ``image``, ``sticker``, ``audio``, ``video`` or ``document``.
    :param path: Where the file is. Not shown by ``repr``: it may name a person.
    :param mime_type: The MIME type that the message gives, or ``None``.
    """

    kind: str
    path: str = field(repr=False)
    mime_type: str | None = None


def attachments(message: Mapping[str, object]) -> list[Attachment]:
    """
    List the files that a message names, each once.

    A ``path`` counts only where WhatsApp's grammar has a media object: in the message itself, in the header
    of an interactive message or of one of its cards, and in the parameters of a template or of one of its
    cards. In your own data, such as a flow's data, it has no special meaning.

    :param message: The message, rendered.
    """
    unique: dict[Attachment, None] = {}

    def collect(attachment: Attachment) -> str:
        unique[attachment] = None
        return ""

    _replaced(message, MESSAGE, collect)
    return list(unique)


def with_ids(message: Mapping[str, object], id_of: Callable[[Attachment], str]) -> dict[str, object]:
    """
    Copy a message with ids in place of paths. A document without a filename gets the name of its file.

    :param message: The message, rendered.
    :param id_of: Returns the id of a file. To check a message before anything is uploaded, any string will
        do.
    """
    return cast("dict[str, object]", _replaced(message, MESSAGE, id_of))


def _replaced(value: object, shape: Shape, id_of: Callable[[Attachment], str]) -> object:
    if isinstance(shape, Leaf):
        return value
    if isinstance(value, list | tuple):
        return [_replaced(item, shape, id_of) for item in value]
    if not isinstance(value, Mapping):
        return value
    changed: dict[object, object] = {}
    for key, item in value.items():
        media = _media(value, key, item) if inside(shape, key) is Leaf.FILE else None
        changed[key] = _with_id(*media, id_of) if media else _replaced(item, inside(shape, key), id_of)
    return changed


def _media(
    owner: Mapping[object, object], key: object, value: object
) -> tuple[Mapping[str, object], Attachment] | None:
    """Read a media object with a path. It counts only when its owner's ``type`` names it."""
    is_named = str(owner.get("type")).lower() == key
    if not is_named or not isinstance(value, Mapping) or value.get("path") is None:
        return None
    mime_type = value.get("mime_type")
    return value, Attachment(str(key), str(value["path"]), None if mime_type is None else str(mime_type))


def _with_id(
    media: Mapping[str, object], attachment: Attachment, id_of: Callable[[Attachment], str]
) -> dict[str, object]:
    rest = {key: value for key, value in media.items() if key not in ("path", "mime_type")}
    is_document = attachment.kind == "document"
    name = {"filename": attachment.path.rstrip("/").rpartition("/")[2]} if is_document else {}
    return {"id": id_of(attachment), **name, **rest}
