"""Operators that carry files to 360dialog and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_d360.operators.connected import ConnectedOperator
from airflow_provider_d360.operators.failures import fail_at_once

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath


class D360UploadMediaOperator(ConnectedOperator):
    """
    Upload a file and return its id, to be sent as often as you like for 30 days.

    To upload and send in one task, name the file in the message: ``document(path=…)``. The file is streamed;
    its type and its size are checked before a byte of it is sent.

    :param path: A local path or one that ``ObjectStoragePath`` takes: ``s3://aws_default@bucket/key``.
        (templated)
    :param kind: What it shall be sent as: ``image``, ``sticker``, ``audio``, ``video`` or ``document``.
        Without it, the kind goes by the type. (templated)
    :param mime_type: What it is. Without it, the first bytes and the name tell. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("path", "kind", "mime_type", "d360_conn_id")

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath,
        kind: str | None = None,
        mime_type: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.kind = kind
        self.mime_type = mime_type

    def execute(self, context: Context) -> str:
        from airflow_provider_d360.hooks.media import upload_media

        with fail_at_once(self.d360_conn_id):
            media_id = upload_media(self.hook.get_conn(), self.path, kind=self.kind, mime_type=self.mime_type)
        self.log.info("Uploaded: media id %s", media_id)
        return media_id


class D360DownloadMediaOperator(ConnectedOperator):
    """
    Download what somebody sent, and return where it is.

    The file is streamed under another name, checked against its SHA-256 and moved: under ``path`` there is
    all of it or nothing. A failed download is not tried again within the task, because a number whose
    downloads fail too often is barred from them for an hour: with ``retries``, give a ``retry_delay`` of
    minutes.

    :param media_id: The id, from a message that your webhook received. Good for 7 days. (templated)
    :param path: A local path or one that ``ObjectStoragePath`` takes. An existing folder, or what ends with
        ``/``, gets a file named after the id. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("media_id", "path", "d360_conn_id")

    def __init__(
        self,
        *,
        media_id: str,
        path: str | ObjectStoragePath,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.media_id = media_id
        self.path = path

    def execute(self, context: Context) -> str:
        from airflow_provider_d360.hooks.media import download_media

        with fail_at_once(self.d360_conn_id):
            done = download_media(self.hook.get_conn(), self.media_id, self.path)
        self.log.info("Downloaded %s bytes of media %s", done.media.size, self.media_id)
        return done.path


class D360DeleteMediaOperator(ConnectedOperator):
    """
    Delete a file from 360dialog before its time. What was sent with it is not touched.

    :param media_id: The id. (templated)
    :param d360_conn_id: The 360dialog connection. (templated)
    """

    template_fields: Sequence[str] = ("media_id", "d360_conn_id")

    def __init__(self, *, media_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.media_id = media_id

    def execute(self, context: Context) -> None:
        from airflow_provider_d360.api.media import delete_media

        with fail_at_once(self.d360_conn_id):
            self.hook.call(delete_media(self.hook.get_conn().account.hosting, self.media_id))
        self.log.info("Deleted: media id %s", self.media_id)
