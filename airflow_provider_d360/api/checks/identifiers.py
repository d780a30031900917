"""Ids that callers pass as arguments. An absent one would make another request of a request."""

from __future__ import annotations

from airflow_provider_d360.api.checks.values import absent
from airflow_provider_d360.api.errors import D360RequestError, ErrorDetail


def require_id(name: str, value: object, remedy: str) -> str:
    """
    Return an id that a caller passed.

    :param name: The argument's name, for the error.
    :param value: The argument.
    :param remedy: Where such an id comes from, as one sentence.
    :raises D360RequestError: when it is no string, empty, or what an absent value renders to.
    """
    if value is None or (isinstance(value, str) and (not value.strip() or absent(value))):
        title = f"{name} is missing: the value is {str(value or '').strip() or 'empty'}"
        raise D360RequestError(ErrorDetail(title, remedy))
    if not isinstance(value, str):
        raise D360RequestError(ErrorDetail(f"{name} must be a string, not {type(value).__name__}", remedy))
    return value
