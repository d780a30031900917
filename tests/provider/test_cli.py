"""The canary: each step of the way is proven, and each kind of trouble has its own exit code."""

import json
import os
import socket
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import airflow
import pytest

from airflow_provider_d360 import cli
from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.notices import Level, NoticeEvent
from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.cli import check, notices
from airflow_provider_d360.emulator import Webhook, faults
from airflow_provider_d360.store.configured import configured_store
from airflow_provider_d360.transport.reachability import why_unserved
from tests import programs
from tests.web_servers import serving, untrusted_tls

pytestmark = pytest.mark.usefixtures("client")

TO = "+49 151 123456-89"


def run(capsys, *arguments):
    code = cli.main(["check", *arguments])
    return code, capsys.readouterr().out


def test_everything_right_is_four_findings_and_nothing_sent(d360_emulator, capsys):
    code, out = run(capsys)
    assert code == 0
    assert "✓ connection  d360_default: cloud at http://127.0.0.1" in out
    assert "✓ health      the number is AVAILABLE" in out
    assert "✓ notices     WhatsApp has reported nothing that is wrong now" in out
    assert "! webhook     none is set" in out
    assert d360_emulator.sent == []


def test_a_restricted_connection_says_so(d360_emulator, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(only_to="+1 650*"))
    code, out = run(capsys)
    assert code == 0
    assert "only_to names 1 recipient or prefix; messages to anybody else are refused" in out
    code, out = run(capsys, "--to", TO)
    assert code == 5
    assert "✗ message     This connection may not write to 49…89" in out
    assert d360_emulator.sent == []


def test_a_real_message_is_sent_when_a_number_is_given(d360_emulator, capsys):
    code, out = run(capsys, "--to", TO)
    assert code == 0
    assert f"✓ message     accepted for 49…89, message {short_id(d360_emulator.sent[0].message_id)}" in out
    assert "d360_default" in d360_emulator.sent[0].body["text"]["body"]


def test_a_template_is_sent_when_one_is_named(d360_emulator, capsys):
    assert run(capsys, "--to", TO, "--template", "alert", "--language", "de")[0] == 0
    template = d360_emulator.sent[0].body["template"]
    assert (template["name"], template["language"]["code"]) == ("alert", "de")
    values = [value["text"] for value in template["components"][0]["parameters"]]
    assert values[:2] == ["Test of the alerts", "airflow d360 check"]
    assert len(values) == 7


def test_a_template_for_nobody_is_a_command_called_wrongly(d360_emulator, capsys):
    assert run(capsys, "--template", "alert") == (2, "")
    assert d360_emulator.requests == []


@pytest.mark.parametrize(
    "words", [["--to", ""], ["--to", " "], ["--to", "+49 151 12345689", "--template", ""]]
)
def test_a_recipient_or_template_that_is_empty_is_no_success(d360_emulator, capsys, words):
    """As an unset variable of a shell leaves it: nothing would be sent, and the check would say that all is well."""
    assert run(capsys, *words)[0] == 2
    assert d360_emulator.requests == []


class WebServer(ThreadingHTTPServer):
    """Responds to each GET with its status, and keeps path and headers."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Web)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.status = 405
        self.stalls: threading.Event | None = None
        self.url = self.certificate = ""


class Web(BaseHTTPRequestHandler):
    """Handles one connection of a ``WebServer``."""

    server: WebServer

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        if self.server.stalls:
            self.server.stalls.wait(20)
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    server = WebServer()
    server.url = f"http://localhost:{server.server_port}"
    with serving(server):
        yield server


@pytest.fixture
def secure_web(tmp_path):
    """Serve over TLS, with a certificate that nobody trusts."""
    context, certificate = untrusted_tls(tmp_path)
    server = WebServer()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.url, server.certificate = f"https://localhost:{server.server_port}", str(certificate)
    with serving(server):
        yield server


@pytest.fixture
def closed_port():
    """Return a URL on a port that is bound by us and listened on by nobody."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/d360/webhook"


def set_webhook(emulator, url, **headers):
    emulator.numbers["cloud-key"].webhook = Webhook(url, headers)


def test_a_served_webhook_is_shown_without_its_query(d360_emulator, secure_web, monkeypatch, capsys):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", secure_web.certificate)
    set_webhook(d360_emulator, f"{secure_web.url}/d360?token=canary", Authorization="Basic Y2FuYXJ5")
    code, out = run(capsys)
    assert code == 0
    assert f"✓ webhook     deliveries go to {secure_web.url}/d360\n" in out
    ((path, headers),) = secure_web.seen
    assert path == "/d360?token=canary"
    assert {name.lower() for name in headers}.isdisjoint({"authorization", "d360-api-key"})


