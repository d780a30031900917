"""Media in Airflow: files go up, come down and go away, over a real socket."""

import pytest
from airflow.sdk import DAG, ObjectStoragePath

from airflow_provider_d360.api.errors import D360UnavailableError
from airflow_provider_d360.compat import AirflowFailException
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.operators.media import (
    D360DeleteMediaOperator,
    D360DownloadMediaOperator,
    D360UploadMediaOperator,
)

PDF = b"%PDF-1.7 a report"


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(PDF)
    return path


def rendered(operator, **context):
    with DAG("dag", schedule=None) as dag:
        dag.add_task(operator)
    operator.render_template_fields(context)
    return operator


@pytest.mark.parametrize("hosting", ["cloud", "on_premise"])
def test_a_file_goes_up_comes_down_and_goes_away(d360_emulator, monkeypatch, report, tmp_path, hosting):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(hosting))
    media_id = D360UploadMediaOperator(task_id="up", path=str(report)).execute({})
    assert d360_emulator.media.stored[media_id].content == PDF
    path = f"{tmp_path}/down/copy.pdf"
    assert D360DownloadMediaOperator(task_id="down", media_id=media_id, path=path).execute({}) == path
    assert (tmp_path / "down" / "copy.pdf").read_bytes() == PDF
    D360DeleteMediaOperator(task_id="away", media_id=media_id).execute({})
    assert d360_emulator.media.stored == {}


def test_paths_are_rendered_even_in_object_storage(d360_emulator, report, tmp_path):
    up = D360UploadMediaOperator(
        task_id="up", path=ObjectStoragePath(f"file://{tmp_path}/{{{{ name }}}}.pdf")
    )
    media_id = rendered(up, name="report").execute({})
    down = D360DownloadMediaOperator(
        task_id="down", media_id="{{ id }}", path=f"file://{tmp_path}/{{{{ ds }}}}/"
    )
    done = rendered(down, id=media_id, ds="2026-11-22").execute({})
    assert done == f"file://{tmp_path}/2026-11-22/{media_id}.pdf"
    assert (tmp_path / "2026-11-22" / f"{media_id}.pdf").read_bytes() == PDF


def test_a_file_that_whatsapp_does_not_take_fails_at_once(d360_emulator, report):
    operator = D360UploadMediaOperator(task_id="up", path=str(report), kind="image", retries=3)
    with pytest.raises(AirflowFailException, match="D360RequestError with connection 'd360_default'"):
        operator.execute({})
    assert d360_emulator.requests == []


def test_a_failed_download_is_left_to_airflow_and_a_lost_file_is_not(d360_emulator, tmp_path):
    media_id = d360_emulator.media.add(PDF, "application/pdf")
    path = str(tmp_path / "x.pdf")
    d360_emulator.fail_next(faults.server_error(502), path="/whatsapp_business/attachments*")
    with pytest.raises(D360UnavailableError):
        D360DownloadMediaOperator(task_id="down", media_id=media_id, path=path).execute({})
    with pytest.raises(AirflowFailException, match="does not exist"):
        D360DownloadMediaOperator(task_id="down", media_id="1", path=path).execute({})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hosting", ["cloud", "on_premise"])
@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_bytes": len(PDF) - 1}, f"longer than {len(PDF) - 1} bytes"),
        ({"mime_types": ["image/png"]}, "is application/pdf that mime_types does not name"),
    ],
)
def test_a_file_beyond_the_limits_leaves_nothing_behind(
    d360_emulator, monkeypatch, tmp_path, hosting, limits, said
):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(hosting))
    key = next(key for key, number in d360_emulator.numbers.items() if number.hosting.name == hosting)
    media_id = d360_emulator.media.add(PDF, "application/pdf", key=key)
    operator = D360DownloadMediaOperator(
        task_id="down", media_id=media_id, path=str(tmp_path / "x.pdf"), retries=3, **limits
    )
    with pytest.raises(AirflowFailException, match=said):
        operator.execute({})
    assert list(tmp_path.iterdir()) == []


def test_a_file_within_the_limits_is_kept(d360_emulator, tmp_path):
    media_id = d360_emulator.media.add(PDF, "application/pdf")
    path = tmp_path / "x.pdf"
    D360DownloadMediaOperator(
        task_id="down", media_id=media_id, path=str(path), max_bytes=len(PDF), mime_types=["Application/PDF"]
    ).execute({})
    assert path.read_bytes() == PDF


@pytest.mark.parametrize("limits", [{"max_bytes": 0}, {"max_bytes": True}, {"mime_types": "image/png"}])
def test_a_limit_that_is_none_breaks_the_dag_file(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        D360DownloadMediaOperator(task_id="down", media_id="1", path="x", **limits)


def test_the_sandbox_has_no_media_and_says_so(d360_emulator, monkeypatch, report):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("sandbox"))
    for operator in (
        D360UploadMediaOperator(task_id="up", path=str(report)),
        D360DownloadMediaOperator(task_id="down", media_id="1", path=str(report)),
        D360DeleteMediaOperator(task_id="away", media_id="1"),
    ):
        with pytest.raises(AirflowFailException, match="sandbox hosting has no media"):
            operator.execute({})


@pytest.mark.parametrize("absent", ["", " ", "None", None])
def test_what_renders_to_nothing_is_refused_before_the_first_request(d360_emulator, absent):
    for operator, name in (
        (D360UploadMediaOperator(task_id="up", path=absent), "path"),
        (D360DownloadMediaOperator(task_id="down", media_id="1", path=absent), "path"),
        (D360DownloadMediaOperator(task_id="down", media_id=absent, path="x.pdf"), "media_id"),
        (D360DeleteMediaOperator(task_id="away", media_id=absent), "media_id"),
    ):
        with pytest.raises(AirflowFailException, match=f"{name} is (None|empty)"):
            operator.execute({})
    assert d360_emulator.requests == []


def test_a_csv_file_is_refused_unless_it_goes_out_as_plain_text(d360_emulator, tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("day,orders\n")
    with pytest.raises(AirflowFailException, match=r"The file is text/csv.*mime_type=\"text/plain\""):
        D360UploadMediaOperator(task_id="up", path=str(path)).execute({})
    assert d360_emulator.requests == []
    media_id = D360UploadMediaOperator(task_id="up", path=str(path), mime_type="text/plain").execute({})
    stored = d360_emulator.media.stored[media_id]
    assert (stored.mime_type, stored.filename) == ("text/plain", "orders.csv")
