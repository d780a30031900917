"""``d360 examples``: the example DAGs that come with this package."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import airflow_provider_d360
from airflow_provider_d360.cli.command import Command

_PACKAGE = Path(airflow_provider_d360.__file__).parent
# In a wheel they lie in the package, in the repository beside it.
_FOLDERS = (_PACKAGE / "example_dags", _PACKAGE.parent / "example_dags")


def _run(args: argparse.Namespace) -> int:
    """
    Copy the example DAGs into a folder, or list them. Files that are there already are left alone.

    :param args: ``folder``: the folder, which is made if necessary; None lists the examples.
    :returns: 0, or 1 if a file cannot be written.
    """
    examples = sorted(next(folder for folder in _FOLDERS if folder.is_dir()).glob("*.py"))
    if args.folder is None:
        for example in examples:
            print(f"{example.stem:36}{_first_line(example)}")
        return 0
    folder = Path(args.folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for example in examples:
            target = folder / example.name
            if target.exists():
                print(f"{target} is there already: left as it is")
            else:
                target.write_bytes(example.read_bytes())
                print(target)
    except OSError as problem:
        print(
            f"Cannot write to {folder}: {problem.strerror}. Name a folder that you may write to.",
            file=sys.stderr,
        )
        return 1
    return 0


def _first_line(example: Path) -> str:
    """Return the sentence that an example begins with."""
    return next(line for line in example.read_text().splitlines()[1:] if line)


COMMAND = Command(
    name="examples",
    help="Copy the example DAGs into a folder, or list them",
    run=_run,
    arguments={
        "folder": {"nargs": "?", "help": "the folder, such as dags; without it, the examples are listed"}
    },
    epilog="No example sends anything before you trigger it.",
)