def test_a_login_in_the_url_of_a_webhook_is_neither_sent_nor_shown(d360_emulator, web, capsys):
    set_webhook(d360_emulator, web.url.replace("//", "//ann:canary@") + "/hook")
    code, out = run(capsys)
    assert code == 0
    assert "Authorization" not in web.seen[0][1]
    assert "canary" not in out


@pytest.mark.parametrize("status", [200, 204, 301, 307, 400, 401, 403, 405, 410, 429])
def test_whoever_responds_serves_the_webhook(web, status):
    web.status = status
    assert why_unserved(web.url) is None
    assert len(web.seen) == 1


@pytest.mark.parametrize("status", [404, 500, 502, 503, 504, 530])
def test_a_webhook_that_is_not_found_or_broken_is_served_by_nobody(d360_emulator, web, capsys, status):
    web.status = status
    set_webhook(d360_emulator, f"{web.url}/hook?token=canary")
    code, out = run(capsys, "--to", TO)
    assert code == check.UNSERVED
    assert (
        f"✗ webhook     nobody serves the webhook's URL {web.url}/hook, seen from here (HTTP {status}). "
        in out
    )
    assert "canary" not in out
    assert d360_emulator.sent == []


def test_a_webhook_on_a_closed_port_fails_with_a_remedy(d360_emulator, closed_port, capsys):
    set_webhook(d360_emulator, closed_port)
    code, out = run(capsys, "--output", "json")
    finding = json.loads(out)["steps"][-1]
    assert (code, finding["step"], finding["state"]) == (8, "webhook", "failed")
    assert "Connection refused" in finding["text"]
    assert "Start the receiver" in finding["text"]
    assert "--to … --wait" in finding["text"]


@pytest.mark.parametrize(
    "url", ["https://hooks.example/d360", "https://", "https://[", "https://a..b/", "nonsense"]
)
def test_a_webhook_without_a_host_that_exists_is_served_by_nobody(d360_emulator, capsys, url):
    set_webhook(d360_emulator, url)
    assert run(capsys)[0] == 8


def test_a_webhook_with_an_untrusted_certificate_is_served_by_nobody(
    d360_emulator, secure_web, monkeypatch, capsys
):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    set_webhook(d360_emulator, secure_web.url)
    code, out = run(capsys)
    assert code == 8
    assert "self" in out
    assert "certificate" in out
    assert secure_web.seen == []


def test_a_webhook_that_stalls_is_given_up_in_time(web):
    web.stalls = threading.Event()
    assert why_unserved(web.url, 0.3) == "it took too long"
    web.stalls.set()


@pytest.fixture
def store(tmp_path, monkeypatch):
    """Configure a store of its own, and poll it more often than each second."""
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    monkeypatch.setattr(check, "_POLL_SECONDS", 0.05)
    with closing(configured_store()) as store:
        yield store


@pytest.fixture
def report(d360_emulator, store):
    """Write statuses of the message, one after the other, once it has been sent."""
    threads = []

    def write(*statuses):
        while not d360_emulator.sent:
            time.sleep(0.02)
        message_id = d360_emulator.sent[0].message_id
        for status in statuses:
            event = {"id": message_id, "recipient_id": "4915112345689", **status}
            store.add(read_events({"statuses": [event]}), time.time())
            time.sleep(0.1)

    def start(*statuses):
        threads.append(threading.Thread(target=write, args=statuses, daemon=True))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(10)


def test_a_delivered_message_proves_a_webhook_that_is_not_reached_from_here(
    d360_emulator, closed_port, report, capsys
):
    set_webhook(d360_emulator, closed_port)
    report({"status": "sent"}, {"status": "delivered"})
    code, out = run(capsys, "--to", TO, "--wait")
    message_id = d360_emulator.sent[0].message_id
    assert code == 0
    assert "! webhook     nobody serves the webhook's URL http://127.0.0.1" in out
    assert f"✓ status      message {short_id(message_id)} is delivered: the webhook works\n" in out
    assert message_id not in out


def test_a_message_that_is_only_sent_proves_the_webhook(d360_emulator, report, capsys):
    report({"status": "sent"})
    code, out = run(capsys, "--to", TO, "--wait", "1")
    assert code == 0
    assert (
        "is sent: the webhook works, but the message was not delivered within 1 s; the phone may be off"
        in out
    )


def test_a_message_that_fails_later_is_an_error_with_its_reason(d360_emulator, report, capsys):
    failure = {"code": 131047, "title": "Re-engagement message"}
    report({"status": "failed", "errors": [failure]})
    code, out = run(capsys, "--to", TO, "--wait", "20")
    assert code == 5
    assert "✗ status      131047 Re-engagement message" in out
    assert "approved template" in out


