"""Every block of README and docs can be pasted: Python runs, commands exist, configuration is well formed."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
import yaml
from airflow.cli.cli_parser import get_parser

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.emulator import __main__ as emulator_command
from airflow_provider_d360.emulator.server import connection_json
from airflow_provider_d360.receiver import __main__ as receiver_command
from tests import programs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*).*?\n(?P<code>.*?)^ *```$", re.S | re.M)

# What a block may use besides what comes with this package: it says so in the text around it.
PROGRAMS = {
    "airflow", "cd", "cp", "createdb", "curl", "docker", "export", "helm", "kubectl", "logger", "make", "mkdir",
    "pip", "pg_dump", "pytest", "python", "sqlite3", "systemctl", "uvicorn",
}  # fmt: skip

OUR_PROGRAMS: dict[str, Callable[[list[str]], object]] = {
    "airflow_provider_d360.emulator": emulator_command.parse,
    "airflow_provider_d360.receiver": receiver_command.parse,
}


def _blocks(*languages: str) -> list[Any]:
    """Return the blocks in one of the languages, each named by its page and line."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for block in _FENCE.finditer(text):
            if block["language"] in languages:
                line = text[: block.start()].count("\n") + 1
                code = re.sub(f"^{block['indent']}", "", block["code"], flags=re.M)
                found.append(pytest.param(code, id=f"{page.relative_to(ROOT)}:{line}"))
    return found


def _is_test(code: str) -> bool:
    return "def test_" in code


ALL = [str(block.values[0]) for block in _blocks("python")]
PYTHON = [block for block in _blocks("python") if not _is_test(block.values[0])]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorServer]:
    with EmulatorServer(Emulator(delay_seconds=0)) as server:
        yield server


@pytest.fixture
def environment(emulator, tmp_path):
    return {
        **os.environ,
        "AIRFLOW_CONN_D360_DEFAULT": connection_json(emulator.url, CLOUD_KEY, "cloud"),
        "AIRFLOW_VAR_ON_CALL": "+44 7700 900123",
        "AIRFLOW__D360__STORE_PATH": str(tmp_path / "d360.sqlite"),
    }


@pytest.mark.parametrize("code", PYTHON)
def test_a_python_block_runs_as_it_stands(code, environment, tmp_path):
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ended = programs.run("-c", code, environment=environment, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_a_block_that_lacks_an_import_is_seen(environment, tmp_path):
    ended = programs.run("-c", 'print(text("Hello"))', environment=environment, folder=tmp_path)
    assert ended.returncode == 1
    assert "NameError: name 'text' is not defined" in ended.stderr


def test_the_tests_that_are_shown_pass(tmp_path):
    named = {found[1]: code for code in ALL if (found := re.match(r"# (\S+\.py)\n", code))}
    unnamed = [code for code in ALL if _is_test(code) and code not in named.values()]
    files = {**named, **{f"test_{number}.py": code for number, code in enumerate(unnamed)}}
    files["pytest.ini"] = "[pytest]\n"
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for command in (["airflow", "db", "migrate"], ["pytest", "-q", "-p", "no:cacheprovider", tmp_path]):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d+ passed", done.stdout)


def _commands(code: str) -> Iterator[list[str]]:
    """Return the words of each command of a shell block, without variables before it and redirections after."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        command: list[str] = []
        for word in [*words, "&&"]:
            if word in ("&&", "||", "|", ";", "&"):
                if command:
                    yield command
                command = []
            elif command or not re.match(r"[A-Z_0-9]+=", word):
                command.append(word)


def _complaint(parse: Callable[[list[str]], object], arguments: list[str]) -> str:
    """Return what a command says about wrong arguments; nothing when it takes them."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            parse(arguments)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


def _problem(command: list[str]) -> str:
    """Return what is wrong with a command of a block, in words."""
    program, *arguments = command
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        return "" if set(arguments[:1]) <= set(targets) else "no such target"
    if program == "airflow":
        return _complaint(get_parser().parse_args, arguments)
    if program == "python" and arguments[:1] == ["-m"]:
        module = arguments[1]
        if module == "airflow_provider_d360":
            return _complaint(get_parser().parse_args, ["d360", *arguments[2:]])
        if module in OUR_PROGRAMS:
            return _complaint(OUR_PROGRAMS[module], arguments[2:])
        return "" if importlib.util.find_spec(module) else "no such module"
    return "" if program in PROGRAMS else "no known program"


@pytest.mark.parametrize("code", _blocks("bash"))
def test_the_commands_of_a_shell_block_exist(code):
    problems = {shlex.join(command): _problem(command) for command in _commands(code)}
    assert {command: problem for command, problem in problems.items() if problem} == {}


@pytest.mark.parametrize(
    "command",
    [
        "airflow d360 checks",
        "python -m airflow_provider_d360 check --wat",
        "make tests",
        "wget http://localhost",
        "python -m airflow_provider",
    ],
)
def test_a_command_that_does_not_exist_is_seen(command):
    assert _problem(shlex.split(command))


@pytest.mark.parametrize("code", _blocks("json"))
def test_a_json_block_is_json(code):
    json.loads(code)


@pytest.mark.parametrize("code", _blocks("yaml"))
def test_a_yaml_block_is_yaml(code):
    assert yaml.safe_load(code)


@pytest.mark.parametrize("code", _blocks("ini"))
def test_an_ini_block_is_ini(code):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(code)
    assert parser.sections()


def test_every_block_says_its_language():
    known = {"python", "bash", "json", "yaml", "ini", "text", "nginx", "caddy"}
    known |= {"{eval-rst}", "{include}", "{toctree}"}  # of Sphinx
    languages = {
        (page.name, block["language"]) for page in PAGES for block in _FENCE.finditer(page.read_text())
    }
    assert {(page, language) for page, language in languages if language.split(":")[0] not in known} == set()


# Ofcom keeps these for fiction (mobile, London), and the North American Numbering Plan 555-0100 to 555-0199.
_FICTION = re.compile(r"447700900\d{3}|442079460\d{3}|1\d{3}55501\d{2}")


def test_no_number_of_an_example_may_be_somebodys():
    files = [*PAGES, *(ROOT / "example_dags").glob("*.py"), *(ROOT / "airflow_provider_d360").rglob("*.*")]
    found = {}
    for file in files:
        if file.suffix in (".py", ".md", ".html", ".js"):
            for match in phonenumbers.PhoneNumberMatcher(
                file.read_text(), None, phonenumbers.Leniency.POSSIBLE
            ):
                number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)[1:]
                if not _FICTION.fullmatch(number):
                    found[f"{file.name}: {match.raw_string}"] = number
    assert found == {}
