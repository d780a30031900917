"""The wheel, installed alone: what it holds, and what Airflow sees of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version as installed
from pathlib import Path

import pytest

import airflow_provider_d360

ROOT = Path(__file__).parents[1]
# The tools beside this Python; the Makefile keeps uv in the newest Airflow's environment.
UV = ROOT / ".venv/bin/uv"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def clean_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with Airflow as locked, and of ours the wheel alone."""
    venv = tmp_path_factory.mktemp("clean") / "venv"
    minor = ".".join(installed("apache-airflow").split(".")[:2])
    lock = ROOT / f"requirements/airflow-{minor}.txt"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--python", venv / "bin/python", "--constraint", lock, wheel],
        check=True,
    )
    return venv / "bin"


def _airflow(clean_bin: Path, tmp_path: Path, *arguments: str) -> str:
    """Run `airflow` far from the source tree."""
    environment = {"PATH": f"{clean_bin}{os.pathsep}{os.defpath}", "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [clean_bin / "airflow", *arguments],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    return done.stdout


def test_the_wheel_holds_one_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    version = airflow_provider_d360.__version__
    assert {name.split("/")[0] for name in names} == {
        "airflow_provider_d360",
        f"airflow_provider_d360-{version}.dist-info",
    }
    assert "airflow_provider_d360/py.typed" in names


def test_the_wheel_carries_the_licence_and_requires_what_is_imported(wheel):
    files = zipfile.ZipFile(wheel)
    name = f"airflow_provider_d360-{airflow_provider_d360.__version__}.dist-info"
    assert "Apache License" in files.read(f"{name}/licenses/LICENSE").decode()
    metadata = files.read(f"{name}/METADATA").decode()
    requirements = re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra ==)", metadata, re.M)
    assert sorted(requirements) == [
        "aiohttp", "apache-airflow", "asgiref", "fastapi", "jinja2", "phonenumbers", "requests",
        "sqlalchemy", "starlette", "uvicorn",
    ]  # fmt: skip


def test_the_wheel_and_the_source_archive_would_be_accepted_by_an_index(wheel):
    archives = [wheel, *wheel.parent.glob("*.tar.gz")]
    assert len(archives) == 2
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *archives], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_names_its_addresses_and_its_readme_has_no_relative_link(wheel):
    name = f"airflow_provider_d360-{airflow_provider_d360.__version__}.dist-info"
    metadata = zipfile.ZipFile(wheel).read(f"{name}/METADATA").decode()
    urls = dict(re.findall(r"^Project-URL: (\w+), (https://\S+)$", metadata, re.M))
    assert urls.keys() == {"Documentation", "Source", "Issues", "Changelog"}
    assert f"]({urls['Documentation']}/once.html)" in metadata
    assert re.findall(r"\]\((?!https://)[^)]*\)", metadata) == []


def test_the_source_archive_builds_the_same_wheel(wheel, tmp_path):
    archive = next(wheel.parent.glob("*.tar.gz"))
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, folder],
        check=True,
        capture_output=True,
    )
    again = next(tmp_path.glob("*.whl"))
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())


def test_the_examples_come_with_the_wheel(clean_bin, tmp_path):
    subprocess.run(
        [clean_bin / "python", "-m", "airflow_provider_d360", "examples", "dags"],
        check=True, capture_output=True, cwd=tmp_path, env={"AIRFLOW_HOME": str(tmp_path)},
    )  # fmt: skip
    copied = {file.name: file.read_text() for file in (tmp_path / "dags").iterdir()}
    assert copied == {file.name: file.read_text() for file in (ROOT / "example_dags").glob("*.py")}


def test_airflow_names_the_address_of_the_documentation(clean_bin, tmp_path):
    code = (
        "from airflow.providers_manager import ProvidersManager\n"
        "print(ProvidersManager().providers['airflow-provider-d360'].data['documentation-url'])"
    )
    done = subprocess.run(
        [clean_bin / "python", "-c", code],
        check=True, capture_output=True, text=True, cwd=tmp_path, env={"AIRFLOW_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1].startswith("https://")


def test_airflow_sees_the_wheel_without_the_source_tree(clean_bin, tmp_path):
    providers = json.loads(_airflow(clean_bin, tmp_path, "providers", "list", "--output", "json"))
    ours = [row for row in providers if row["package_name"] == "airflow-provider-d360"]
    assert [row["version"] for row in ours] == [airflow_provider_d360.__version__]


def test_airflow_finds_our_hook_by_its_connection_type(clean_bin, tmp_path):
    hooks = json.loads(_airflow(clean_bin, tmp_path, "providers", "hooks", "--output", "json"))
    ours = [row for row in hooks if row["connection_type"] == "d360"]
    assert [row["class"] for row in ours] == ["airflow_provider_d360.hooks.d360.D360Hook"]