def test_no_status_in_time_fails_with_a_remedy(d360_emulator, store, capsys):
    code, out = run(capsys, "--to", TO, "--wait", "0.3")
    assert code == check.NO_STATUS == 9
    message = short_id(d360_emulator.sent[0].message_id)
    assert (
        f"✗ status      no status of message {message} came within 0.3 s. Look whether the receiver runs"
        in out
    )


def test_nothing_is_sent_when_the_store_cannot_be_used(d360_emulator, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "nowhere")
    code, out = run(capsys, "--to", TO, "--wait", "1")
    assert code == 9
    assert "✗ store       the store cannot be used" in out
    assert "Nothing was sent" in out
    assert d360_emulator.sent == []


def test_a_hosting_without_message_ids_cannot_be_waited_for(d360_emulator, store, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection("sandbox"))
    code, out = run(capsys, "--to", TO, "--wait", "1")
    assert code == 9
    assert "✗ status      this hosting gives its messages no id" in out


def test_waiting_for_no_message_is_a_command_called_wrongly(d360_emulator, capsys):
    assert run(capsys, "--wait") == (2, "")
    assert d360_emulator.requests == []


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "soon", "86401"])
def test_a_wait_that_is_no_number_of_seconds_is_a_command_called_wrongly(capsys, seconds):
    with pytest.raises(SystemExit) as caught:
        cli.main(["check", "--to", TO, f"--wait={seconds}"])
    assert caught.value.code == 2


@pytest.mark.parametrize("hosting", ["on_premise", "sandbox"])
def test_the_other_hostings_are_checked_as_far_as_they_go(d360_emulator, monkeypatch, capsys, hosting):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", d360_emulator.connection(hosting))
    code, out = run(capsys, "--to", TO)
    assert code == 0
    assert ("! health" in out) == (hosting == "sandbox")
    assert len(d360_emulator.sent) == 1


def wrong_key(emulator, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", emulator.connection().replace("cloud-key", "wrong-key"))


def unreachable(emulator, monkeypatch):
    there = json.loads(emulator.connection(max_attempts=1))
    monkeypatch.setenv("AIRFLOW_CONN_D360_DEFAULT", json.dumps({**there, "host": "http://127.0.0.1:9"}))


TROUBLE = {
    "no connection": (lambda e, m: m.delenv("AIRFLOW_CONN_D360_DEFAULT"), "connection", 3, "is not defined"),
    "a wrong field": (
        lambda e, m: m.setenv("AIRFLOW_CONN_D360_DEFAULT", e.connection(hosting="cloud").replace('"cloud"', '"clod"')),
        "connection",
        3,
        "extra 'hosting'",
    ),
    "a wrong key": (wrong_key, "health", 4, "API key"),
    "a blocked number": (lambda e, m: setattr(e, "can_send_message", "BLOCKED"), "health", 4, "360dialog Hub"),
    "a closed window": (lambda e, m: e.reject(131047), "message", 5, "approved template"),
    "an unreachable host": (unreachable, "health", 6, "Nothing was sent"),
    "a wrong message": (lambda e, m: e.reject(132001), "message", 3, "name and language"),
    "a lost answer": (
        lambda e, m: e.fail_next(faults.accepted_and_cut_off(), path="/messages"), "message", 7, "before sending it again"),
}  # fmt: skip


@pytest.mark.parametrize(("cause", "step", "code", "said"), TROUBLE.values(), ids=TROUBLE)
def test_each_trouble_stops_at_its_step_with_its_exit_code(
    d360_emulator, monkeypatch, capsys, cause, step, code, said
):
    cause(d360_emulator, monkeypatch)
    ended, out = run(capsys, "--to", TO, "--output", "json")
    answer = json.loads(out)
    assert (ended, answer["exit_code"], answer["ok"]) == (code, code, False)
    assert (answer["steps"][-1]["step"], answer["steps"][-1]["state"]) == (step, "failed")
    assert said in answer["steps"][-1]["text"]
    for private in ("4915112345689", "cloud-key", "wrong-key"):
        assert private not in out


def test_a_limited_number_is_a_warning(d360_emulator, capsys):
    d360_emulator.can_send_message = "LIMITED"
    code, out = run(capsys)
    assert code == 0
    assert "! health" in out


def test_a_wrong_call_ends_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["check", "--colour"])
    assert caught.value.code == 2


def test_the_help_explains_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["check", "--help"])
    out = capsys.readouterr().out
    assert all(f"  {code}  " in out for code in {0, 2, 8, 9, 10, *check.EXIT_CODES.values()})


