"""How Sphinx builds this documentation: ``make docs``."""

from __future__ import annotations

import importlib.metadata as packages
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_d360 import cli
from airflow_provider_d360.api import codes
from airflow_provider_d360.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[1]
# From the one place in pyproject.toml, by way of the metadata of the package.
URLS = dict(
    url.split(", ", 1) for url in packages.metadata("airflow-provider-d360").get_all("Project-URL") or ()
)

project = "airflow-provider-d360"
author = "the authors of airflow-provider-d360"
release = packages.version("airflow-provider-d360")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
html_theme = "furo"
html_title = f"airflow-provider-d360 {release}"
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", URLS["Documentation"])
html_copy_source = False

myst_heading_anchors = 3  # links such as alerting.md#no-floods work as they do in the repository
highlight_language = "text"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # :param: says more, and the types of message builders fill half a page
autodoc_default_options = {"members": True, "exclude-members": "store, without_secrets"}


def _options() -> str:
    """Return the table of all options of the section ``[d360]``."""
    rows = [
        f"| `{name}` | {_code(option['default'])} | {option['description']} |"
        for name, option in get_provider_info()["config"]["d360"]["options"].items()
    ]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def _connection() -> str:
    """Return the table of the fields of a connection besides key and host."""
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    rows = [
        f"| `{name}` | {field['label']} | {_code(field['schema'].get('default'))} | {field['description']} |"
        for name, field in fields.items()
    ]
    return "\n".join(["| extra | in the form | default | meaning |", "|---|---|---|---|", *rows])


def _commands() -> str:
    """Return a section for each command, with its arguments."""
    sections = []
    for command in cli._COMMANDS:
        rows = [
            f"| `{' '.join(filter(None, [flag, options.get('metavar')]))}` | {options['help']} |"
            for flag, options in command.arguments.items()
        ]
        epilog = f"\n```text\n{command.epilog.strip()}\n```\n" if command.epilog else ""
        table = "\n".join(["| argument | meaning |", "|---|---|", *rows])
        sections.append(f"## {command.name}\n\n{command.help.rstrip('.')}.\n\n{table}\n{epilog}")
    return "\n".join(sections)


def _codes(meanings: dict[int, codes.Meaning]) -> str:
    """Return the table of one kind of error code: codes that mean the same stand in one row."""
    by_meaning: dict[codes.Meaning, list[int]] = {}
    for code in sorted(meanings):
        by_meaning.setdefault(meanings[code], []).append(code)
    rows = [
        f"| {_ranges(numbers)} | `{meaning.kind.__name__}` | {meaning.remedy} |"
        for meaning, numbers in by_meaning.items()
    ]
    return "\n".join(["| code | error | what to do |", "|---|---|---|", *rows])


def _ranges(numbers: list[int]) -> str:
    """Write sorted numbers in short: ``3, 10, 200 to 299``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def _code(value: object) -> str:
    return "" if value in (None, "") else f"`{value}`"


GENERATED: dict[str, Callable[[], str]] = {
    "<!-- options -->": _options,
    "<!-- connection -->": _connection,
    "<!-- commands -->": _commands,
    "<!-- codes of Meta -->": lambda: _codes(codes.META),
    "<!-- codes of on-premise -->": lambda: _codes(codes.ON_PREMISE),
    "<!-- codes of statuses -->": lambda: _codes(codes.FAILED_STATUS),
}


def _complete(app: Any, page: str, source: list[str]) -> None:
    """Put the generated tables in, and let links to files outside of ``docs/`` lead to the repository."""
    text = source[0]
    for mark, generate in GENERATED.items():
        if mark in text:
            text = text.replace(mark, generate())

    def absolute(link: re.Match[str]) -> str:
        target = (Path(app.srcdir, page).parent / link["path"]).resolve()
        if target.is_relative_to(app.srcdir):
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"]({URLS['Source']}/{kind}/main/{target.relative_to(ROOT)}{link['anchor'] or ''})"

    source[0] = re.sub(r"\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)", absolute, text)


def _skip(app: Any, what: str, name: str, thing: object, skip: bool, options: Any) -> bool | None:
    """Leave out the methods of operators and sensors: only Airflow calls them."""
    owner = getattr(thing, "__qualname__", "").partition(".")
    return True if owner[1] and owner[0].endswith(("Operator", "Sensor")) else None


def setup(app: Any) -> None:
    """
    Connect the steps of this file.

    :param app: Sphinx.
    """
    app.connect("source-read", _complete)
    app.connect("autodoc-skip-member", _skip)
