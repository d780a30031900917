"""What Airflow is told about us, held against what Airflow says it understands."""

from __future__ import annotations

import importlib
import json
from importlib.metadata import entry_points
from pathlib import Path

import airflow
import jsonschema
import pytest

from airflow_provider_d360.api.hosting import CLOUD, HOSTINGS
from airflow_provider_d360.get_provider_info import get_provider_info

AIRFLOW = Path(str(airflow.__file__)).parent
INFO = get_provider_info()
(CONNECTION_TYPE,) = INFO["connection-types"]


def _schema(name):
    return json.loads((AIRFLOW / name).read_text())


def _class(path):
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_the_description_is_what_airflow_reads_at_run_time():
    jsonschema.validate(INFO, _schema("provider_info.schema.json"))


def test_the_connection_form_is_what_airflow_asks_of_its_own_providers():
    jsonschema.validate(
        INFO["connection-types"], _schema("provider.yaml.schema.json")["properties"]["connection-types"]
    )


def test_the_entry_point_leads_here():
    (point,) = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if point.value.startswith("airflow_provider_d360")
    ]
    assert point.load()() == INFO
    assert point.dist is not None
    assert point.dist.name == INFO["package-name"]


def test_every_option_is_documented():
    pages = "\n".join(page.read_text() for page in (Path(__file__).parents[2] / "docs").glob("*.md"))
    (section,) = INFO["config"].values()
    assert [name for name in section["options"] if f"| `{name}` |" not in pages] == []


def test_the_connection_type_is_the_one_of_its_hook():
    assert _class(CONNECTION_TYPE["hook-class-name"]).conn_type == CONNECTION_TYPE["connection-type"]


def test_the_form_offers_every_hosting_and_starts_with_the_cloud():
    schema = CONNECTION_TYPE["conn-fields"]["hosting"]["schema"]
    assert schema["enum"] == list(HOSTINGS)
    assert schema["default"] == CLOUD.name


@pytest.mark.parametrize("field", CONNECTION_TYPE["conn-fields"])
def test_every_field_has_a_help_text(field):
    assert CONNECTION_TYPE["conn-fields"][field]["description"].endswith(".")


@pytest.mark.parametrize("kind", ["hooks", "operators"])
def test_every_module_of_a_kind_is_listed(kind):
    (listed,) = [entry["python-modules"] for entry in INFO[kind]]
    files = (Path(__file__).parents[2] / "airflow_provider_d360" / kind).glob("[a-z]*.py")
    modules = [importlib.import_module(f"airflow_provider_d360.{kind}.{file.stem}") for file in files]
    defining = [
        module.__name__
        for module in modules
        if any(
            name.startswith("D360")
            and name.endswith(("Hook", "Operator"))
            and value.__module__ == module.__name__
            for name, value in vars(module).items()
        )
    ]
    assert sorted(defining) == listed
