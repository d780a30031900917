"""The receiver, through its HTTP door."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import http.client
import json
import random
import socket
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, EmulatorServer
from airflow_provider_d360.receiver.admission import NoCredentialsError
from airflow_provider_d360.receiver.app import create_app
from airflow_provider_d360.store import State, Store
from airflow_provider_d360.store.incoming import INBOX
from airflow_provider_d360.store.raw import RAW_TYPE
from tests.core.deliveries import DELIVERIES
from tests.receiver.doors import LOGIN, change, post, served, standalone, statuses
from tests.receiver.killing import lost_after_kills
from tests.store.entries import entry, record

GOOD = {"id": "good", "status": "sent", "timestamp": "1700000001", "recipient_id": "4915112345678"}


def with_good(item: object) -> bytes:
    body = {"object": "x", "entry": [{"changes": [change({"statuses": [item, GOOD], "messages": [item]})]}]}
    return json.dumps(body).encode()


@pytest.mark.parametrize("path", ["/webhook", "/webhook/", "/"])
def test_what_is_delivered_is_in_the_store_when_the_answer_comes(port, store, path):
    message = {
        "from": "4915112345678",
        "id": "m",
        "timestamp": "1700000002",
        "type": "text",
        "text": {"body": "Hi"},
    }
    assert post(port, {**statuses(("a", "sent"), ("a", "read")), "more": "unknown"}, path=path) == 200
    assert post(port, {"messages": [message]}, path=path) == 200
    assert [(kept.status, kept.at) for kept in store.statuses.history("a")] == [
        ("sent", 1700000001.0),
        ("read", 1700000001.0),
    ]
    assert [kept.content for kept in store.inbox.messages(since=0.0)] == [message]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic ZDM2MDp3cm9uZw=="},
        {"Authorization": LOGIN["Authorization"] + "="},
        {"Authorization": LOGIN["Authorization"].lower()},
        {"X-Authorization": LOGIN["Authorization"]},
    ],
)
def test_without_the_credentials_nothing_is_stored(port, store, headers):
    assert post(port, statuses(("a", "sent")), headers) == 401
    assert store.count()["statuses"] == 0


def test_a_header_that_is_appended_on_the_way_does_not_replace_the_callers(port, store):
    assert post(port, statuses(("a", "sent")), {**LOGIN, "authorization": "Bearer of somebody else"}) == 200
    assert post(port, statuses(("b", "sent")), {"authorization": "Bearer", **LOGIN}) == 401
    assert store.statuses.current("ab").keys() == {"a"}


def test_any_whole_set_of_credentials_admits(store):
    new = {"Authorization": "Basic bmV3", "X-Token": "t"}
    with served(create_app(store, [LOGIN, new])) as port:
        assert post(port, statuses(("a", "sent")), LOGIN) == 200
        assert post(port, statuses(("b", "sent")), {"authorization": "Basic bmV3", "x-token": "t"}) == 200
        assert post(port, statuses(("c", "sent")), {"Authorization": "Basic bmV3"}) == 401
        assert post(port, statuses(("d", "sent")), {"X-Token": "t"}) == 401
    assert store.statuses.current("abcd").keys() == {"a", "b"}


@pytest.mark.parametrize("credentials", [[], [{}], [LOGIN, {}], [{"Authorization": ""}], [{"X": " "}]])
def test_a_receiver_that_anybody_could_use_is_not_made(tmp_path, credentials):
    with pytest.raises(NoCredentialsError, match="webhook_username"):
        create_app(Store(f"sqlite:///{tmp_path}/x"), credentials)


@pytest.mark.parametrize("prefix", ["", "sha256=", "SHA256="])
@pytest.mark.parametrize("upper", [False, True])
def test_with_a_platform_secret_the_body_must_be_signed(store, prefix, upper):
    body = json.dumps(statuses(("a", "sent"))).encode()
    signature = hmac.new(b"platform", body, hashlib.sha256).hexdigest()
    signature = prefix + (signature.upper() if upper else signature)
    with served(create_app(store, [LOGIN], platform_secret="platform")) as port:
        assert post(port, body, {**LOGIN, "x-360dialog-signature": signature}) == 200
        assert post(port, body + b" ", {**LOGIN, "x-360dialog-signature": signature}) == 401
        assert post(port, body, {"x-360dialog-signature": signature}) == 401
        assert post(port, body, LOGIN) == 401


def test_a_body_over_the_limit_is_refused_before_it_is_read(port, store):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as raw:
        head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nAuthorization: {LOGIN['Authorization']}\r\n"
        raw.sendall(f"{head}Content-Length: 10001\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413")
    assert post(port, b" " * 5_000_000) == 413
    assert post(port, json.dumps(statuses(("a", "sent"))).encode().ljust(10_000)) == 200
    assert store.count()["statuses"] == 1


def test_a_body_whose_length_is_not_told_is_counted_while_it_comes(port, store):
    def deliver(*pieces: bytes) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/webhook", iter(pieces), headers, encode_chunked=True)
        with connection.getresponse() as answer:
            return answer.status

    headers = {**LOGIN, "Transfer-Encoding": "chunked"}
    body = json.dumps(statuses(("a", "sent"))).encode()
    assert deliver(body[:50], body[50:]) == 200
    assert deliver(body, b" " * 6000, b" " * 6000) == 413
    assert store.count()["statuses"] == 1


def test_a_packed_body_is_read_and_its_signature_covers_what_was_sent(store):
    body = gzip.compress(json.dumps(statuses(("a", "sent"))).encode())
    headers = {**LOGIN, "Content-Encoding": "gzip"}
    signature = hmac.new(b"platform", body, hashlib.sha256).hexdigest()
    with served(create_app(store, [LOGIN], platform_secret="platform", max_body_bytes=10_000)) as port:
        assert post(port, body, {**headers, "x-360dialog-signature": signature}) == 200
        bomb = gzip.compress(b" " * 1_000_000)
        signature = hmac.new(b"platform", bomb, hashlib.sha256).hexdigest()
        assert post(port, bomb, {**headers, "x-360dialog-signature": signature}) == 413
    assert "a" in store.statuses.current("a")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/webhook"), ("HEAD", "/webhook"), ("PUT", "/"), ("POST", "/health"), ("POST", "/x")],
)
def test_nothing_else_is_served(port, method, path):
    assert post(port, b"", method=method, path=path) in (404, 405)


def test_whoever_hangs_up_leaves_nothing_behind(port, store):
    with socket.create_connection(("127.0.0.1", port)) as raw:
        head = f"POST /webhook HTTP/1.1\r\nHost: x\r\nAuthorization: {LOGIN['Authorization']}\r\n"
        raw.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
    assert post(port, statuses(("a", "sent"))) == 200
    assert store.count()["statuses"] == 1


HOSTILE = [
    b"",
    b"\0",
    b"{",
    b"null",
    b"[]",
    b"NaN",
    b"\xff\xfe{\0}\0",
    b'{"statuses":' * 600,
    b"[" * 9000,
    b'{"a":' * 1800,
    b'{"statuses": ' + b"9" * 9000 + b"}",
    b'"\\ud800"',
    b'{"statuses": "\\u0000"}',
    b"<xml/>",
    b"statuses=1",
    b'{"object":"whatsapp_business_account","entry":{"changes":1}}',
    b"\x1f\x8b\x08\x00garbage",
]


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_bodies_are_answered_and_forgotten(port, store, body):
    assert post(port, body) == 200
    assert store.count()["statuses"] == 0
    assert post(port, statuses(("a", "sent"))) == 200


@pytest.mark.parametrize(
    "item",
    [
        b'{"id":"bad\\u0000","status":"sent","timestamp":NaN,"recipient_id":"\\ud800"}',
        b'{"id":"bad","status":"sent","timestamp":' + b"9" * 4400 + b"}",
        b'{"id":"bad","status":"sent","timestamp":-Infinity,"recipient_id":{"a":[1e999]}}',
        b'{"id":"bad\xff\xfe","status":"sent"}',
        b'{"id":"bad","status":"failed","errors":[{"code":' + b"9" * 30 + b',"title":{},"error_data":[]}]}',
        b'{"id":"bad","status":"sent","biz_opaque_callback_data":"' + b"x" * 4000 + b'"}',
        b'{"id":"bad","status":"se\nnt"}',
        b"[" * 200 + b"]" * 200,
    ],
)
def test_a_hostile_item_does_not_keep_the_good_one_out(port, store, item):
    body = with_good("HERE").replace(b'"HERE"', item)
    assert post(port, body) == 200
    assert "good" in store.statuses.current(["good"])


def test_no_mutilated_body_is_answered_otherwise(tmp_path):
    """Bytes are cut, doubled, flipped and overwritten, from a seed that makes every run the same."""
    chance = random.Random(360)  # noqa: S311
    store = Store(f"sqlite:///{tmp_path}/store.sqlite")
    valid = with_good(
        {"id": "a", "status": "failed", "errors": [{"code": 1, "title": "t"}], "timestamp": "1"}
    )
    with served(create_app(store, [LOGIN])) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        answers = set()
        for _ in range(600):
            body = bytearray(valid)
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(len(body))
                piece = chance.choice(
                    [b"", b"\0", b"\xff", b'"', b"{", b"[", b"}", b"NaN", b"\\ud800", b"1e999"]
                )
                body[at : at + chance.randint(0, 20)] = piece
            connection.request("POST", "/webhook", bytes(body), LOGIN)
            with connection.getresponse() as answer:
                answer.read()
                answers.add(answer.status)
        assert answers == {200}
        assert post(port, valid) == 200
    assert store.statuses.current(["good"])["good"].status == "sent"
    store.close()


async def test_a_delivery_of_three_megabytes_does_not_block_the_event_loop(store):
    """The loop's thread works for a small part of it; how long anything takes depends on the machine."""
    body = json.dumps(statuses(*((f"m{number}", "sent") for number in range(26_000)))).encode()
    assert 2_400_000 < len(body) < 3_000_000
    receiver = create_app(store, [LOGIN])
    in_loop, in_all = time.thread_time(), time.process_time()
    assert await _deliver(receiver, body) == 200
    assert time.thread_time() - in_loop < 0.2 * (time.process_time() - in_all)
    assert store.count()["statuses"] == 26_000


