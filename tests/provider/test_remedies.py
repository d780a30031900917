"""What a newcomer runs into first says what to do about it."""

from __future__ import annotations

import pytest

from airflow_provider_d360.api.errors import D360RequestError, D360UnavailableError
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import buttons, document, list_picker

TO = "+44 7700 900123"


def refusal(error, call, *args, **options):
    with pytest.raises(error) as caught:
        call(*args, **options)
    return str(caught.value)


@pytest.fixture
def no_connection(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_NOWHERE", raising=False)
    return D360Hook("nowhere")


def test_an_unknown_connection_says_how_to_add_it(no_connection):
    said = refusal(D360UnavailableError, no_connection.send, TO, "Hello")
    assert said.startswith("Connection 'nowhere' is not defined, or the secrets backend")
    assert said.endswith("with the number's API key, or set AIRFLOW_CONN_NOWHERE.")


async def test_an_unknown_connection_says_the_same_without_blocking(no_connection):
    with pytest.raises(D360UnavailableError, match=r"set AIRFLOW_CONN_NOWHERE\.$"):
        await no_connection.asend(TO, "Hello")


def test_a_missing_file_says_where_to_look(d360_emulator):
    said = refusal(FileNotFoundError, D360Hook().send, TO, document(path="/data/not-there.pdf"))
    assert said.startswith("No such file or directory. Check the path on the machine that runs the task.")
    assert "not-there" not in said
    assert d360_emulator.sent == []


def test_a_folder_in_place_of_a_file_says_so(d360_emulator, tmp_path):
    said = refusal(OSError, D360Hook().send, TO, document(path=str(tmp_path)))
    assert "name a file in it" in said


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("s3://bucket/a.pdf", "apache-airflow-providers-amazon[s3fs]"),
        ("gs://bucket/a.pdf", "apache-airflow-providers-google"),
        ("sftp9://bucket/a.pdf", "the Airflow provider that brings it"),
    ],
)
def test_a_scheme_without_its_provider_names_the_package(d360_emulator, monkeypatch, path, package):
    monkeypatch.setattr("airflow.sdk.io.has_fs", lambda scheme: False)
    said = refusal(D360RequestError, D360Hook().send, TO, document(path=path))
    scheme = path.partition(":")[0]
    assert said == f"Nothing is installed that reads {scheme}://. Install {package} where the task runs."


@pytest.mark.parametrize(
    "build", [lambda: buttons("Q", ["Yes", "No"]), lambda: list_picker("Q", "B", ["Yes"])]
)
def test_choices_without_ids_show_what_to_give(build):
    said = refusal(TypeError, build)
    assert "{'yes': 'Yes', 'no': 'No'}" in said


def test_a_choice_that_a_template_fills_in_is_left_alone():
    message = buttons("Q", ["{{ params.choice }}"])
    assert message["interactive"]["action"]["buttons"] == ["{{ params.choice }}"]


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "10.1.2.3", "192.168.1.4", "airflow", "airflow.local", "a.internal"],
)
def test_a_webhook_that_360dialog_cannot_reach_is_refused_before_anything_is_asked(d360_emulator, host):
    said = refusal(D360RequestError, D360Hook().configure_webhook, f"https://{host}/d360/webhook")
    assert said.startswith("url is an address of this machine or of a private network")
    assert d360_emulator.requests == []


@pytest.mark.parametrize("host", ["hooks.example.com", "8.8.8.8", "localhost.example.com"])
def test_a_public_webhook_is_taken(d360_emulator, host):
    D360Hook().configure_webhook(f"https://{host}/d360/webhook")
    assert D360Hook().get_webhook().url == f"https://{host}/d360/webhook"


def test_a_host_that_cannot_be_reached_is_named(monkeypatch):
    uri = '{"conn_type": "d360", "password": "a-key", "host": "http://127.0.0.1:9", "extra": {"max_attempts": 1}}'
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", uri)
    works, said = D360Hook().test_connection()
    assert (works, said.startswith("127.0.0.1 cannot be reached: check the network")) == (False, True)


def test_the_random_id_under_which_airflow_tests_a_form_is_not_shown(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_XK29QW", '{"conn_type": "d360"}')
    said = D360Hook("xk29qw").test_connection()[1]
    assert said == "The connection: the password is empty. Put the number's 360dialog API key there."
