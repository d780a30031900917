"""Pictures, video, audio, documents and stickers: by link, by the id of an upload, or by a file's path."""

from __future__ import annotations

from typing import Literal, TypedDict

from airflow_provider_d360.messages.values import String


class Media(TypedDict, total=False):
    """The place of the media, by exactly one of ``id``, ``link`` and ``path``, and how it is shown."""

    id: String
    link: String
    path: String
    caption: String
    filename: String
    mime_type: String
    voice: bool


class ImageMessage(TypedDict):
    """An image message; as it is also an image header and an image parameter of a template."""

    type: Literal["image"]
    image: Media


class VideoMessage(TypedDict):
    """A video message; as it is also a video header and a video parameter of a template."""

    type: Literal["video"]
    video: Media


class AudioMessage(TypedDict):
    """An audio message."""

    type: Literal["audio"]
    audio: Media


class DocumentMessage(TypedDict):
    """A document message; as it is also a document header and a document parameter of a template."""

    type: Literal["document"]
    document: Media


class StickerMessage(TypedDict):
    """A sticker message."""

    type: Literal["sticker"]
    sticker: Media


def image(
    *,
    link: String | None = None,
    id: String | None = None,
    path: String | None = None,
    caption: String | None = None,
) -> ImageMessage:
    """
    Build an image message: JPEG or PNG, at most 5 MB.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches. A broken one is accepted and fails later.
    :param id: The id of uploaded media, instead of ``link``.
    :param path: A file to upload when the message is sent, instead of both: a local path, or one such as
        ``s3://aws_default@bucket/key``.
    :param caption: At most 1024 characters.
    :raises TypeError: when not exactly one of ``link``, ``id`` and ``path`` is given.
    """
    return {"type": "image", "image": _media("image", link, id, path, caption)}


def video(
    *,
    link: String | None = None,
    id: String | None = None,
    path: String | None = None,
    caption: String | None = None,
) -> VideoMessage:
    """
    Build a video message: MP4 or 3GP with H.264 and AAC, at most 16 MB.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    :param path: A file to upload when the message is sent, instead of both: a local path, or one such as
        ``s3://aws_default@bucket/key``.
    :param caption: At most 1024 characters.
    :raises TypeError: when not exactly one of ``link``, ``id`` and ``path`` is given.
    """
    return {"type": "video", "video": _media("video", link, id, path, caption)}


def audio(
    *, link: String | None = None, id: String | None = None, path: String | None = None, voice: bool = False
) -> AudioMessage:
    """
    Build an audio message: AAC, AMR, MP3, M4A or Ogg with Opus, at most 16 MB. It has no caption.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    :param path: A file to upload when the message is sent, instead of both: a local path, or one such as
        ``s3://aws_default@bucket/key``.
    :param voice: Show it as a voice note. The file must be Ogg with Opus.
    """
    media = _media("audio", link, id, path)
    if voice is not False:
        media["voice"] = voice
    return {"type": "audio", "audio": media}


def document(
    *,
    link: String | None = None,
    id: String | None = None,
    path: String | None = None,
    caption: String | None = None,
    filename: String | None = None,
    mime_type: String | None = None,
) -> DocumentMessage:
    """
    Build a document message of at most 100 MB: PDF, plain text, Word, Excel or PowerPoint; by link any file.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    :param path: A file to upload when the message is sent, instead of both: a local path, or one such as
        ``s3://aws_default@bucket/key``.
    :param caption: At most 1024 characters.
    :param filename: The name that the recipient sees; its extension selects the icon. Without it, it is the
        last part of the link or the path. A document of a template needs it beside ``id``.
    :param mime_type: The type of the file at ``path``, if its first bytes and its name do not tell it:
        ``text/plain`` for a CSV file, which WhatsApp's upload does not take by its own type.
    :raises TypeError: when not exactly one of ``link``, ``id`` and ``path`` is given, or ``mime_type``
        without ``path``.
    """
    media = _media("document", link, id, path, caption)
    if filename is not None:
        media["filename"] = filename
    if mime_type is not None:
        if path is None:
            raise TypeError("document() takes mime_type only with path")
        media["mime_type"] = mime_type
    return {"type": "document", "document": media}


def sticker(
    *, link: String | None = None, id: String | None = None, path: String | None = None
) -> StickerMessage:
    """
    Build a sticker message: WebP of 512 by 512 pixels, at most 100 KB, or 500 KB when animated.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    :param path: A file to upload when the message is sent, instead of both: a local path, or one such as
        ``s3://aws_default@bucket/key``.
    """
    return {"type": "sticker", "sticker": _media("sticker", link, id, path)}


def _media(
    kind: str, link: String | None, id: String | None, path: String | None, caption: String | None = None
) -> Media:
    if sum(place is not None for place in (link, id, path)) != 1:
        raise TypeError(f"{kind}() takes one of link, id and path")
    media: Media = {}
    if id is not None:
        media["id"] = id
    if link is not None:
        media["link"] = link
    if path is not None:
        media["path"] = path
    if caption is not None:
        media["caption"] = caption
    return media