async def _deliver(receiver: Any, body: bytes) -> int:
    """Deliver in the event loop of the test."""
    headers = [(name.lower().encode(), value.encode()) for name, value in LOGIN.items()]
    scope = {"type": "http", "method": "POST", "path": "/webhook", "headers": headers, "query_string": b""}
    responses: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    async def send(message: object) -> None:
        responses.append(message)

    await receiver(scope, receive, send)
    return int(responses[0]["status"])


BEFORE = {"id": "before", "status": "sent"}


@pytest.mark.parametrize(
    "item",
    [
        {"id": "x" * 257, "status": "sent"},
        {"id": 12345, "status": "sent"},
        {"id": ["x"], "status": "sent"},
        {"status": "sent", "timestamp": "1700000001"},
        {"id": "x", "status": None},
        {"id": "x", "status": "y" * 300},
        "lost",
        None,
    ],
)
def test_an_item_that_is_not_understood_is_stored_as_it_is(port, store, item, caplog):
    body = {"messaging_product": "whatsapp", "statuses": [BEFORE, item, item]}
    assert post(port, body) == 200
    assert raw_contents(store) == [item]
    assert store.statuses.current(["before"])
    assert store.inbox.messages(since=0.0) == []
    assert "Stored 2 items of deliveries that are not understood" in caplog.text


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<xml/>", {}),
        (b"payload=%7B%7D", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"--x\r\n\r\nlost\r\n--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
        (b'{"statuses": [', {}),
        (b"[" * 5000, {}),
        (b"[" * 4000 + b"]" * 4000, {}),
        (b'{"a":"\0"', {}),
    ],
)
def test_a_body_that_is_not_json_is_stored_as_it_is(port, store, body, headers):
    assert post(port, body, {**LOGIN, **headers}) == 200
    assert raw_contents(store) == [body.decode()]


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "nonsense"])
def test_an_encoding_that_cannot_be_undone_is_rejected_and_logged(port, store, encoding, caplog):
    assert post(port, statuses(("a", "sent")), {**LOGIN, "Content-Encoding": encoding}) == 415
    assert store.count()["statuses"] == 0
    assert "Content-Encoding" in caplog.text
    assert post(port, statuses(("a", "sent")), {"Content-Encoding": encoding}) == 401


