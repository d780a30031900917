"""The content of received messages, and filters for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_d360.api.reading import mapping, text

LONGEST_MATCHED = 1000  # a pattern sees so many characters: a text may be made to keep it busy
_LONGEST_PATTERN = 200
_LONGEST_NAME = 200
TAPS = ("interactive", "button")  # types of messages that a tap on a button or a list row makes
_MEDIA = ("image", "video", "audio", "voice", "document", "sticker")
_REPLIES = ("button_reply", "list_reply")


@dataclass(frozen=True, slots=True)
class Content:
    """
    The content of a received message.

    :param text: What the person wrote: a text, the caption of a file, or the title of a button.
    :param payload: The id of a button or list row that was tapped.
    :param media_id: The id of a file.
    :param mime_type: The type of the file, as WhatsApp states it.
    :param filename: The name of the file, as its sender states it, without directories.
    """

    text: str | None = field(default=None, repr=False)
    payload: str | None = field(default=None, repr=False)
    media_id: str | None = None
    mime_type: str | None = None
    filename: str | None = field(default=None, repr=False)


def read_content(kind: str, raw: object) -> Content:
    """
    Read the content of a message, whatever it holds.

    :param kind: The type of the message: ``text``, ``interactive``, ``image``…
    :param raw: The message as it came.
    """
    body = mapping(mapping(raw).get(kind))
    if kind == "interactive":
        reply = next((mapping(body[name]) for name in _REPLIES if name in body), mapping(None))
        return Content(text(reply.get("title")), text(reply.get("id")))
    if kind == "button":
        return Content(text(body.get("text")), text(body.get("payload")))
    if kind in _MEDIA:
        return Content(
            text(body.get("caption")),
            media_id=text(body.get("id")),
            mime_type=text(body.get("mime_type")),
            filename=_file_name(text(body.get("filename"))),
        )
    return Content(text(body.get("body")) if kind == "text" else None)


@dataclass(frozen=True, slots=True)
class Filter:
    """
    Selects messages: a message must meet every given condition.

    :param numbers: Our numbers, in digits, or their ids, to which the messages are sent.
    :param kinds: Types of messages: ``text``, ``image``, ``interactive``…
    :param keywords: First words of texts, in whatever case; each is one word without punctuation.
    :param pattern: A regular expression that is searched for in the first 1,000 characters of a text, in
        whatever case; at most 200 characters long.
    :param button_prefix: How the ids of buttons begin that were tapped.
    :param senders: Who may write: numbers in digits, or user ids.
    :raises ValueError: The pattern is empty, too long, or no regular expression; the prefix is empty; a
        list is not a list, or holds a value that no message can have.
    """

    numbers: Sequence[str] = ()
    kinds: Sequence[str] = ()
    keywords: Sequence[str] = ()
    pattern: str | None = None
    button_prefix: str | None = None
    senders: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("numbers", "kinds", "keywords"):
            object.__setattr__(self, name, _words(name, getattr(self, name)))
        if not all(map(_digits, self.numbers)):
            raise ValueError("numbers holds a text without digits")
        for word in self.keywords:
            if keyword_of(word) != word.casefold():
                raise ValueError(
                    f"keywords holds {word!r}, but a text begins with one word, without punctuation. For "
                    "anything else there is pattern."
                )
        if self.pattern is not None:
            check_pattern(self.pattern)
        if self.button_prefix == "":
            raise ValueError("button_prefix is empty, and would hold for every message: leave it out")

    def wants(
        self,
        kind: str,
        content: Content,
        number: str | None = None,
        senders: Sequence[str | None] = (),
    ) -> bool:
        """
        Return whether a message meets the conditions.

        :param kind: The type of the message.
        :param content: Its content.
        :param number: Our number, to which it was sent.
        :param senders: The number and the user id of its sender.
        """
        written = content.text or ""
        return (
            (not self.numbers or _digits(number) in map(_digits, self.numbers))
            and (not self.kinds or kind in self.kinds)
            and (not self.keywords or keyword_of(written) in {word.casefold() for word in self.keywords})
            and (self.pattern is None or matches(self.pattern, written))
            and (self.button_prefix is None or (content.payload or "").startswith(self.button_prefix))
            and (self.senders is None or not {*self.senders}.isdisjoint(filter(None, senders)))
        )


def _words(name: str, value: object) -> tuple[str, ...]:
    """Read a list of texts. A single text is refused: it would be read as a list of its letters."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    words = tuple(value) if is_list and isinstance(value, Sequence) else ()
    if not is_list or not all(isinstance(word, str) and word.strip() for word in words):
        raise ValueError(f"{name} can be a list of texts")
    return words


def keyword_of(written: str) -> str:
    """
    Return the first word of a text in lower case, without punctuation; an empty string without a word.

    :param written: The text.
    """
    words = re.findall(r"[^\W_]+(?:[-'][^\W_]+)*", written[:LONGEST_MATCHED])
    return words[0].casefold() if words else ""


def check_pattern(pattern: str) -> None:
    """
    Check a regular expression.

    :param pattern: The expression.
    :raises ValueError: It is empty, longer than 200 characters, or none.
    """
    if not pattern:
        raise ValueError("The pattern is empty: leave it out")
    if len(pattern) > _LONGEST_PATTERN:
        raise ValueError(f"The pattern has {len(pattern)} characters, and can have {_LONGEST_PATTERN}")
    try:
        re.compile(pattern)
    except re.error as error:
        problem = f"The pattern is no regular expression: {error.msg} at position {error.pos}"
    except OverflowError as error:
        problem = f"The pattern is no regular expression: {error}"
    else:
        return
    raise ValueError(problem)


def matches(pattern: str, written: str) -> bool:
    """
    Return whether a pattern is found in the first 1,000 characters of a text, in whatever case.

    :param pattern: A regular expression.
    :param written: The text.
    """
    return re.search(pattern, written[:LONGEST_MATCHED], re.IGNORECASE) is not None


def _digits(number: str | None) -> str:
    return "".join(filter(str.isdigit, number or ""))


def _file_name(name: str | None) -> str | None:
    """Return the last part of a name, without what file systems reject; None if nothing is left."""
    if name is None:
        return None
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(char for char in last if char.isprintable()).strip(" .")
    return printable[-_LONGEST_NAME:] or None
