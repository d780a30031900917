"""
The payload of a button: which question, which choice, and a proof that it was made for this person.

Nobody can guess one, and nobody else can use it: the proof is an HMAC of all three under the store's secret.
It is the same at a retry. That it is used once, and in time, the question's row decides.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NamedTuple

PREFIX = "d360q"

Hash = Callable[..., str]  # hashes values under the secret of the store


class Payload(NamedTuple):
    """
    A payload that was read. It proves nothing yet.

    :param question_id: The question.
    :param choice: The place of the choice, from 0.
    :param proof: What :func:`is_genuine` compares.
    """

    question_id: str
    choice: int
    proof: str


def write_payload(hash_: Hash, question_id: str, person_hash: str, choice: int) -> str:
    """
    Write the payload of one button for one person.

    :param hash_: Hashes values under the secret of the store.
    :param question_id: The question.
    :param person_hash: The hash of the person.
    :param choice: The place of the choice, from 0.
    """
    return f"{PREFIX}:{question_id}:{choice}:{_proof(hash_, question_id, person_hash, choice)}"


def read_payload(text: str | None) -> Payload | None:
    """
    Read a payload; None if it is not one of ours.

    :param text: The id of the button that was tapped.
    """
    parts = (text or "").split(":")
    if len(parts) != 4 or parts[0] != PREFIX or not parts[2].isascii() or not parts[2].isdecimal():
        return None
    return Payload(parts[1], int(parts[2][:4]), parts[3])


def is_genuine(hash_: Hash, payload: Payload, person_hash: str) -> bool:
    """
    Return whether a payload was made for this person by this store.

    :param hash_: Hashes values under the secret of the store.
    :param payload: The payload.
    :param person_hash: The hash of the person who tapped.
    """
    proof = _proof(hash_, payload.question_id, person_hash, payload.choice)
    return hmac.compare_digest(proof.encode(), payload.proof.encode("utf-8", "replace"))


def _proof(hash_: Hash, question_id: str, person_hash: str, choice: int) -> str:
    return hash_("payload", question_id, person_hash, choice)
