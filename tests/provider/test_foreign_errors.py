"""Errors and log lines of other libraries quote values: paths, statements, ids. None of them may get out."""

import asyncio
import json
import logging
import sqlite3
import traceback
from typing import TYPE_CHECKING, cast

import jinja2
import pytest
from airflow.sdk import DAG, BaseHook
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import ProgrammingError as SQLProgrammingError

from airflow_provider_d360 import policy
from airflow_provider_d360.api.endpoints import health
from airflow_provider_d360.api.errors import D360Error, D360RequestError
from airflow_provider_d360.api.hosting import ON_PREMISE
from airflow_provider_d360.campaigns.reporting import write_report
from airflow_provider_d360.campaigns.sources import read_rows
from airflow_provider_d360.compat import AirflowNotFoundException
from airflow_provider_d360.emulator.message_ids import new_message_id
from airflow_provider_d360.hooks import connections
from airflow_provider_d360.hooks.d360 import D360Hook
from airflow_provider_d360.messages import document, text
from airflow_provider_d360.notifications.d360 import D360Notifier
from airflow_provider_d360.operators.messages import D360SendMessageOperator
from airflow_provider_d360.receiver import desk
from airflow_provider_d360.sending.media import download_media, upload_media
from airflow_provider_d360.sensors.messages import D360MessageStatusSensor
from airflow_provider_d360.store.database import StoreUnavailableError
from airflow_provider_d360.store.problems import describe
from airflow_provider_d360.triggers import templates as trigger_module
from airflow_provider_d360.triggers.templates import D360TemplateApprovedTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

NUMBER = "4915112345689"
TEXT = "canary text, private"
PRIVATE = (NUMBER, "15112345689", TEXT, "canary")


class BotoClientError(Exception):
    """As botocore's: it quotes the key of the object."""


FOREIGN: dict[str, Exception] = {
    "a statement with its parameters": IntegrityError(
        f"a statement with '{TEXT}'", {"to": NUMBER, "body": TEXT}, sqlite3.IntegrityError(TEXT)
    ),
    "an error of the driver alone": sqlite3.OperationalError(f'near "{TEXT}": syntax error'),
    "an object's key": BotoClientError(f"An error occurred (404) HeadObject: {NUMBER}/{TEXT}.pdf"),
    "a path": FileNotFoundError(2, "No such file or directory", f"/data/{NUMBER}/{TEXT}.pdf"),
    "a path as text": FileNotFoundError(f"/data/{NUMBER}/{TEXT}.pdf"),
    "an undefined name": jinja2.UndefinedError(f"'{TEXT}' has no attribute '{NUMBER}'"),
    "a URL": ConnectionError(f"HTTPSConnectionPool: Max retries exceeded with url: /{NUMBER}?t={TEXT}"),
    "a cause": RuntimeError("outside"),
}
FOREIGN["a cause"].__cause__ = ValueError(f"{NUMBER}: {TEXT}")
FOREIGN["a cause"].__context__ = KeyError(TEXT)


def shown(error, caplog, capsys):
    """Return all that a log of Airflow, Sentry, or a debugger would show, contexts that are hidden included."""
    texts, seen = [caplog.text, *capsys.readouterr()], set()
    chain = [error]
    while chain:
        one = chain.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            texts += [*traceback.format_exception_only(one), repr(one), repr(one.args)]
            chain += [one.__cause__, one.__context__]
    return "\n".join(texts)


def raising(error):
    def work(*args, **kwargs):
        raise error

    return work


@pytest.fixture(autouse=True)
def debug_level(caplog):
    caplog.set_level(logging.DEBUG)


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_a_notifier_raises_its_own_error_without_the_foreign_one(
    d360_emulator, monkeypatch, caplog, capsys, foreign
):
    monkeypatch.setattr(D360Hook, "get_conn", raising(foreign))
    with pytest.raises(RuntimeError) as caught:
        D360Notifier(to=NUMBER, message=TEXT)({"exception": ValueError("x")})
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_an_async_notifier_raises_its_own_error_without_the_foreign_one(
    d360_emulator, monkeypatch, caplog, capsys, foreign
):
    async def look_up(conn_id):
        raise foreign

    monkeypatch.setattr(connections, "get_connection_async", look_up)
    with pytest.raises(RuntimeError) as caught:
        asyncio.run(D360Notifier(to=NUMBER, message=TEXT).async_notify({"exception": ValueError("x")}))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


class ForeignPath:
    """A path of an object storage that fails at one step."""

    name = "report.pdf"

    def __init__(self, error, step):
        self.error, self.step = error, step

    def __str__(self):
        return f"s3://bucket/{NUMBER}/report.pdf"

    def __getattr__(self, name):
        if name == self.step:
            return raising(self.error)
        raise AttributeError(name)

    def stat(self):
        if self.step == "stat":
            raise self.error
        return type("Stat", (), {"st_size": 9})

    def open(self, mode):
        if self.step == "open":
            raise self.error
        return ForeignFile(self.error, self.step)


