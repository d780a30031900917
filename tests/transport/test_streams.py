"""Files over a real socket, in sync and in async: streamed, checked, and never half done."""

import io
import json

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_d360.api.endpoints import media
from airflow_provider_d360.api.endpoints.media import Media
from airflow_provider_d360.api.errors import D360RateLimitError, D360RequestError, D360UnavailableError
from airflow_provider_d360.api.hosting import CLOUD, ON_PREMISE, SANDBOX
from airflow_provider_d360.api.wire import Source
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.emulator.app import CLOUD_KEY, ON_PREMISE_KEY
from airflow_provider_d360.messages import document, image, template, template_card, text
from airflow_provider_d360.sending.media import download_media, upload_media, upload_paths, upload_sample
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.settings import ConnectionSettings

PDF = b"%PDF-1.7\r\n--limit--\r\n" + bytes(range(256)) * 3000
BOTH = pytest.mark.parametrize("hosting", [CLOUD, ON_PREMISE], ids=["cloud", "on_premise"])


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(PDF)
    return path


def stored(emulator):
    (the_file,) = emulator.media.stored.values()
    return the_file


@BOTH
@pytest.mark.parametrize("kind", ["text", "local", "object storage", "address"])
def test_a_file_is_uploaded_byte_for_byte_from_wherever_it_is(carrier, emulator, report, hosting, kind):
    path = {
        "text": str(report),
        "local": report,
        "object storage": ObjectStoragePath(f"file://{report}"),
        "address": f"file://{report}",
    }[kind]
    media_id = carrier.run(upload_media, path, hosting=hosting)
    assert stored(emulator).media_id == media_id
    assert stored(emulator).content == PDF
    assert stored(emulator).mime_type == "application/pdf"
    assert stored(emulator).filename == ("report.pdf" if hosting is CLOUD else "")
    headers = {name.lower(): value for name, value in emulator.requests[0].headers.items()}
    assert int(headers["content-length"]) == len(emulator.requests[0].body)
    assert "transfer-encoding" not in headers


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [({"kind": "image"}, "is application/pdf"), ({"mime_type": "nonsense"}, "mime_type")],
)
def test_a_file_that_whatsapp_does_not_take_costs_no_request(carrier, emulator, report, arguments, problem):
    with pytest.raises(D360RequestError, match=problem):
        carrier.run(upload_media, report, **arguments)
    assert emulator.requests == []


def test_a_missing_file_is_a_missing_file(carrier, emulator, tmp_path):
    with pytest.raises(FileNotFoundError):
        carrier.run(upload_media, tmp_path / "none.pdf")
    assert emulator.requests == []


def test_the_sandbox_takes_no_media(carrier, emulator, report):
    with pytest.raises(D360RequestError, match="sandbox hosting has no media upload"):
        carrier.run(upload_media, report, hosting=SANDBOX)


@pytest.mark.parametrize(
    "fault", [faults.too_many_requests(), faults.server_error(502), faults.accepted_and_cut_off()]
)
def test_an_upload_that_failed_begins_again_from_the_first_byte(carrier, emulator, report, fault):
    emulator.fail_next(fault)
    media_id = carrier.run(upload_media, report)
    assert emulator.media.stored[media_id].content == PDF
    assert len(emulator.requests) == 2
    assert len(carrier.waits) == 1


@BOTH
def test_a_file_that_shrinks_while_it_is_sent_is_an_error_of_this_machine(carrier, emulator, hosting):
    source = Source(500_000, lambda: io.BytesIO(bytes(300_000)))
    call = media.upload_media(hosting, source, "text/plain", filename="a", boundary="b")
    with pytest.raises(OSError, match="ends 200000 bytes early"):
        carrier.call(call, hosting=hosting, timeout_seconds=5)
    assert emulator.media.stored == {}
    assert carrier.waits == []


def test_a_file_that_cannot_be_opened_again_fails_with_its_own_error(carrier, emulator):
    opened = iter([io.BytesIO(b"abc")])

    def open_once():
        try:
            return next(opened)
        except StopIteration:
            raise PermissionError("gone") from None

    emulator.fail_next(faults.too_many_requests())
    call = media.upload_media(CLOUD, Source(3, open_once), "text/plain", filename="a", boundary="b")
    with pytest.raises(PermissionError, match="gone"):
        carrier.call(call)


