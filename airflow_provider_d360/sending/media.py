"""
Files between Airflow and 360dialog: local paths, and whatever Airflow's object storage reaches.

Files are streamed and never whole in memory. Each public function is a flow: run it with
``hook.run(upload_media, path)`` or ``await hook.arun(upload_media, path)``.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow_provider_d360.api.attachments import Attachment, attachments, with_ids
from airflow_provider_d360.api.checks import files
from airflow_provider_d360.api.endpoints import media
from airflow_provider_d360.api.errors import D360Error, request_error
from airflow_provider_d360.api.privacy import explain, file_error
from airflow_provider_d360.api.wire import Source
from airflow_provider_d360.sending.roots import allowed
from airflow_provider_d360.transport.flows import Flow, Work

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_d360.transport.settings import ConnectionSettings

AnyPath: TypeAlias = "str | os.PathLike[str] | ObjectStoragePath"

T = TypeVar("T")
log = logging.getLogger(__name__)


def upload_media(
    settings: ConnectionSettings, path: AnyPath, *, kind: str | None = None, mime_type: str | None = None
) -> Flow[str]:
    """
    Upload a file and return its id, which is valid for 30 days.

    :param settings: The settings of the connection; the hook passes them.
    :param path: A local path, or anything that ``ObjectStoragePath`` takes: ``s3://aws_default@bucket/key``.
    :param kind: ``image``, ``sticker``, ``audio``, ``video`` or ``document``: what it will be sent as. By
        default, the kind follows from the type.
    :param mime_type: Its type. By default, it is read from the first bytes and the name.
    :raises D360RequestError: before a byte is sent, when WhatsApp does not accept such a file.
    """
    file: _File = yield Work(partial(_examine, path, kind, mime_type))
    return (yield from _upload(settings, file))


def download_media(settings: ConnectionSettings, media_id: str, path: AnyPath) -> Flow[Download]:
    """
    Download a file to a path. The path holds the whole file, checked, or what it held before.

    There is one attempt: 360dialog bars a number whose downloads fail too often for an hour.

    :param settings: The settings of the connection; the hook passes them.
    :param media_id: The id, from an upload or from a received message.
    :param path: A local path, or anything that ``ObjectStoragePath`` takes. In an existing folder, or below a
        path that ends with ``/``, the file is named after the id.
    :raises D360Error: the one of the six that fits.
    """
    hosting = settings.hosting
    known = media.Media(media_id)
    if hosting.media_by_url:
        known = yield media.get_media(hosting, media_id)
    target = _Target(path)
    try:
        yield Work(partial(_on_files, target.open))
        known = yield media.download_media(hosting, known, target)
        return Download((yield Work(partial(_on_files, partial(target.finish, known)))), known)
    except Exception:
        yield Work(target.drop)
        raise
    except GeneratorExit:  # cancelled: no more steps
        target.drop()
        raise


def upload_paths(settings: ConnectionSettings, message: Mapping[str, object]) -> Flow[dict[str, object]]:
    """
    Upload the files that a message names by ``path``, each once, and return the message with their ids.

    :param settings: The settings of the connection; the hook passes them.
    :param message: The message. Without such a path, it is returned unchanged, and no request is made.
    :raises D360RequestError: before a byte is sent, when WhatsApp does not accept such a file.
    """
    files = attachments(message)
    if not files:
        return dict(message)
    ids: dict[Attachment, str] = {}
    uploads: dict[tuple[str, str], str] = {}  # by path and type: one file may be an image and a document
    for attachment in files:
        file: _File = yield Work(partial(_examine, attachment.path, attachment.kind, attachment.mime_type))
        upload = attachment.path, file.mime_type
        if upload not in uploads:
            uploads[upload] = yield from _upload(settings, file)
        ids[attachment] = uploads[upload]
    return with_ids(message, ids.__getitem__)


def upload_sample(settings: ConnectionSettings, path: AnyPath, *, mime_type: str | None = None) -> Flow[str]:
    """
    Upload a sample for a template's header, or a profile picture, and return its handle. On cloud only.

    :param settings: The settings of the connection; the hook passes them.
    :param path: As in :func:`upload_media`.
    :param mime_type: Its type. By default, it is read from the first bytes and the name.
    :raises D360RequestError: on other hostings, or when WhatsApp does not accept such a file.
    """
    file: _File = yield Work(partial(_examine, path, "document", mime_type))
    opened = media.open_upload(settings.hosting, file.source.size, file.mime_type, filename=file.name)
    upload_id: str = yield opened
    handle: str = yield media.fill_upload(settings.hosting, upload_id, file.source)
    return handle


@dataclass(frozen=True, slots=True)
class Download:
    """
    A file that was downloaded.

    :param path: Where it is.
    :param media: Its id, type, size and SHA-256.
    """

    path: str
    media: media.Media


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    source: Source
    mime_type: str


class _Target:
    """
    A file that is written under another name until it is whole, then moved; otherwise it is removed.

    When a download is cancelled, a thread may still be opening the file; hence the lock.
    """

    def __init__(self, path: AnyPath) -> None:
        self._given = path
        self._file: Any = None
        self._dropped = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Open the file, in a folder that is made if necessary."""
        with self._lock:
            if self._dropped:
                return
            self._path = _path(self._given)
            self._into_folder = str(self._given).endswith("/") or bool(self._path.is_dir())
            self._folder = self._path if self._into_folder else self._path.parent
            if getattr(self._folder, "protocol", "file") in ("file", ""):  # elsewhere, folders are but names
                self._folder.mkdir(parents=True, exist_ok=True)
            self._part = self._folder / f".{secrets.token_hex(8)}.part"
            self._file = self._part.open("wb")

    def write(self, data: bytes, /) -> object:
        return self._file.write(data)

    def finish(self, known: media.Media) -> str:
        """
        Move the file to its place, and return that.

        :param known: The downloaded medium; its id and type name the file in a folder.
        """
        self._file.close()
        target = self._path
        if self._into_folder:
            name = re.sub(r"[^\w.-]", "_", known.media_id).lstrip(".")
            target = self._folder / f"{name}{files.suffix_of(known.mime_type)}"
        if isinstance(target, Path):
            self._part.replace(target)
        else:
            self._part.fs.mv(self._part.path, target.path)
        return str(target)

    def drop(self) -> None:
        """Remove the file unless it is finished."""
        with self._lock:
            self._dropped = True
            if self._file is None:
                return
            with suppress(Exception):
                self._file.close()
            try:
                self._part.unlink()
            except FileNotFoundError:
                pass
            except Exception as problem:  # noqa: BLE001 - any file system's; the download's own error goes on
                log.warning("A part of a file was left behind: %s", explain(problem))


