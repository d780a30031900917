"""How a number, a message, an id and a foreign text look where people or programs may read them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, pairwise

from airflow_provider_d360.api.shapes import MESSAGE, Leaf, Shape, inside, leaves
from airflow_provider_d360.api.vocabulary import WORDS

# Runs of digits as people write numbers: long enough for a phone number, too long for an error code.
_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:\+|00)?[0-9](?:[ ().\-/]{0,2}[0-9]){6,}(?![0-9A-Za-z])")
_SCOPED_ID = re.compile(r"\b[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{4,}\b")
# On-premise, the third and fourth characters say how many digits follow, as packed decimals.
_MESSAGE_ID = re.compile(r"\b(?:wamid\.|gB[EG][B-I])[A-Za-z0-9+/=_\-]{4,}")

_CODE = re.compile(r"[0-9]+|[0-9A-Fa-f]{1,2}")  # of a character, in decimal or in hex
_WORD = re.compile(r"[^\W_]+|[^\x00-\x7f]")
_MARKS = frozenset("…\u2013\u2014\u2018\u2019\u201c\u201d")
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,512}\Z")

_FILE_REMEDIES: dict[type[OSError], str] = {
    FileNotFoundError: "Check the path on the machine that runs the task. A file that was written on another "
    "machine belongs into an object storage, such as s3://….",
    IsADirectoryError: "The path is a folder: name a file in it.",
    NotADirectoryError: "A part of the path is a file: correct the path.",
    PermissionError: "Let the user that runs the task read the file, or write to the folder.",
}

_SHORT = 2  # a value of one or two characters is not a secret
_FEW_WORDS = 3  # a value of so few words is a name rather than a text
_CODE_DIGITS = 6  # an error code has at most so many
_PART_DIGITS = 4  # so many digits of a number give it away
_MOST_NUMBERS = 3  # in a row; more may be the codes of characters
_MOST_NUMBERS_IN_ALL = 10  # likewise, with whatever between them
_ESCAPES = (
    "%",
    "\\",
    "&#",
    ";#",
    "u{",
    "x{",
    "U+",
    "chr(",
    "char(",
    "CHAR(",
    "CHR(",
)  # before a number that is the code of a character
_PART_CHARACTERS = 4  # so many characters of a value give it away inside an id


def mask_number(number: object) -> str:
    """
    Show a recipient by the first and last two characters: ``49…89``.

    :param number: A phone number in any writing, or a user id. One of four characters or fewer is shown as
        ``…``.
    """
    text = str(number)
    if not text.isalnum():
        text = "".join(ch for ch in text if ch.isalnum() or ch == ".")
    return f"{text[:2]}…{text[-2:]}" if len(text) > 2 * _SHORT else "…"


def short_id(message_id: object) -> str:
    """
    Show a message by the start of a hash of its id: ``m3f9a1c2e5b7d9f01``.

    WhatsApp's ids hold the recipient's number in Base64, so a part of one is no help. The id itself ends in
    random characters, so nobody can find a hash's number by trying them all. The store finds messages by
    this form.

    :param message_id: The id that 360dialog gave the message.
    """
    return "m" + hashlib.sha256(str(message_id).encode("utf-8", "replace")).hexdigest()[:16]


def scrub(text: str, private: Iterable[str] = ()) -> str:
    """
    Remove given strings, and everything that looks like a recipient or a message id, from a text of our own.

    For a text that comes from elsewhere, use :func:`readable`.

    :param text: The text.
    :param private: Strings to remove.
    """
    for secret in sorted(filter(None, private), key=len, reverse=True):
        text = text.replace(secret, "…")
    text = _MESSAGE_ID.sub(lambda match: short_id(match[0]), text)
    text = _SCOPED_ID.sub(lambda match: mask_number(match[0]), text)
    return _NUMBER.sub(lambda match: mask_number(match[0]), text)


def readable(text: str, private: Collection[str] = (), public: Iterable[str] = ()) -> str:
    """
    Keep only known words of error texts in a foreign text; replace the rest by ``…``.

    Such a text may quote what is private in part, cut off, spaced otherwise or in any encoding. Known words
    are hidden as well where they quote ``private``: any word of a short value, and two words in a row of a
    long one, in either order. So are numbers that may be the codes of characters.

    :param text: The text of a response or of another library's exception.
    :param private: Strings that the text may quote.
    :param public: More words that may be shown, such as the name of a template.
    """
    quoted = _Quotes(private)
    known = frozenset(word for one in public for word in _words(one))
    text = _NUMBER.sub(lambda match: mask_number(match[0]), text)
    matches = list(_WORD.finditer(text))
    words = [match[0].casefold() for match in matches]
    hidden = quoted.in_words(words) | _character_codes(text, matches)
    hidden |= {index for index, word in enumerate(words) if not (_is_known(word) or word in known)}
    shown, end = "", 0
    for index, match in enumerate(matches):
        if index not in hidden:
            shown += text[end : match.start()] + match[0]
        elif index - 1 not in hidden:
            shown += text[end : match.start()] + "…"
        end = match.end()
    return _ascii(shown + text[end:])


def quotes(identifier: str, private: Iterable[str]) -> bool:
    """
    Tell whether an id from elsewhere has a part in common with a private string, as text, Base64 or hex.

    :param identifier: The id.
    :param private: Strings that it may quote. Of those with fewer than four letters and digits, the whole.
    """
    texts = list(map(_folded, decodings(identifier)))
    parts = {
        text[at : at + _PART_CHARACTERS] for text in texts for at in range(len(text) - _PART_CHARACTERS + 1)
    }
    for secret in map(_folded, private):
        if len(secret) >= _PART_CHARACTERS:
            if any(part in secret for part in parts):
                return True
        elif len(secret) > _SHORT and any(secret in text for text in texts):
            return True
    return False


def decodings(identifier: str) -> Iterator[str]:
    """
    List the readings of an id: the id itself, and its content decoded from Base64 (either alphabet) or hex.

    :param identifier: The id. Base64 may begin at any of its characters.
    """
    yield identifier
    with suppress(ValueError):
        yield bytes.fromhex(identifier).decode("latin-1")
    digits = identifier.replace("-", "+").replace("_", "/").rstrip("=")
    for start in range(4):
        part = digits[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        with suppress(ValueError):
            yield b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace")


def explain(problem: BaseException, public: Iterable[str] = ()) -> str:
    """
    Describe an exception of another library by its class and the readable part of its text.

    :param problem: The exception.
    :param public: More words that may be shown.
    """
    kind = type(problem).__name__
    text = " ".join(readable(_text(problem), public=public).split())
    return f"{kind}: {text}" if any(ch.isalpha() for ch in text) else kind


def file_error(problem: Exception) -> OSError:
    """
    Copy an exception of a file or of an object storage without its path, which may hold a name or a login.

    Built-in classes such as ``FileNotFoundError`` are kept, every other becomes ``OSError``.

    :param problem: The exception.
    """
    text = explain(problem)
    if isinstance(problem, OSError) and type(problem).__module__ == "builtins":
        text = readable(problem.strerror or "") or text
        remedy = _FILE_REMEDIES.get(type(problem))
        return type(problem)(f"{text}. {remedy}" if remedy else text)
    return OSError(text)


def private_strings(message: object) -> frozenset[str]:
    """
    Collect what a message says to or about a person. A value of one or two characters is not a secret.

    :param message: A message with or without its recipient, a part of one, or a list of any of them.
    """
    return frozenset(
        text for leaf, text in leaves(message, MESSAGE) if leaf is not Leaf.WORD and len(text) > _SHORT
    )


def public_strings(message: object) -> frozenset[str]:
    """
    Collect the keywords of WhatsApp's API in a message, and the name of its template.

    :param message: As in :func:`private_strings`.
    """
    return frozenset(text for leaf, text in leaves(message, MESSAGE) if leaf is Leaf.WORD)


def conceal(message: object, shape: Shape = MESSAGE) -> object:
    """
    Copy a message with its form intact, and each private value replaced by its length.

    :param message: The message, rendered.
    :param shape: Which positions are not private. ``Leaf.PRIVATE`` conceals everything.
    """
    if message is None:
        return None
    if isinstance(message, Mapping):
        if shape is Leaf.PRIVATE:
            return _count(len(message), "entry", "entries")
        return {_concealed_key(key): conceal(item, inside(shape, key)) for key, item in message.items()}
    if isinstance(message, list | tuple):
        return [conceal(item, shape) for item in message]
    if shape is Leaf.WORD and (isinstance(message, bool | int) or _NAME.match(str(message))):
        return message
    return _count(len(str(message)), "character", "characters")


class _Quotes:
    """
    Finds quotations of private strings among the words of a text.

    :param private: The private strings.
    """

    def __init__(self, private: Iterable[str]) -> None:
        self._words: set[str] = set()
        self._pairs: set[tuple[str, str]] = set()
        self._digits: set[str] = set()
        for value in private:
            words = list(_words(value))
            self._pairs |= set(pairwise(words)) | set(pairwise(reversed(words)))
            digits = "".join(word for word in words if word.isdecimal())
            self._digits |= {digits, digits[::-1]}
            if len(words) == 1:
                self._words.add(words[0])
            elif len(words) <= _FEW_WORDS:
                self._words |= {word for word in words if len(word) > _FEW_WORDS}

    def in_words(self, words: list[str]) -> set[int]:
        """
        Return the places of all words that are quoted.

        :param words: The words of the text in lower case.
        """
        positions = {index for index, word in enumerate(words) if word in self._words}
        for index, pair in enumerate(pairwise(words)):
            if pair in self._pairs:
                positions |= {index, index + 1}
        digits = [(digit, index) for index, word in enumerate(words) if word.isdecimal() for digit in word]
        for start in range(len(digits) - _PART_DIGITS + 1):
            part, indexes = zip(*digits[start : start + _PART_DIGITS], strict=True)
            if any("".join(part) in number for number in self._digits):
                positions |= set(indexes)
        return positions


def _character_codes(text: str, found: Sequence[re.Match[str]]) -> set[int]:
    """Return the places of numbers that may be the codes of characters: escaped, or many."""
    every_number = [index for index, match in enumerate(found) if match[0].isdecimal()]
    # The first is the error's own code.
    hidden = set(every_number[1:]) if len(every_number) > _MOST_NUMBERS_IN_ALL else set()
    for are_numbers, run in groupby(enumerate(found), lambda item: bool(_CODE.fullmatch(item[1][0]))):
        numbers = list(run) if are_numbers else []
        is_long = len(numbers) > _MOST_NUMBERS
        hidden |= {index for index, match in numbers if is_long or text.endswith(_ESCAPES, 0, match.start())}
    return hidden


def _words(text: str) -> Iterable[str]:
    return (match[0].casefold() for match in _WORD.finditer(text))


def _folded(text: str) -> str:
    """Reduce a text to its letters and digits in lower case, without accents and widths."""
    return "".join(ch for ch in unicodedata.normalize("NFKD", text).casefold() if ch.isalnum())


def _is_known(word: str) -> bool:
    if word.isdecimal():
        return word.isascii() and len(word) <= _CODE_DIGITS
    return word in WORDS or word in _KEYS or word in _MARKS


def _ascii(text: str) -> str:
    """Drop what no word holds and no known error text has: control characters, and signs outside of ASCII."""
    return "".join(ch for ch in text if ch.isascii() or ch in _MARKS)


def _text(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception:  # noqa: BLE001 - the exception's class may be anybody's code
        return ""


def _concealed_key(key: object) -> object:
    """Return a key that is a keyword or in the vocabulary; of any other key, only the length."""
    words = list(_words(str(key)))
    is_known = words and all(_is_known(word) and not word.isdecimal() for word in words)
    return key if is_known else _count(len(str(key)), "character", "characters")


def _count(number: int, one: str, many: str) -> str:
    return f"({number} {one if number == 1 else many})"


def _keys(shape: Shape) -> set[str]:
    if not isinstance(shape, Mapping):
        return set()
    inner = set().union(*map(_keys, shape.values()))
    return inner | {word for key in shape for word in _words(key)}


_KEYS = frozenset(_keys(MESSAGE))
