"""The secret of the store: the hash of a bare phone number would be found by trying all numbers."""

from __future__ import annotations

import hmac
import json
import secrets
from json.encoder import encode_basestring_ascii

from sqlalchemy import Column, Connection, Integer, String, Table, select

from airflow_provider_d360.store.database import Database, StoreUnavailableError
from airflow_provider_d360.store.migrations import METADATA
from airflow_provider_d360.store.rows import Insert

SECRET = Table(
    "d360_secret", METADATA, Column("id", Integer, primary_key=True), Column("value", String, nullable=False)
)

_INSERT = Insert(SECRET)
_VALUE = select(SECRET.c.value).where(SECRET.c.id == 1)
_HASH_LENGTH = 32


def keyed_hash(secret: bytes, *parts: object) -> str:
    """
    Hash values so that the same secret and values give the same hash, and the hash gives neither away.

    :param secret: Without it nobody can find the recipient of a hash by trying them all.
    :param parts: Anything that JSON can express; other things count by their text.
    """
    texts = [encode_basestring_ascii(part) for part in parts if isinstance(part, str)]
    if len(texts) == len(parts):  # the same in half of the time: campaigns hash by the million
        text = f"[{', '.join(texts)}]"
    else:
        text = json.dumps(parts, sort_keys=True, default=str)
    return hmac.digest(secret, text.encode("utf-8", "replace"), "sha256").hex()[:_HASH_LENGTH]


class Secret:
    """
    The secret of a store. It is read once.

    :param database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._value: str | None = None

    def hash(self, *parts: object) -> str:
        """
        Hash values under it.

        :param parts: Anything that JSON can express; other things count by their text.
        """
        value = self._value
        if value is None:
            value = self._value = self._database.read(_read) or self._database.write(_ensure)
        return keyed_hash(value.encode(), *parts)

    def check(self, connection: Connection) -> None:
        """
        Make sure that the store still has the secret that hashes were made with.

        Where only its table was dropped, it is written again. Under another secret no entry would be found,
        and what went out would go out again.

        :param connection: A connection in a transaction that writes.
        :raises StoreUnavailableError: The store was replaced by another one.
        """
        known = self._value
        if known is None or _ensure(connection, known) == known:
            return
        self._value = None
        raise StoreUnavailableError("The store was replaced by another one while it was used. Try again")


def _read(connection: Connection) -> str | None:
    return connection.execute(_VALUE).scalar()


def _ensure(connection: Connection, value: str | None = None) -> str:
    """Return the secret of the store. Write one first if there is none yet."""
    found = _read(connection)
    if found is not None:
        return found
    _INSERT.execute(connection, [{"id": 1, "value": value or secrets.token_hex(32)}])
    return str(connection.execute(_VALUE).scalar_one())