def test_several_members_and_lines_are_all_stored(port, store):
    lines = [json.dumps(statuses((name, "sent"))).encode() + b"\n" for name in "abc"]
    packed = b"".join(map(gzip.compress, lines))
    assert post(port, packed, {**LOGIN, "Content-Encoding": "gzip"}) == 200
    assert store.statuses.current("abc").keys() == {"a", "b", "c"}


@pytest.mark.parametrize("topic", ["history", "smb_message_echoes"])
def test_what_is_not_stored_on_purpose_is_counted_in_the_log(port, store, topic, caplog):
    value = {"messaging_product": "whatsapp", topic: [{"id": "x"}], "messages": [{"id": "x", "type": "text"}]}
    assert post(port, {"entry": [{"changes": [{"field": topic, "value": value}]}]}) == 200
    assert store.count()["inbox"] == 0
    assert (
        f"Accepted 1 items of deliveries that are not stored on purpose, the last ones: 1 {topic}"
        in caplog.text
    )


def test_an_empty_body_is_counted_in_the_log(port, caplog):
    assert post(port, b"[]") == 200
    assert "the last ones: 1 empty" in caplog.text
    assert post(port, b"") == 200


def raw_contents(store: Store) -> list[object]:
    query = select(INBOX.c.content).where(INBOX.c.type == RAW_TYPE)
    return [json.loads(text) for text in store._database.read(lambda c: c.execute(query).scalars().all())]


