"""Pictures, video, audio, documents and stickers, by link or by the id of an upload."""

from __future__ import annotations

from typing import Literal, TypedDict


class Media(TypedDict, total=False):
    """Where the media is, by exactly one of ``id`` and ``link``, and how it is shown."""

    id: str
    link: str
    caption: str
    filename: str
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


def image(*, link: str | None = None, id: str | None = None, caption: str | None = None) -> ImageMessage:
    """
    Build an image message: JPEG or PNG, at most 5 MB.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches. A broken one is accepted and fails later.
    :param id: The id of uploaded media, instead of ``link``.
    :param caption: At most 1024 characters.
    """
    return {"type": "image", "image": _media("image", link, id, caption)}


def video(*, link: str | None = None, id: str | None = None, caption: str | None = None) -> VideoMessage:
    """
    Build a video message: MP4 or 3GP with H.264 and AAC, at most 16 MB.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    :param caption: At most 1024 characters.
    """
    return {"type": "video", "video": _media("video", link, id, caption)}


def audio(*, link: str | None = None, id: str | None = None, voice: bool = False) -> AudioMessage:
    """
    Build an audio message: AAC, AMR, MP3, M4A or Ogg with Opus, at most 16 MB. It has no caption.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    :param voice: Show it as a voice note. The file must be Ogg with Opus.
    """
    media = _media("audio", link, id)
    if voice:
        media["voice"] = voice
    return {"type": "audio", "audio": media}


def document(
    *,
    link: str | None = None,
    id: str | None = None,
    caption: str | None = None,
    filename: str | None = None,
) -> DocumentMessage:
    """
    Build a document message: any file, at most 100 MB.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    :param caption: At most 1024 characters.
    :param filename: What the recipient sees; its extension picks the icon. Without it, the end of the link
        is shown.
    """
    media = _media("document", link, id, caption)
    if filename is not None:
        media["filename"] = filename
    return {"type": "document", "document": media}


def sticker(*, link: str | None = None, id: str | None = None) -> StickerMessage:
    """
    Build a sticker message: WebP of 512 by 512 pixels, at most 100 KB, or 500 KB when animated.

    WhatsApp delivers it only within 24 hours of the recipient's last message to you.

    :param link: A public ``https`` address that WhatsApp fetches.
    :param id: The id of uploaded media, instead of ``link``.
    """
    return {"type": "sticker", "sticker": _media("sticker", link, id)}


def _media(kind: str, link: str | None, id: str | None, caption: str | None = None) -> Media:
    if (link is None) == (id is None):
        raise TypeError(f"{kind}() takes either link or id")
    media: Media = {}
    if id is not None:
        media["id"] = id
    if link is not None:
        media["link"] = link
    if caption is not None:
        media["caption"] = caption
    return media
