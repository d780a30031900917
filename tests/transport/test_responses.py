"""Responses over a real socket: waits, charsets and unknown things, blocking and not."""

import json
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_d360.api.endpoints import media, messages, templates, webhooks
from airflow_provider_d360.api.errors import D360AuthError, D360RateLimitError, D360RequestError
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.api.wire import Response
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.messages import text
from tests.web_servers import serving

SEND = messages.send_message(CLOUD, "4915112345689", text("Hi"))


class Bare(BaseHTTPRequestHandler):
    """Responds with 429 and a date to retry after, without a ``Date`` of its own."""

    def do_GET(self):
        self.send_response_only(429)
        after = datetime.now(timezone.utc) + timedelta(seconds=40)
        self.send_header("Retry-After", format_datetime(after, usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_date_to_retry_after_counts_from_the_arrival_when_a_server_gives_no_date(emulator, carrier):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bare)
    emulator.url = f"http://127.0.0.1:{server.server_port}"
    with serving(server), pytest.raises(D360RateLimitError) as caught:
        carrier.call(webhooks.get_webhook(CLOUD), max_attempts=1)
    assert caught.value.detail.retry_after_seconds == pytest.approx(40, abs=5)


@pytest.mark.parametrize("after", ["12", " 12 ", 12])
def test_the_wait_that_a_response_asks_for_is_kept(emulator, carrier, after):
    emulator.fail_next(faults.too_many_requests(retry_after=after))
    carrier.call(SEND)
    assert carrier.waits == [pytest.approx(13.2)]


@pytest.mark.parametrize("code", [4, 80007, 80008, 130429])
def test_a_wrapped_rate_limit_is_waited_for(emulator, carrier, code):
    wrapped = {
        "meta": {"success": False, "developer_message": f"upstream {json.dumps({'error': {'code': code}})}"}
    }
    emulator.fail_next(faults.any_response(500, wrapped))
    carrier.call(SEND)
    assert len(carrier.waits) == len(emulator.sent) == 1


def test_an_unknown_template_and_an_unknown_media_id_have_their_own_remedies(emulator, carrier):
    with pytest.raises(D360RequestError, match="template's name and language"):
        carrier.call(templates.delete_template(CLOUD, "nobody"))
    with pytest.raises(D360RequestError) as caught:
        carrier.call(media.get_media(CLOUD, "1234"))
    assert "host" not in caught.value.detail.remedy


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-8", "utf-16"])
def test_a_response_in_another_charset_than_declared_or_expected_is_read(emulator, carrier, encoding):
    body = '{"error": {"code": 190, "message": "Ungültig: invalid key"}}'.encode(encoding)
    response = Response(400, {"content-type": "application/json; charset=iso-8859-1"}, body)
    emulator.fail_next(faults.Fault(response=response, accepts=False))
    with pytest.raises(D360AuthError, match="…: invalid key"):
        carrier.call(SEND)
