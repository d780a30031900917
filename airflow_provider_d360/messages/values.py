"""The types of values in a message: known at once, or returned by another task."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Protocol, TypeAlias


class TaskOutput(Protocol):
    """
    What another task returns: ``upload.output``, or what a ``@task`` function returns in a DAG file.

    Airflow's ``XComArg`` is one. Airflow puts the value in its place before the message is read.
    """

    def iter_references(self) -> Iterable[Any]: ...


String: TypeAlias = "str | TaskOutput"
Number: TypeAlias = "int | float | Decimal"
