"""Files inside a message: media that is named by a path on this side, until it is uploaded and has an id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from airflow_provider_d360.api.files import KINDS

_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    A file that a message names.

    :param kind: ``image``, ``sticker``, ``audio``, ``video`` or ``document``.
    :param path: Where it is. Not shown: it may name a person.
    :param mime_type: What it is, when that was said.
    """

    kind: str
    path: str = field(repr=False)
    mime_type: str | None = None


def attachments(message: Mapping[str, object]) -> list[Attachment]:
    """List the files that a message names, each once; in a template or a carousel there may be several."""
    return list(dict.fromkeys(_find(message, 0)))


def with_ids(message: Mapping[str, object], id_of: Callable[[Attachment], str]) -> dict[str, object]:
    """
    Copy a message with ids in place of paths; documents keep the name of their file.

    :param id_of: Gives the id of each file. To check a message before anything is uploaded, any string will
        do.
    """
    return cast("dict[str, object]", _changed(message, id_of, 0))


def _find(value: object, depth: int) -> Iterator[Attachment]:
    for key, item in _items(value, depth):
        found = _attachment(key, item)
        if found:
            yield found
        else:
            yield from _find(item, depth + 1)


def _changed(value: object, id_of: Callable[[Attachment], str], depth: int) -> object:
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        return [_changed(item, id_of, depth + 1) for item in value]
    if not isinstance(value, Mapping) or depth >= _DEEPEST:
        return value
    changed: dict[object, object] = {}
    for key, item in value.items():
        found = _attachment(key, item)
        changed[key] = _replaced(item, found, id_of(found)) if found else _changed(item, id_of, depth + 1)
    return changed


def _replaced(media: Mapping[str, object], found: Attachment, media_id: str) -> dict[str, object]:
    rest = {key: value for key, value in media.items() if key not in ("path", "mime_type")}
    name = {} if found.kind != "document" else {"filename": found.path.rstrip("/").rpartition("/")[2]}
    return {"id": media_id, **name, **rest}


def _items(value: object, depth: int) -> Iterator[tuple[object, object]]:
    if depth < _DEEPEST and isinstance(value, Mapping):
        yield from value.items()
    elif depth < _DEEPEST and isinstance(value, list | tuple):
        yield from enumerate(value)


def _attachment(key: object, value: object) -> Attachment | None:
    if key not in KINDS or not isinstance(value, Mapping) or value.get("path") is None:
        return None
    mime_type = value.get("mime_type")
    return Attachment(str(key), str(value["path"]), None if mime_type is None else str(mime_type))