def environment(d360_emulator):
    return {**os.environ, "AIRFLOW_CONN_D360_DEFAULT": d360_emulator.connection()}


def test_the_module_runs_as_a_command(d360_emulator):
    command = ["-m", "airflow_provider_d360", "check", "--output", "json"]
    done = programs.run(*command, environment=environment(d360_emulator))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.skipif(airflow.__version__ < "3.2", reason="Airflow takes commands from providers since 3.2")
def test_airflow_offers_the_command(d360_emulator):
    command = ["-m", "airflow", "d360", "check", "--to", TO, "--wait", "0.1"]
    done = programs.run(*command, environment=environment(d360_emulator))
    assert done.returncode == 9, done.stderr
    assert "✓ message" in done.stdout
    assert len(d360_emulator.sent) == 1


def reported(store, state="PAUSED", level=Level.FAILED, about="template", name="alert (en)", kind="status"):
    store.add([NoticeEvent(about, name, kind, state, level, "FIRST_PAUSE", time.time())], time.time())


def test_a_paused_template_is_a_warning_with_what_to_do(d360_emulator, store, capsys):
    reported(store)
    code, out = run(capsys)
    assert code == 0
    assert (
        "! notices     Template alert (en): status PAUSED (FIRST_PAUSE). Messages with this template" in out
    )
    assert "another approved template" in out


def test_the_paused_template_of_the_alerts_fails_before_anything_is_sent(d360_emulator, store, capsys):
    reported(store)
    code, out = run(capsys, "--to", TO, "--template", "alert")
    assert code == notices.STOPPED == 10
    assert "✗ notices     Template alert (en): status PAUSED" in out
    assert d360_emulator.sent == []
    assert run(capsys, "--to", TO, "--template", "aler")[0] == 0


@pytest.mark.parametrize(
    ("level", "code", "sign"), [(Level.FAILED, 10, "✗"), (Level.WARNING, 0, "!"), (Level.OK, 0, "✓")]
)
def test_a_restricted_account_stops_everything(d360_emulator, store, capsys, level, code, sign):
    reported(store, "RESTRICTED", level, "account", "102290129340398", "restriction")
    ended, out = run(capsys)
    assert ended == code
    assert f"{sign} notices" in out
    assert "102290129340398" not in out


def test_an_unhealthy_number_is_a_warning_without_the_number(d360_emulator, store, capsys):
    reported(store, "FLAGGED", Level.WARNING, "number", "4930901820", "quality")
    code, out = run(capsys)
    assert code == 0
    assert "! notices     Number 49…20: quality FLAGGED" in out
    assert "4930901820" not in out


def test_a_store_that_cannot_be_read_does_not_hide_the_rest(d360_emulator, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW__D360__STORE_CONN_ID", "nowhere")
    code, out = run(capsys)
    assert code == 0
    assert "! notices     what WhatsApp reports is not known, the store cannot be read" in out
    assert "! webhook" in out


def test_the_result_is_a_file_for_prometheus(d360_emulator, tmp_path, monkeypatch, capsys):
    file = tmp_path / "d360.prom"
    assert run(capsys, "--prometheus", str(file))[0] == 0
    ok, code, at = (line for line in file.read_text().splitlines() if not line.startswith("#"))
    assert (ok, code) == (
        'd360_check_ok{conn_id="d360_default"} 1',
        'd360_check_exit_code{conn_id="d360_default"} 0',
    )
    assert abs(float(at.split()[1]) - time.time()) < 60
    wrong_key(d360_emulator, monkeypatch)
    assert run(capsys, "--prometheus", str(file))[0] == 4
    assert 'd360_check_ok{conn_id="d360_default"} 0\n' in file.read_text()
    assert 'd360_check_exit_code{conn_id="d360_default"} 4\n' in file.read_text()
    assert list(tmp_path.glob("d360.prom*")) == [file]


def test_a_result_that_cannot_be_written_is_no_success(d360_emulator, tmp_path, capsys):
    assert run(capsys, "--prometheus", str(tmp_path / "nowhere" / "d360.prom"))[0] == 2


def test_a_check_makes_no_store_that_others_could_not_write(d360_emulator, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(tmp_path / "d360.sqlite"))
    code, out = run(capsys)
    assert code == 0
    assert "✓ notices     WhatsApp has reported nothing" in out
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_damaged_does_not_hide_the_rest(d360_emulator, tmp_path, monkeypatch, capsys):
    file = tmp_path / "d360.sqlite"
    file.write_text("dear diary, this is no database " * 100)
    monkeypatch.setenv("AIRFLOW__D360__STORE_PATH", str(file))
    code, out = run(capsys)
    assert code == 0
    assert "! notices     what WhatsApp reports is not known, the store cannot be read: " in out