def test_load_balancers_are_told_whether_the_store_answers(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    store = Store(f"sqlite:///{place}/store.sqlite", retry_seconds=0.1)
    with served(create_app(store, [LOGIN])) as port:
        assert post(port, b"", {}, "/health", "GET") == 200
        store.close()
        place.rename(tmp_path / "elsewhere")
        store._health._valid_until = 0.0
        assert post(port, b"", {}, "/health", "GET") == 503


def test_while_the_store_is_away_the_delivery_is_to_come_again(tmp_path, caplog):
    store = Store(f"sqlite:///{tmp_path}/store.sqlite", retry_seconds=0.1)
    store.check_writable()
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    with served(create_app(store, [LOGIN])) as port:
        other.execute("BEGIN IMMEDIATE")
        assert post(port, statuses(("a", "sent"))) == 503
        assert post(port, b"[]") == 200, "there is nothing to store in it"
        other.execute("ROLLBACK")
        assert post(port, statuses(("a", "sent"))) == 200
    assert store.count()["statuses"] == 1
    assert "sends them again" in caplog.text
    store.close()
    other.close()


def test_no_log_tells_what_was_in_a_delivery(port, caplog):
    caplog.set_level("DEBUG")
    secret = {"id": "m", "from": "4915112345678", "type": "text", "text": {"body": "my secret"}}
    post(port, {"messages": [secret]})
    post(port, {"messages": [secret]}, {"Authorization": "Basic wrong-login"})
    for _ in range(3):
        post(port, b'{"messages": ["my secret 4915112345678"')
        post(port, {"entry": [{"changes": [{"field": "my secret", "value": {}}]}]})
    told = [
        word
        for word in ("4915112345678", "my secret", "wrong-login", LOGIN["Authorization"])
        if word in caplog.text
    ]
    assert told == []
    assert caplog.text.count("without valid credentials") == 1
    assert caplog.text.count("not understood") == 1


def test_deliveries_of_all_shapes_are_stored(store):
    with served(create_app(store, [LOGIN])) as port:
        assert [post(port, body) for body, _ in DELIVERIES.values()] == [200] * len(DELIVERIES)
    wanted = {event[:2] for _, events in DELIVERIES.values() for event in events}
    assert {("s", kept.status) for kept in store.statuses.history("s")} == {
        key for key in wanted if key[0] == "s"
    }
    assert [(kept.message_id, kept.sender) for kept in store.inbox.messages(since=0.0)] == [
        ("m", "4915112345678")
    ]


def test_the_emulators_deliveries_arrive_and_settle_what_was_sent(store):
    record(store, entry(None, id="e", intent="intent-1", state=State.UNKNOWN))
    with (
        served(create_app(store, [LOGIN])) as port,
        EmulatorServer(Emulator(deliver_to=f"http://127.0.0.1:{port}")) as server,
    ):
        api = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=60)

        def call(path: str, body: object) -> dict[str, object]:
            api.request(
                "POST",
                path,
                json.dumps(body),
                {"D360-API-KEY": CLOUD_KEY, "Content-Type": "application/json"},
            )
            return json.loads(api.getresponse().read())  # type: ignore[no-any-return]

        call("/v1/configs/webhook", {"url": "https://hooks.example.com/webhook", "headers": LOGIN})
        sent = call(
            "/messages",
            {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": "4915112345678",
                "type": "text",
                "text": {"body": "Hi"},
                "biz_opaque_callback_data": "intent-1",
            },
        )
        message_id = sent["messages"][0]["id"]  # type: ignore[index]
        server.emulator.wait_for_statuses(message_id, timeout_seconds=10.0)
        assert {delivery.state for delivery in server.emulator.wait_for_deliveries(10.0)} == {"delivered"}
        api.close()
    assert [kept.status for kept in store.statuses.history(message_id)] == ["sent", "delivered", "read"]
    assert store.ledger.find("e") == entry(message_id, id="e", intent="intent-1")


def test_two_receivers_on_one_store_count_each_event_once(url, store):
    receivers = [standalone(url), standalone(url)]
    bodies = [statuses((f"m{number}", "sent"), (f"m{number}", "read")) for number in range(40)]
    with ThreadPoolExecutor(8) as senders:
        answers = [senders.submit(post, receiver.port, body) for body in bodies for receiver in receivers]
        assert {answer.result() for answer in answers} == {200}
    for receiver in receivers:
        receiver.kill()
    assert store.count()["statuses"] == 80


def test_what_was_acknowledged_survives_a_kill(url):
    acknowledged, lost = lost_after_kills(url, times=2)
    assert acknowledged >= 240
    assert lost == set()