def _upload(settings: ConnectionSettings, file: _File) -> Flow[str]:
    call = media.upload_media(
        settings.hosting, file.source, file.mime_type, filename=file.name, boundary=secrets.token_hex(16)
    )
    media_id: str = yield call
    return media_id


def _examine(path: AnyPath, kind: str | None, mime_type: str | None) -> _File:
    file, size, head = _on_files(lambda: _read_head(path))
    facts = files.examine(file.name, size, head, kind=kind, mime_type=mime_type)
    return _File(file.name, Source(size, lambda: file.open("rb")), facts.mime_type)


def _read_head(path: AnyPath) -> tuple[Any, int, bytes]:
    file = allowed(_path(path))
    size = int(file.stat().st_size)
    with file.open("rb") as opened:
        return file, size, opened.read(files.HEAD_BYTES)


def _on_files(work: Callable[[], T]) -> T:
    """Do work on files. Errors of a file system go on without the path, which may hold a name or a login."""
    try:
        return work()
    except D360Error:
        raise
    except Exception as problem:  # noqa: BLE001 - any file system's
        failure = file_error(problem)
    raise failure


_PROVIDERS = {
    "abfs": "apache-airflow-providers-microsoft-azure",
    "gs": "apache-airflow-providers-google",
    "s3": "apache-airflow-providers-amazon[s3fs]",
}


def _path(path: AnyPath) -> Any:
    """Make a path of a string. Object storage is imported only for addresses such as ``s3://…``."""
    if isinstance(path, str) and "://" in path:
        from airflow.sdk import ObjectStoragePath
        from airflow.sdk.io import has_fs

        scheme = path.partition("://")[0]
        if re.fullmatch(r"[a-z][a-z0-9]{0,15}", scheme) and not has_fs(scheme):
            package = _PROVIDERS.get(scheme, "the Airflow provider that brings it")
            raise request_error(
                f"Nothing is installed that reads {scheme}://", f"Install {package} where the task runs."
            )
        return ObjectStoragePath(path)
    return path if hasattr(path, "open") else Path(path)
