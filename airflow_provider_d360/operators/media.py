"""Operators that upload, download and delete files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.tasks.arguments import check_single, read_id
from airflow_provider_d360.tasks.failures import fail_at_once
from airflow_provider_d360.tasks.operator import D360Operator

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_provider_d360.messages.values import String


class D360UploadMediaOperator(D360Operator):
    """
    Upload a file and return its id, to be sent as often as you like for 30 days.

    To upload and send in one task, name the file in the message: ``document(path=…)``. The file is streamed;
    its type and its size are checked before a byte of it is sent.

    :param path: A local path or one that ``ObjectStoragePath`` takes: ``s3://aws_default@bucket/key``.
        (templated)
    :param kind: The kind of message that it is for: ``image``, ``sticker``, ``audio``, ``video`` or
        ``document``. By default the kind that its type allows. (templated)
    :param mime_type: Its MIME type. By default it is read from the first bytes and the name. WhatsApp takes
        PDF, plain text, Office files and some media: give ``text/plain`` for a CSV or JSON file. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("path", "kind", "mime_type", "d360_conn_id")

    def __init__(
        self,
        *,
        path: String | ObjectStoragePath,
        kind: String | None = None,
        mime_type: String | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path: Any = path
        self.kind: Any = kind
        self.mime_type: Any = mime_type

    def execute(self, context: Context) -> str:
        from airflow_provider_d360.sending.media import upload_media

        with fail_at_once(self.d360_conn_id):
            check_single("path", self.path, operator=type(self).__name__)
            media_id = self.hook.run(upload_media, self.path, kind=self.kind, mime_type=self.mime_type)
        self.log.info("Uploaded: media id %s", media_id)
        return media_id


class D360DownloadMediaOperator(D360Operator):
    """
    Download a file that somebody sent, and return its path.

    The file is streamed under another name, compared with its SHA-256 and moved: ``path`` holds all of it or
    nothing. A failed download is not tried again within the task, because a number whose downloads fail too
    often is blocked for an hour: with ``retries``, give a ``retry_delay`` of minutes.

    :param media_id: The id, from a message that your webhook received; valid for 7 days. (templated)
    :param path: A local path or one that ``ObjectStoragePath`` takes. In an existing folder, or one that ends
        with ``/``, the file is named after the id. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("media_id", "path", "d360_conn_id")

    def __init__(
        self,
        *,
        media_id: String,
        path: String | ObjectStoragePath,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.media_id = media_id
        self.path: Any = path

    def execute(self, context: Context) -> str:
        from airflow_provider_d360.sending.media import download_media

        with fail_at_once(self.d360_conn_id):
            media_id = read_id("media_id", self.media_id, operator=type(self).__name__)
            check_single("path", self.path, operator=type(self).__name__)
            done = self.hook.run(download_media, media_id, self.path)
        self.log.info("Downloaded %s bytes of media %s", done.media.size, self.media_id)
        return done.path


class D360DeleteMediaOperator(D360Operator):
    """
    Delete an upload from 360dialog before it expires. Messages that were sent with it stay.

    :param media_id: The id of the upload. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("media_id", "d360_conn_id")

    def __init__(self, *, media_id: String, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.media_id = media_id

    def execute(self, context: Context) -> None:
        from airflow_provider_d360.api.endpoints.media import delete_media

        with fail_at_once(self.d360_conn_id):
            media_id = read_id("media_id", self.media_id, operator=type(self).__name__)
            self.hook.call(delete_media(self.hook.get_conn().settings.hosting, media_id))
        self.log.info("Deleted: media id %s", self.media_id)
