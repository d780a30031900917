"""The documentation as web pages: it builds without a warning, and the README's links lead into it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

from airflow_provider_d360.get_provider_info import get_provider_info
from hatch_build import absolute_links

ROOT = Path(__file__).parents[1]
URLS = dict(url.split(", ", 1) for url in metadata("airflow-provider-d360").get_all("Project-URL") or ())
SOURCE, DOCUMENTATION = URLS["Source"], URLS["Documentation"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the pages; a warning is an error, such as one about a link to a page or a heading that is not there."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", ROOT / "docs", folder],
        capture_output=True, text=True, env={**os.environ, "AIRFLOW_HOME": str(folder / "airflow")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_every_link_of_the_readme_on_the_package_index_leads_to_a_page_or_a_file(site):
    text = absolute_links((ROOT / "README.md").read_text(), SOURCE, DOCUMENTATION)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []
    missing = []
    for target in targets:
        address, _, anchor = target.partition("#")
        if address.startswith(f"{DOCUMENTATION}/"):
            page = site / address.removeprefix(f"{DOCUMENTATION}/")
            if not page.is_file() or (anchor and f'id="{anchor}"' not in page.read_text()):
                missing.append(target)
        file = address.removeprefix(f"{SOURCE}/blob/main/").removeprefix(f"{SOURCE}/raw/main/")
        if file != address and not (ROOT / file).exists():
            missing.append(target)
    assert missing == []


def test_the_addresses_that_are_filled_in_are_those_of_the_site(site):
    assert f'href="{SOURCE}/blob/main/' in (site / "architecture.html").read_text()


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("configuration.html", "alert_opt_out_tag"),  # of get_provider_info
        ("cli.html", "--prometheus"),
        ("errors.html", "131047"),
        ("api/operators.html", "D360SendMessageOperator"),
        ("api/messages.html", "airflow_provider_d360.messages.template"),
        ("changelog.html", "0.1.0"),
    ],
)
def test_the_reference_is_made_from_the_code(site, page, text):
    assert text in (site / page).read_text()


def test_every_module_that_airflow_is_told_of_has_its_place_in_the_reference():
    info = get_provider_info()
    modules = {
        module
        for kind in ("hooks", "operators", "sensors")
        for integration in info[kind]
        for module in integration["python-modules"]
    }
    pages = "\n".join(page.read_text() for page in (ROOT / "docs/api").glob("*.md"))
    assert {module for module in modules if f"automodule:: {module}\n" not in pages} == set()


def test_every_page_can_be_reached_from_the_menu(site):
    menu = (site / "index.html").read_text()
    pages = {page.relative_to(site).as_posix() for page in site.glob("*.html")} - {
        "genindex.html",
        "search.html",
    }
    assert {
        page
        for page in pages
        if f'href="{page}"' not in menu and page not in ("index.html", "py-modindex.html")
    } == set()
