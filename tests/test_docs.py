"""What is written beside the code says what the code does."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import airflow_provider_d360
from airflow_provider_d360 import metrics
from airflow_provider_d360.cli import check, textfile
from airflow_provider_d360.get_provider_info import get_provider_info
from airflow_provider_d360.receiver.prometheus import prometheus_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_d360"
EXAMPLES = sorted((ROOT / "example_dags").glob("*.py"))
README = ROOT / "README.md"

# In Markdown: <!-- send_message: example_dags/example_d360_send_message.py --> and then the block.
_BLOCK = re.compile(r"<!-- (?P<region>\w+): (?P<file>\S+) -->\n+```python\n(?P<code>.*?)```", re.S)


def _region(file: Path, name: str) -> str:
    """Return what stands between the markers of a region, with markers of other regions left out."""
    found = re.search(rf"^ *# \[START {name}\]\n(.*?)^ *# \[END {name}\]$", file.read_text(), re.S | re.M)
    assert found, f"{file.name} has no region {name}"
    return re.sub(r"^ *# \[(START|END) \w+\]\n", "", found[1], flags=re.M).strip("\n")


def _pages() -> list[Path]:
    return [README, *sorted((ROOT / "docs").rglob("*.md"))]


def _shown() -> list[tuple[Path, str, str, str]]:
    return [
        (page, found["region"], found["file"], found["code"].strip("\n"))
        for page in _pages()
        for found in _BLOCK.finditer(page.read_text())
    ]


def _public_classes(folder: str) -> list[str]:
    return [
        node.name
        for file in sorted((PACKAGE / folder).glob("*.py"))
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
        and node.name.startswith("D360")
        and node.name.endswith(("Operator", "Sensor", "Notifier"))
    ]


def test_the_readme_shows_an_example():
    assert README in {page for page, *_ in _shown()}


@pytest.mark.parametrize(("page", "region", "file", "code"), _shown())
def test_a_shown_block_is_the_example_that_runs(page, region, file, code):
    assert code == _region(ROOT / file, region), f"{page.name} and {file} differ"


@pytest.mark.parametrize("folder", ["operators", "sensors", "notifications"])
@pytest.mark.parametrize("place", ["README.md", "example_dags"])
def test_every_operator_has_a_row_and_an_example(folder, place):
    path = ROOT / place
    files = [path] if path.is_file() else EXAMPLES
    text = "\n".join(file.read_text() for file in files)
    classes = _public_classes(folder)
    assert classes
    assert [name for name in classes if name not in text] == []


def test_every_example_is_named_in_the_readme():
    text = README.read_text()
    assert [file.name for file in EXAMPLES if file.stem not in text] == []


def test_the_changelog_starts_with_this_version():
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == airflow_provider_d360.__version__


def test_the_readme_names_the_airflow_versions_that_are_tested():
    locked = {file.stem.removeprefix("airflow-") for file in (ROOT / "requirements").glob("airflow-*.txt")}
    matrix = re.search(r"airflow: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())
    assert matrix
    assert set(re.findall(r"\d+\.\d+", matrix[1])) == locked
    assert [minor for minor in sorted(locked) if f"| {minor} " not in README.read_text()] == []


def test_the_architecture_page_is_linked_and_shows_every_layer():
    page = (ROOT / "docs/architecture.md").read_text()
    contract = re.search(
        r'name = "Upper layers.*?layers = \[\n(.*?)\n\]', (ROOT / "pyproject.toml").read_text(), re.S
    )
    picture = re.search(r"```text\n(.*?)```", page, re.S)
    assert contract
    assert picture
    layers = re.findall(r'"(.*)"', contract[1])
    assert [re.split(r"\s{2,}", line)[0] for line in picture[1].splitlines()] == layers
    for name in ("README.md", "CONTRIBUTING.md"):
        assert "(docs/architecture.md)" in (ROOT / name).read_text()


def test_every_path_in_code_letters_on_the_architecture_page_exists():
    page = (ROOT / "docs/architecture.md").read_text()
    paths = re.findall(r"`([\w/]+/(?:\w+\.\w+)?)`", page)
    assert paths
    assert [path for path in paths if not ((ROOT / path).exists() or (PACKAGE / path).exists())] == []


def test_links_between_our_pages_lead_somewhere():
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in [*_pages(), ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
        for target in re.findall(r"\]\((?!https?://|mailto:|#)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_pictures_are_small_and_each_is_shown():
    pictures = {picture.name: picture.stat().st_size for picture in (ROOT / "docs/pictures").iterdir()}
    shown = "".join(page.read_text() for page in _pages())
    assert [name for name in pictures if f"pictures/{name})" not in shown] == []
    assert [name for name, size in pictures.items() if size > 200_000] == []


def test_the_table_of_metrics_is_complete_and_has_their_kinds_and_tags():
    page = (ROOT / "docs/monitoring.md").read_text()
    rows = re.findall(r"^\| `(d360\.[\w.]+)` \| (\w+) \| (.*?) ?\| (.*) \|$", page, re.M)
    documented = [(name, kind, tuple(re.findall(r"`(\w+)`", tags))) for name, kind, tags, _ in rows]
    assert documented == [(metric.name, metric.kind, metric.tags) for metric in _by_name(documented)]
    assert {name for name, *_ in documented} == {metric.name for metric in metrics.METRICS}


def _by_name(rows):
    known = {metric.name: metric for metric in metrics.METRICS}
    return [known[name] for name, *_ in rows]


def test_the_dashboard_asks_for_metrics_that_exist():
    text = (ROOT / "grafana/d360.json").read_text()
    queries = [target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"]]
    asked = {
        re.sub(r"_bucket$", "", name)
        for query in queries
        for name in re.findall(r"\b(?:airflow_)?d360_\w+", query)
    }
    sent = {f"airflow_{prometheus_name(metric)}" for metric in metrics.SENDING}
    received = {prometheus_name(metric) for metric in metrics.RECEIVING}
    assert asked == sent | received | set(textfile.NAMES)


def test_every_name_of_the_checks_file_is_documented():
    page = (ROOT / "docs/monitoring.md").read_text()
    assert [name for name in textfile.NAMES if f"| `{name}` |" not in page] == []


def test_every_exit_code_of_the_check_is_documented():
    page = (ROOT / "docs/receiving.md").read_text()
    codes = re.findall(r"^ {2}(\d+)  ", str(check.COMMAND.epilog), re.M)
    assert [code for code in codes if f"| {code} | " not in page] == []


def test_every_option_is_documented():
    pages = "\n".join(page.read_text() for page in _pages())
    options = get_provider_info()["config"]["d360"]["options"]
    assert [name for name in options if f"`{name}`" not in pages] == []
