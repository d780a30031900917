"""The list of opt-outs on the command line: numbers are whole in an export, and nowhere else."""

from __future__ import annotations

import io
import os
import sys

import airflow
import pytest

from airflow_provider_d360 import cli
from airflow_provider_d360.cli.stores import NO_STORE
from airflow_provider_d360.cli.suppression import INVALID, WRONG_CALL
from airflow_provider_d360.store import Scope
from airflow_provider_d360.store.opt_outs import Origin
from tests import programs

pytestmark = pytest.mark.usefixtures("client")

NUMBER, OTHER = "4915112345678", "4930000000001"


def run(capsys, *arguments):
    code = cli.main(["suppression", *arguments])
    out, error = capsys.readouterr()
    if arguments[0] != "export":
        assert NUMBER not in out + error
    return code, out, error


def kept(store):
    return sorted(
        (one.recipient, one.scope.value, one.source, one.reason) for one in store.suppressions.all()
    )


def test_people_are_added_shown_and_removed(store, capsys):
    assert run(capsys, "add", f"+{NUMBER}", OTHER, "--scope", "marketing", "--reason", f"wrote from {NUMBER}") == (
        0, "On the list now: 2.\n", "",
    )  # fmt: skip
    assert kept(store) == [
        (NUMBER, "marketing", "cli", f"wrote from {NUMBER}"),
        (OTHER, "marketing", "cli", f"wrote from {NUMBER}"),
    ]
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert sorted(line.split()[3] for line in out.splitlines()) == ["49…01", "49…78"]
    assert "marketing" in out
    assert "cli" in out
    assert run(capsys, "remove", NUMBER, "4930000000002")[1] == (
        "Taken off the list: 1. Were not on it: 1.\n"
    )
    assert [one[0] for one in kept(store)] == [OTHER]


def test_national_numbers_need_a_region(store, capsys):
    code, _, error = run(capsys, "add", "0151 12345678")
    assert code == INVALID
    assert "number 1: to begins with 0" in error
    assert "The list was not changed." in error
    assert run(capsys, "add", "0151 12345678", "--region", "de")[0] == 0
    assert kept(store)[0][0] == NUMBER
    assert run(capsys, "add", NUMBER, "--region", "Bavaria")[0] == INVALID


def test_one_wrong_number_leaves_the_list_as_it_is(store, capsys):
    assert run(capsys, "add", NUMBER, "nobody", "12")[0] == INVALID
    assert kept(store) == []


def test_what_is_exported_can_be_imported(store, capsys, tmp_path):
    store.suppressions.add(
        [NUMBER], scope=Scope.ALL, source="hook", at=1_780_000_000.0, reason='a letter, "no"'
    )
    wish = store.suppressions.row(
        "DE.1502", Origin.PERSON, Scope.MARKETING, "keyword", "stop", 1_780_000_000.0
    )
    store._database.write(lambda connection: store.suppressions.insert(connection, [wish]))
    file = tmp_path / "list.csv"
    assert run(capsys, "export", str(file))[0] == 0
    assert sorted(file.read_text().splitlines()) == sorted([
        "number,scope,reason,since,source",
        f'+{NUMBER},all,"a letter, ""no""",2026-05-28 20:26:40,hook',
        "DE.1502,marketing,stop,2026-05-28 20:26:40,keyword",
    ])  # fmt: skip
    store.suppressions.remove([NUMBER, "DE.1502"], source="cli", at=1_780_000_001.0)
    assert run(capsys, "import", str(file))[:2] == (0, "On the list now: 2.\n")
    assert kept(store) == [
        (NUMBER, "all", "import", 'a letter, "no"'),
        ("DE.1502", "marketing", "import", "stop"),
    ]


def test_an_export_goes_to_the_standard_output(store, capsys):
    store.suppressions.add([NUMBER], scope=Scope.ALL, source="cli", at=1_780_000_000.0)
    assert run(capsys, "export", "-")[1].splitlines()[1] == f"+{NUMBER},all,,2026-05-28 20:26:40,cli"


