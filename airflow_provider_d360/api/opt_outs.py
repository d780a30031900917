"""Opt-outs: which events mean that a person wants no more messages, or wants them again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from airflow_provider_d360.api.codes import by_code
from airflow_provider_d360.api.errors import Condition
from airflow_provider_d360.api.events import Event, MessageEvent, StatusEvent
from airflow_provider_d360.api.preferences import PreferenceEvent
from airflow_provider_d360.api.reading import child, text

# Whole messages, and buttons of templates. "Stop promotions" is the text of Meta's own opt-out button.
STOP_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "en": ("stop", "stop all", "stopall", "unsubscribe", "opt out", "optout", "stop promotions"),
        "de": ("stopp", "abmelden", "abbestellen", "austragen"),
        "es": ("baja", "parar", "cancelar suscripción", "detener promociones"),
        "fr": ("arrêt", "arrêter", "désabonner", "se désabonner"),
        "it": ("disiscrivimi", "cancellami", "annulla iscrizione"),
        "nl": ("afmelden", "uitschrijven"),
        "pl": ("rezygnuję", "wypisz"),
        "pt": ("sair", "descadastrar", "cancelar inscrição", "parar promoções"),
        "tr": ("iptal", "abonelikten cik"),
    }
)
START_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "en": ("start", "unstop", "subscribe", "opt in", "optin"),
        "de": ("anmelden",),
        "es": ("alta", "suscribir"),
        "fr": ("s'abonner",),
        "it": ("iscrivimi",),
        "nl": ("aanmelden",),
        "pl": ("zapisz",),
        "pt": ("inscrever",),
        "tr": ("abone ol",),
    }
)

_LONGEST_WORD = 40
_SAME = str.maketrans({"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{LATIN SMALL LETTER DOTLESS I}": "i"})
_BETWEEN = re.compile(r"[^\w']+")


@dataclass(frozen=True, slots=True)
class Keywords:
    """
    The words by which people opt out and in.

    :param stop: A message that is one of these opts out; normalized by :func:`normalized`.
    :param start: One of these lifts that.
    :param stops_everything: Whether a stop word is about all messages; if not, about marketing.
    """

    stop: frozenset[str]
    start: frozenset[str]
    stops_everything: bool = False


@dataclass(frozen=True, slots=True)
class OptOut:
    """
    A person's wish.

    :param recipients: The person's number and user id, whatever is known.
    :param stops: Whether it is an opt-out; if not, one that lifts it.
    :param everything: Whether it is about all messages; if not, about marketing.
    :param source: ``user_preferences``, ``131050`` or ``keyword``.
    :param word: The word that the person wrote.
    :param at: When, in Unix seconds; ``None`` when not stated.
    """

    recipients: tuple[str, ...] = field(repr=False)
    stops: bool
    everything: bool
    source: str
    word: str | None
    at: float | None


def normalized(word: str) -> str:
    """
    Return a word as it is compared: without case, accents and punctuation.

    :param word: A word or several.
    """
    letters = word.casefold()
    if not letters.isascii():
        decomposed = unicodedata.normalize("NFKD", letters)
        letters = "".join(ch for ch in decomposed if not unicodedata.combining(ch))
    return _BETWEEN.sub(" ", letters.translate(_SAME)).strip()


def keywords(stop: Iterable[str], start: Iterable[str], *, stops_everything: bool = False) -> Keywords:
    """
    Make keywords of words in any spelling. Empty ones do not count.

    :param stop: Words that opt out.
    :param start: Words that lift that.
    :param stops_everything: Whether a stop word is about all messages.
    """
    stops, starts = (frozenset(filter(None, map(normalized, words))) for words in (stop, start))
    return Keywords(stops, starts, stops_everything)


DEFAULT_KEYWORDS = keywords(
    (word for words in STOP_WORDS.values() for word in words),
    (word for words in START_WORDS.values() for word in words),
)


def read_opt_outs(events: Iterable[Event], words: Keywords) -> Iterator[OptOut]:
    """
    Yield the wishes that events express.

    :param events: Any events.
    :param words: The words by which people opt out and in.
    """
    for event in events:
        if isinstance(event, StatusEvent):
            if event.failure is not None and is_opt_out(event.failure.code, on_premise=event.on_premise):
                people = _known(event.recipient_id, event.recipient_user_id)
                yield OptOut(people, True, False, "131050", None, event.at)
        elif isinstance(event, PreferenceEvent):
            people = _known(event.recipient, event.user_id)
            yield OptOut(people, event.stops, False, "user_preferences", None, event.at)
        elif isinstance(event, MessageEvent):
            word = _word(event)
            if word in words.stop:
                people = _known(event.sender, event.sender_user_id)
                yield OptOut(people, True, words.stops_everything, "keyword", word, event.at)
            elif word in words.start:
                people = _known(event.sender, event.sender_user_id)
                yield OptOut(people, False, True, "keyword", word, event.at)


def is_opt_out(code: int | None, *, on_premise: bool) -> bool:
    """
    Return whether an error says that the person stopped marketing messages.

    :param code: The code of the error.
    :param on_premise: Whether the on-premise API states it.
    """
    meaning = by_code(code, on_premise=on_premise)
    return meaning is not None and meaning.condition is Condition.OPTED_OUT


def _known(*recipients: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in recipients if one))


def _word(event: MessageEvent) -> str | None:
    """Return the text of a short message, or of the template's button that was tapped, for comparing."""
    if event.type == "text":
        body = text(child(event.raw, "text").get("body"))
    elif event.type == "button":
        body = text(child(event.raw, "button").get("text"))
    else:
        return None
    return normalized(body) if body is not None and len(body) <= _LONGEST_WORD else None