class ForeignFile:
    """An open file that fails at one step."""

    def __init__(self, error, step):
        self.error, self.step = error, step

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, size=-1):
        if self.step == "read":
            raise self.error
        return b"%PDF-1.4\n"[:size]

    def close(self):
        if self.step == "close":
            raise self.error


@pytest.mark.parametrize("step", ["stat", "open", "read"])
@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_an_upload_raises_its_own_error_without_the_path(d360_emulator, caplog, capsys, foreign, step):
    with pytest.raises(OSError) as caught:  # noqa: PT011 - what its text may not hold is looked at below
        D360Hook().run(upload_media, ForeignPath(foreign, step))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


def test_a_file_that_cannot_be_closed_is_uploaded_all_the_same(d360_emulator, caplog, capsys):
    assert D360Hook().run(upload_media, ForeignPath(FOREIGN["an object's key"], "close"))
    assert [one for one in PRIVATE if one in shown(None, caplog, capsys)] == []


def test_a_message_with_a_file_that_is_missing_names_no_path(d360_emulator, caplog, capsys, tmp_path):
    message = document(path=f"{tmp_path}/{NUMBER}/{TEXT}.pdf")
    for send in (
        lambda: D360SendMessageOperator(task_id="t", to=NUMBER, message=message).execute({}),
        lambda: D360Hook().send(NUMBER, message),
        lambda: D360Notifier(to=NUMBER, message=message)({"exception": ValueError("x")}),
    ):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            send()
        assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


def test_a_download_whose_rest_cannot_be_removed_raises_the_error_of_the_download(
    d360_emulator, caplog, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("on_premise"))
    folder = tmp_path / f"{NUMBER} {TEXT}"
    folder.mkdir()
    monkeypatch.setattr("pathlib.Path.unlink", raising(PermissionError(13, "Denied", str(folder))))
    with pytest.raises(Exception) as caught:  # noqa: PT011
        D360Hook().run(download_media, "404", folder / "x")
    monkeypatch.undo()
    everything = shown(caught.value, caplog, capsys)
    assert type(caught.value).__name__ == "D360RequestError"
    assert "A part of a file was left behind: PermissionError" in everything
    assert [one for one in PRIVATE if one in everything] == []


@pytest.mark.parametrize("template", ["{{ nobody.name }}", "{{ fail() }}", "{{ 1 + conf }}", "{{ conf"])
def test_a_field_that_cannot_be_rendered_quotes_no_value(caplog, capsys, template):
    with DAG("dag", schedule=None, user_defined_macros={"fail": raising(KeyError(TEXT))}):
        operator = D360SendMessageOperator(task_id="t", to="{{ to }}", message=TEXT + template)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        operator.render_template_fields(cast("Context", {"to": NUMBER, "conf": TEXT}))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


@pytest.mark.parametrize("hosting", ["cloud", "on_premise"])
def test_no_library_logs_the_path_with_a_message_id(d360_emulator, monkeypatch, caplog, capsys, hosting):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(hosting))
    hook = D360Hook()
    assert hook.get_conn().settings.hosting.name == hosting
    message_id = hook.send(NUMBER, text("Hi")).message_id or new_message_id(ON_PREMISE, NUMBER)
    hook.mark_as_read(message_id)

    async def also():
        try:
            await hook.arun(_mark, message_id)
        finally:
            await hook.aclose()

    asyncio.run(also())
    everything = shown(None, caplog, capsys)
    assert "urllib3" in everything  # it does log requests
    assert message_id not in everything
    assert [one for one in PRIVATE if one in everything] == []


def _mark(settings, message_id):
    from airflow_provider_d360.api.endpoints.messages import mark_as_read

    yield mark_as_read(settings.hosting, message_id)


@pytest.mark.parametrize("path", ["/ü/a b", "/a%20b", "/<x>", "/a\\b"])
def test_no_library_logs_a_path_that_must_be_encoded(d360_emulator, caplog, capsys, path):
    hook = D360Hook()
    call = health.health(hook.get_conn().settings.hosting)
    call = type(call)(**{**_fields(call), "request": _with_path(call.request, f"{path}/{NUMBER}")})
    with pytest.raises(Exception):  # noqa: B017, PT011 - the emulator knows no such path
        hook.call(call)
    assert [one for one in PRIVATE if one in shown(None, caplog, capsys)] == []