def test_a_file_with_one_number_a_line_is_imported_from_the_standard_input(store, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NUMBER}\n\n+49 30 000000001\n{NUMBER}\n"))
    assert run(capsys, "import", "-", "--scope", "marketing", "--reason", "old list")[1] == (
        "On the list now: 2.\n"
    )
    assert kept(store) == [
        (NUMBER, "marketing", "import", "old list"),
        (OTHER, "marketing", "import", "old list"),
    ]


def test_a_spreadsheet_with_other_columns_is_imported(store, capsys, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text(f"\ufeffName,Number,Scope\nAnn,{NUMBER},\nBo,{OTHER},marketing\n", encoding="utf-8")
    assert run(capsys, "import", str(file))[0] == 0
    assert [one[:2] for one in kept(store)] == [(NUMBER, "all"), (OTHER, "marketing")]


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (
            f"number,scope\n{NUMBER},all\nnobody,all\n{OTHER},some\n",
            ["row 2: to is no phone", "row 3: scope"],
        ),
        (f"to,name\n{NUMBER},Ann\n", ["none of them is named number"]),
        ("number\n\0\n", ["row 1" if sys.version_info >= (3, 11) else "cannot be read"]),
        ("number\n\xe4\n".encode("latin-1"), ["UnicodeDecodeError"]),
    ],
)
def test_a_wrong_row_is_named_and_nobody_is_added(store, capsys, tmp_path, content, problems):
    file = tmp_path / "list.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, out, error = run(capsys, "import", str(file))
    assert (code, out) == (INVALID, "")
    for problem in [*problems, "The list was not changed."]:
        assert problem in error
    assert kept(store) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["add"], WRONG_CALL),
        (["remove"], WRONG_CALL),
        (["import"], WRONG_CALL),
        (["export", "a", "b"], WRONG_CALL),
        (["list", "all"], WRONG_CALL),
        (["import", "/nowhere/list.csv"], INVALID),
        (["export", "/nowhere/list.csv"], INVALID),
    ],
)
def test_a_wrong_call_is_told_apart(store, capsys, arguments, code):
    assert run(capsys, *arguments)[0] == code


def test_a_store_that_cannot_be_used_is_said(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", "/nowhere/store.sqlite")
    code, _, error = run(capsys, "list")
    assert code == NO_STORE
    assert "The store cannot be used." in error
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "missing")
    assert run(capsys, "list")[0] == NO_STORE


@pytest.mark.skipif(airflow.__version__ < "3.2", reason="commands of providers came with Airflow 3.2")
def test_airflow_has_the_command(store, tmp_path):
    environment = {**os.environ, "AIRFLOW__D360__STORE_PATH": f"{tmp_path}/d360.sqlite"}
    added = programs.run("-m", "airflow", "d360", "suppression", "add", NUMBER, environment=environment)
    assert added.returncode == 0
    assert added.stdout.endswith("On the list now: 1.\n")  # after what Airflow itself prints
    assert kept(store) == [(NUMBER, "all", "cli", None)]


def test_a_file_with_whole_numbers_may_be_read_by_nobody_else(store, tmp_path, capsys):
    run(capsys, "add", f"+{NUMBER}")
    new, old = tmp_path / "new.csv", tmp_path / "old.csv"
    old.write_text("of yesterday")
    old.chmod(0o644)
    for file in (new, old):
        assert run(capsys, "export", str(file))[0] == 0
        assert file.stat().st_mode & 0o777 == 0o600
        assert NUMBER in file.read_text()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"number,number\n+{NUMBER},+{OTHER}\n", "two columns of one name"),
        (f'number,reason\n+{NUMBER},"wrote\n+{OTHER},called\n', "The file cannot be read: Error"),
    ],
)
def test_a_file_that_can_be_read_in_two_ways_adds_nobody(store, tmp_path, capsys, content, problem):
    (tmp_path / "people.csv").write_text(content)
    code, _, error = run(capsys, "import", str(tmp_path / "people.csv"))
    assert (code, problem in error, kept(store)) == (INVALID, True, [])
