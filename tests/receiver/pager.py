"""A notifier of another service, as `[d360] notice_notifier` may name one: it writes to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class Pager(BaseNotifier):
    """
    Appends a text to a file.

    :param path: The file. A folder in its place makes it fail.
    :param text: The text.
    """

    template_fields: Sequence[str] = ("text",)

    def __init__(self, path: str, text: str) -> None:
        super().__init__()
        self.path, self.text = path, text

    def notify(self, context: Any) -> None:
        with Path(self.path).open("a") as file:
            file.write(self.text + "\n")
