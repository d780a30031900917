"""
Files between this side and 360dialog: local paths, and whatever Airflow's object storage reaches.

They pass through piece by piece and are never whole in memory. Each function takes what a hook's ``get_conn``
returns.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_d360.api import files, media
from airflow_provider_d360.api.attachments import Attachment, attachments, with_ids
from airflow_provider_d360.api.wire import Call, Source

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_d360.api.hosting import Hosting
    from airflow_provider_d360.transport import Transport

AnyPath: TypeAlias = "str | os.PathLike[str] | ObjectStoragePath"


def upload_media(
    transport: Transport, path: AnyPath, *, kind: str | None = None, mime_type: str | None = None
) -> str:
    """
    Upload a file and return its id, which is good for 30 days.

    :param path: A local path, or anything that ``ObjectStoragePath`` takes: ``s3://aws_default@bucket/key``.
    :param kind: What it shall be sent as: ``image``, ``sticker``, ``audio``, ``video`` or ``document``.
        Without it, the kind goes by the type.
    :param mime_type: What it is. Without it, the first bytes and the name tell.
    :raises D360RequestError: before a byte is sent, when WhatsApp does not take such a file.
    """
    hosting = transport.account.hosting
    return transport.perform(_upload(hosting, path, kind, mime_type))


async def aupload_media(
    transport: Transport, path: AnyPath, *, kind: str | None = None, mime_type: str | None = None
) -> str:
    """Do the same as :func:`upload_media` without blocking the event loop."""
    hosting = transport.account.hosting
    return await transport.aperform(await asyncio.to_thread(_upload, hosting, path, kind, mime_type))


def download_media(transport: Transport, media_id: str, path: AnyPath) -> Download:
    """
    Download a file to a path. The path holds the whole file, checked, or what it held before.

    It is tried once: a number whose downloads fail too often may not download for an hour.

    :param media_id: The id, from an upload or from a message that somebody sent.
    :param path: A local path, or anything that ``ObjectStoragePath`` takes. An existing folder, or what ends
        with ``/``, gets a file named after the id.
    """
    hosting = transport.account.hosting
    known = media.Media(media_id)
    if hosting.media_by_url:
        known = transport.perform(media.get_media(hosting, media_id))
    with _Arrival(path) as arrival:
        found = transport.perform(media.download_media(hosting, known, arrival))
        return Download(arrival.finish(found), found)


async def adownload_media(transport: Transport, media_id: str, path: AnyPath) -> Download:
    """Do the same as :func:`download_media` without blocking the event loop."""
    hosting = transport.account.hosting
    known = media.Media(media_id)
    if hosting.media_by_url:
        known = await transport.aperform(media.get_media(hosting, media_id))
    arrival = await asyncio.to_thread(_Arrival, path)
    try:
        found = await transport.aperform(media.download_media(hosting, known, arrival))
        return Download(await asyncio.to_thread(arrival.finish, found), found)
    finally:
        await asyncio.to_thread(arrival.drop)


def upload_paths(transport: Transport, message: Mapping[str, object]) -> dict[str, object]:
    """
    Upload the files that a message names by ``path``, and return the message with their ids.

    A message without such a path is returned as it is, and costs no request.
    """
    ids = {
        found: upload_media(transport, found.path, kind=found.kind, mime_type=found.mime_type)
        for found in attachments(message)
    }
    return with_ids(message, ids.__getitem__)


async def aupload_paths(transport: Transport, message: Mapping[str, object]) -> dict[str, object]:
    """Do the same as :func:`upload_paths` without blocking the event loop."""
    ids: dict[Attachment, str] = {}
    for found in attachments(message):
        ids[found] = await aupload_media(transport, found.path, kind=found.kind, mime_type=found.mime_type)
    return with_ids(message, ids.__getitem__)


def upload_sample(transport: Transport, path: AnyPath, *, mime_type: str | None = None) -> str:
    """
    Upload a sample for a template's header, or a profile picture, and return the handle that names it.

    On cloud only.

    :param path: As in :func:`upload_media`.
    :param mime_type: What it is. Without it, the first bytes and the name tell.
    """
    hosting = transport.account.hosting
    name, source, facts = _examined(path, "document", mime_type)
    upload_id = transport.perform(media.open_upload(hosting, source.size, facts.mime_type, filename=name))
    return transport.perform(media.fill_upload(hosting, upload_id, source))


@dataclass(frozen=True, slots=True)
class Download:
    """
    A file that has arrived.

    :param path: Where it is.
    :param media: What is known of it.
    """

    path: str
    media: media.Media


class _Arrival:
    """A file under another name, until it is whole; then it is moved, and otherwise it is removed."""

    def __init__(self, path: AnyPath) -> None:
        self._path = _path(path)
        self._into_folder = str(path).endswith("/") or bool(self._path.is_dir())
        folder = self._path if self._into_folder else self._path.parent
        if getattr(folder, "protocol", "file") in ("file", ""):  # elsewhere folders are but names
            folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._part = folder / f".{secrets.token_hex(8)}.part"
        self._file = self._part.open("wb")

    def __enter__(self) -> _Arrival:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def write(self, data: bytes, /) -> object:
        return self._file.write(data)

    def finish(self, found: media.Media) -> str:
        """Put the file where it belongs, and say where that is."""
        self._file.close()
        target = self._path
        if self._into_folder:
            name = re.sub(r"[^\w.-]", "_", found.media_id).lstrip(".")
            target = self._folder / f"{name}{files.suffix_of(found.mime_type)}"
        if isinstance(target, Path):
            self._part.replace(target)
        else:
            self._part.fs.mv(self._part.path, target.path)
        return str(target)

    def drop(self) -> None:
        """Remove what is half done; nothing is left to remove once it is finished."""
        with suppress(Exception):
            self._file.close()
        with suppress(FileNotFoundError):
            self._part.unlink()


def _upload(hosting: Hosting, path: AnyPath, kind: str | None, mime_type: str | None) -> Call[str]:
    name, source, facts = _examined(path, kind, mime_type)
    return media.upload_media(hosting, source, facts.mime_type, filename=name, boundary=secrets.token_hex(16))


def _examined(path: AnyPath, kind: str | None, mime_type: str | None) -> tuple[str, Source, files.FileFacts]:
    found = _path(path)
    size = int(found.stat().st_size)
    with found.open("rb") as opened:
        head = opened.read(files.HEAD_BYTES)
    facts = files.examine(found.name, size, head, kind=kind, mime_type=mime_type)
    return found.name, Source(size, lambda: found.open("rb")), facts


def _path(path: AnyPath) -> Any:
    """Make a path of a string; object storage is imported only where an address asks for it."""
    if isinstance(path, str) and "://" in path:
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(path)
    return path if hasattr(path, "open") else Path(path)