@BOTH
def test_a_file_is_downloaded_checked_and_named(carrier, emulator, tmp_path, hosting):
    key = CLOUD_KEY if hosting is CLOUD else ON_PREMISE_KEY
    media_id = emulator.media.add(PDF, "application/pdf", key=key)
    target = tmp_path / "in" / "x.pdf"
    done = carrier.run(download_media, media_id, target, hosting=hosting)
    assert (done.path, target.read_bytes()) == (str(target), PDF)
    assert (done.media.size, done.media.mime_type) == (len(PDF), "application/pdf")
    assert list(target.parent.iterdir()) == [target]


def test_the_address_of_a_download_arrives_byte_for_byte_at_our_own_host(carrier, emulator, tmp_path):
    media_id = emulator.media.add(PDF, "application/pdf")
    carrier.run(download_media, media_id, tmp_path / "x")
    look_up, fetched = emulator.requests
    assert look_up.path == f"/{media_id}"
    assert fetched.path.endswith("%2f%7E~==")
    assert {name.lower(): value for name, value in fetched.headers.items()}["d360-api-key"] == CLOUD_KEY


@pytest.mark.parametrize(
    "make", [str, lambda path: ObjectStoragePath(f"file://{path}")], ids=["text", "object"]
)
def test_a_folder_gets_a_file_named_after_the_id(carrier, emulator, tmp_path, make):
    media_id = emulator.media.add(PDF, "application/pdf")
    done = carrier.run(download_media, media_id, make(tmp_path))
    assert done.path.endswith(f"/{media_id}.pdf")
    assert [path.name for path in tmp_path.iterdir()] == [f"{media_id}.pdf"]


def test_a_folder_that_is_not_there_yet_ends_with_a_slash_and_no_id_leads_out_of_it(
    carrier, emulator, tmp_path
):
    media_id = emulator.media.add(PDF, "application/pdf", media_id="../7")
    done = carrier.run(download_media, media_id, f"{tmp_path}/new/")
    assert done.path == f"{tmp_path}/new/_7.pdf"


def test_a_download_to_object_storage_is_moved_when_it_is_whole(carrier, emulator, tmp_path):
    media_id = emulator.media.add(PDF, "application/pdf")
    target = ObjectStoragePath(f"file://{tmp_path}/x.pdf")
    assert carrier.run(download_media, media_id, target).path == str(target)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pdf"]
    assert (tmp_path / "x.pdf").read_bytes() == PDF


ATTACHMENTS = "/whatsapp_business/attachments*"
BAD_DOWNLOADS = {
    "500": (faults.server_error(500), D360UnavailableError),
    "HTML": (faults.html_page(), D360UnavailableError),
    "cut midway": (faults.cut_midway(), D360UnavailableError),
    "cut off": (faults.accepted_and_cut_off(), D360UnavailableError),
    "reset": (faults.reset(), D360UnavailableError),
    "half of it": (faults.truncated_json(), D360UnavailableError),
    "other bytes": (faults.any_response(200, "other bytes"), D360UnavailableError),
    "429": (faults.too_many_requests(), D360RateLimitError),
    "404": (faults.any_response(404, {"error": "gone"}), D360RequestError),
    "a redirect": (faults.redirect("https://lookaside.fbsbx.com/x", 302), D360RequestError),
}


@pytest.mark.parametrize("case", BAD_DOWNLOADS)
@pytest.mark.parametrize("storage", ["local", "object"])
def test_a_bad_download_is_not_tried_again_and_leaves_what_was_there(
    carrier, emulator, tmp_path, case, storage
):
    fault, error = BAD_DOWNLOADS[case]
    target = tmp_path / "x.pdf"
    target.write_bytes(b"yesterday's")
    media_id = emulator.media.add(PDF, "application/pdf")
    emulator.fail_next(fault, path=ATTACHMENTS)
    path = target if storage == "local" else ObjectStoragePath(f"file://{target}")
    with pytest.raises(error):
        carrier.run(download_media, media_id, path)
    assert (len(emulator.requests), carrier.waits) == (2, [])
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"yesterday's"


