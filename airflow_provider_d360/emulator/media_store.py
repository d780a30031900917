"""The in-memory store of media and of samples for templates."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoredMedia:
    """
    One file.

    :param media_id: Its id.
    :param mime_type: The MIME type that the uploader stated.
    :param content: Its bytes.
    :param filename: Its name; empty when none was stated.
    :param key: The API key of the number that it belongs to.
    """

    media_id: str
    mime_type: str
    content: bytes = field(repr=False)
    filename: str = ""
    key: str = ""

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


class MediaStore:
    """
    Media and samples in memory.

    :ivar clock: Returns the time that download URLs expire by, in seconds since 1970.
    :ivar stored: The files by id.
    :ivar uploads: The announced sizes of samples in bytes, by upload id.
    :param key: The API key that a file belongs to when :meth:`add` names none.
    """

    def __init__(self, key: str) -> None:
        self.clock: Callable[[], float] = time.time
        self.stored: dict[str, StoredMedia] = {}
        self.uploads: dict[str, int] = {}
        self._key, self._secret = key, secrets.token_bytes(16)

    def add(
        self,
        content: bytes,
        mime_type: str,
        *,
        media_id: str | None = None,
        filename: str = "",
        key: str | None = None,
    ) -> str:
        """
        Store a file, as if it had been uploaded or received, and return its id.

        :param content: Its bytes.
        :param mime_type: Its MIME type; it is not checked.
        :param media_id: Its id; a new one when it is ``None``.
        :param filename: Its name.
        :param key: The API key of the number that it belongs to; the first number when it is ``None``.
        """
        known = media_id or str(10**15 + secrets.randbelow(10**15))
        self.stored[known] = StoredMedia(known, mime_type, content, filename, key or self._key)
        return known

    def sign(self, media: StoredMedia, expires: int) -> str:
        """
        Write the query of a download URL. Its last characters break when a client re-encodes percent signs.

        :param media: The file.
        :param expires: When the URL expires, in seconds since 1970.
        """
        signed = f"{media.media_id} {expires} {media.key}".encode()
        digest = hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
        return f"mid={media.media_id}&ext={expires}&hash=ATv{digest[:20]}%2f%7E~=="
