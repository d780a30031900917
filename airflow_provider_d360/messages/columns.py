"""Columns: placeholders in a campaign's message for values that differ by person."""

from __future__ import annotations

import re

# Two characters for private use, which nobody types: braces would be rendered by Jinja.
_BEGIN, _END = "\ue360", "\ue361"
COLUMN = re.compile(f"{_BEGIN}([^{_BEGIN}{_END}]+){_END}")


def column(name: str) -> str:
    """
    Return a placeholder for the value of a column in the message of a campaign.

    It can replace a whole value (``body=[column("first_name")]``), a part of a text
    (``text("Hello " + column("first_name"))``), or the whole message (``message=column("message")``).

    :param name: The column of the audience.
    :raises ValueError: when the name is empty.
    """
    if not name.strip():
        raise ValueError("The name of a column is empty")
    return f"{_BEGIN}{name}{_END}"