def _fields(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _with_path(request, path):
    return type(request)(**{**_fields(request), "path": path})


class PostgresError(Exception):
    """As psycopg2's: its text repeats the line of the statement, with its values."""

    def __init__(self, code):
        line = f"LINE 1: …INTO d360_outbox VALUES ('{NUMBER}', '{TEXT}')"
        super().__init__(f'relation "d360_outbox" does not exist\n{line}\n        ^\n')
        self.pgcode = code
        self.diag = type("Diag", (), {"message_primary": 'relation "d360_outbox" does not exist'})


@pytest.mark.parametrize("code", ["42P01", "42501", "40P01", "57014", "53100", "23505", "22001", "XX000"])
def test_the_store_repeats_no_line_of_a_statement(code):
    error = SQLProgrammingError("INSERT", {}, PostgresError(code))
    assert isinstance(error, DBAPIError)
    assert [one for one in PRIVATE if one in describe(error)] == []


def test_a_sensor_logs_no_text_of_the_driver(caplog, capsys, monkeypatch):
    sensor = D360MessageStatusSensor(task_id="t", message_id="wamid.1", timeout=0.1, poke_interval=0.02)

    class Away:
        class statuses:  # noqa: N801
            current = staticmethod(raising(StoreUnavailableError("away")))

    monkeypatch.setattr(type(sensor), "store", Away)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        sensor.execute({})
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_a_trigger_raises_its_own_error_when_the_look_up_fails(monkeypatch, caplog, capsys, foreign):
    async def look_up(conn_id):
        raise foreign

    monkeypatch.setattr(connections, "get_connection_async", look_up)
    monkeypatch.setattr(trigger_module, "_LOOK_UP_SECONDS", 0.0)
    trigger = D360TemplateApprovedTrigger(name="t", language="en", poll_interval_seconds=0.01)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        asyncio.run(anext(trigger.run()))
    everything = shown(caught.value, caplog, capsys)
    assert "cannot be looked up" in everything
    assert [one for one in PRIVATE if one in everything] == []


# Sources of a campaign's audience


class Driver:
    """A database of another provider, whose errors quote what they like."""

    def __init__(self, place, error):
        self.place, self.error = place, error

    def get_hook(self):
        if self.place == "hook":
            raise self.error
        return self

    conn_type, run = "mysql", None

    def get_conn(self):
        if self.place == "login":
            raise self.error
        return self

    def cursor(self):
        return self

    def execute(self, sql):
        if self.place == "query":
            raise self.error

    def fetchmany(self, count):
        raise self.error

    def close(self):
        """Nothing is open."""


@pytest.mark.parametrize("place", ["hook", "login", "query", "rows"])
@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_the_database_of_an_audience_quotes_no_value(monkeypatch, caplog, capsys, place, foreign):
    monkeypatch.setattr(BaseHook, "get_connection", lambda conn_id: Driver(place, foreign))
    with pytest.raises(D360Error, match="The query of the audience failed") as caught:
        list(read_rows({"sql": f"SELECT '{TEXT}'", "conn_id": "shop"}, "to"))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


@pytest.mark.parametrize("extra", [f'"{TEXT}"', f"{{{TEXT}"])
def test_a_connection_that_is_none_to_a_database_quotes_no_value(monkeypatch, caplog, capsys, extra):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "postgres", "extra": extra}))
    # Before 3.2, Airflow takes such a connection for a missing one.
    with pytest.raises((D360Error, AirflowNotFoundException)) as caught:
        list(read_rows({"sql": "SELECT 1", "conn_id": "shop"}, "to"))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


class Storage:
    """A path in an object storage that fails."""

    def __init__(self, error):
        self.error = error

    def __str__(self):
        return "s3://people.csv"

    def open(self, *args, **options):
        raise self.error


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_the_storage_of_an_audience_quotes_no_value(caplog, capsys, foreign):
    with pytest.raises(D360Error, match="The file of the audience cannot be read") as caught:
        list(read_rows(Storage(foreign), "to"))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


def test_a_parquet_file_that_is_none_is_told_without_its_content(tmp_path, caplog, capsys):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    path = tmp_path / f"{NUMBER}.parquet"
    path.write_bytes(TEXT.encode() * 10)
    with pytest.raises(D360RequestError, match="The file of the audience cannot be read") as caught:
        list(read_rows(str(path), "to"))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_the_storage_of_a_report_quotes_no_value(caplog, capsys, foreign):
    with pytest.raises(OSError) as caught:  # noqa: PT011 - of which class, the storage decides
        write_report(None, None, Storage(foreign))
    assert [one for one in PRIVATE if one in shown(caught.value, caplog, capsys)] == []


# Policies, desk


def test_a_policy_logs_no_foreign_text(monkeypatch, caplog, capsys):
    monkeypatch.setattr(policy, "_problems", set())
    monkeypatch.setattr(policy, "alert_settings", raising(KeyError(f"{TEXT} {NUMBER}")))
    policy.dag_policy(DAG("etl", schedule=None))
    seen = shown(None, caplog, capsys)
    assert "gets no WhatsApp alert, because of a KeyError" in seen
    assert [one for one in PRIVATE if one in seen] == []


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
def test_the_desk_logs_no_foreign_text(caplog, capsys, foreign):
    for error in (foreign, ValueError(f"invalid literal for int() with base 10: '{NUMBER}'")):
        desk._report(error)
    assert [one for one in PRIVATE if one in shown(None, caplog, capsys)] == []