def test_asking_for_an_address_is_not_tried_again_either(carrier, emulator, tmp_path):
    emulator.fail_next(faults.too_many_requests())
    with pytest.raises(D360RateLimitError):
        carrier.run(download_media, "1", tmp_path / "x")
    assert (len(emulator.requests), carrier.waits) == (1, [])
    assert list(tmp_path.iterdir()) == []


def test_an_address_is_good_for_five_minutes(carrier, emulator):
    now = [1_800_000_000.0]
    emulator.media.clock = lambda: now[0]
    media_id = emulator.media.add(PDF, "application/pdf")
    the_file = carrier.call(media.get_media(CLOUD, media_id))
    now[0] += 300
    assert carrier.call(media.download_media(CLOUD, the_file, io.BytesIO())).size == len(PDF)
    now[0] += 1
    with pytest.raises(D360RequestError, match="expired"):
        carrier.call(media.download_media(CLOUD, the_file, io.BytesIO()))


def test_an_address_may_not_be_changed(carrier, emulator):
    media_id = emulator.media.add(PDF, "application/pdf")
    the_file = carrier.call(media.get_media(CLOUD, media_id))
    with pytest.raises(D360RequestError, match="signature"):
        carrier.call(
            media.download_media(CLOUD, Media("1", the_file.address.replace("%2f", "%2F")), io.BytesIO())
        )


def test_a_full_disk_is_an_error_of_this_machine(carrier, emulator):
    class Full:
        def write(self, data):
            raise OSError("No space left on device")

    media_id = emulator.media.add(PDF, "application/pdf")
    the_file = carrier.call(media.get_media(CLOUD, media_id))
    with pytest.raises(OSError, match="No space left") as caught:
        carrier.call(media.download_media(CLOUD, the_file, Full()))
    assert type(caught.value) is OSError


def test_a_download_that_stalls_ends_in_time(carrier, emulator, tmp_path):
    media_id = emulator.media.add(b"%PDF" * 5, "application/pdf")
    the_file = carrier.call(media.get_media(CLOUD, media_id))
    emulator.fail_next(faults.slow_drip(30), path=ATTACHMENTS)
    with pytest.raises(D360UnavailableError, match="too long"):
        carrier.call(media.download_media(CLOUD, the_file, io.BytesIO()), timeout_seconds=0.5)


@BOTH
def test_a_deleted_file_is_gone(carrier, emulator, tmp_path, hosting):
    key = CLOUD_KEY if hosting is CLOUD else ON_PREMISE_KEY
    media_id = emulator.media.add(PDF, "application/pdf", key=key)
    assert carrier.call(media.delete_media(hosting, media_id), hosting=hosting) is None
    with pytest.raises(D360RequestError):
        carrier.run(download_media, media_id, tmp_path / "x", hosting=hosting)


def test_paths_in_a_message_become_ids_and_each_file_is_uploaded_once(carrier, emulator, report):
    picture = report.with_name("a.png")
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    cards = [template_card(header=image(path=str(picture)), body=["x"])]
    message = template("t", "en", header=image(path=str(picture)), cards=cards)
    changed = carrier.run(upload_paths, message)
    assert stored(emulator).mime_type == "image/png"
    assert json.dumps(changed).count(stored(emulator).media_id) == 2
    sent = carrier.run(upload_paths, document(path=str(report), caption="C"))["document"]
    assert (sent["filename"], sent["caption"], "path" in sent) == ("report.pdf", "C", False)


def test_a_message_without_a_path_costs_no_request(carrier, emulator):
    assert carrier.run(upload_paths, text("Hi")) == text("Hi")
    assert emulator.requests == []


def test_a_sample_becomes_a_handle(emulator, report):
    transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url))
    assert transport.run(upload_sample(transport.settings, report)).startswith("4::")
    transport.close()
    assert emulator.requests[1].body == PDF


@pytest.mark.parametrize("path", ["/x?a=%2f%7E~==", "/x?q=a b", "/x?q=ü", "/x/%zz/"])
def test_a_path_is_sent_as_it_is_wherever_http_can_carry_it(carrier, emulator, path):
    with pytest.raises(D360RequestError):
        carrier.call(media.download_media(CLOUD, Media("1", path), io.BytesIO()))
    expected = path.replace(" ", "%20").replace("ü", "%C3%BC")
    assert emulator.requests[0].path in (expected, expected.replace("%20", "+"))
