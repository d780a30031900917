"""What reaches a webhook, and what happens when nobody is at home."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from airflow_provider_d360.emulator import CLOUD_KEY, ON_PREMISE_KEY, SANDBOX_KEY, Emulator, button_reply
from airflow_provider_d360.emulator.records import SentMessage, Webhook
from tests.emulator.services import ON_PREMISE_TEXT, TEXT, Receiver, Service, eventually

HEADERS = {"Authorization": "Basic dTpw", "X-Any": "1"}


@pytest.fixture
def connected(service: Service, receiver: Receiver) -> Service:
    """A service that tells the receiver, by way of a URL as production has them."""
    service.emulator.deliver_to = receiver.url
    config = {"url": "https://hooks.example.com/d360?a=1", "headers": HEADERS}
    for key in (CLOUD_KEY, ON_PREMISE_KEY, SANDBOX_KEY):
        assert service.json("POST", "/v1/configs/webhook", config, key=key)[0] == 200
    return service


def send(service: Service, **change: object) -> str:
    _, body = service.send({**TEXT, **change})
    return str(body["messages"][0]["id"])


def value_of(body: Any) -> Any:
    return body["entry"][0]["changes"][0]["value"]


def statuses_of(receiver: Receiver) -> list[str]:
    return [value_of(body)["statuses"][0]["status"] for body in receiver.bodies]


def test_statuses_arrive_in_order_with_path_and_headers(connected: Service, receiver: Receiver) -> None:
    message_id = send(connected, biz_opaque_callback_data="intent-1")
    sent = connected.emulator.wait_for_statuses(message_id, "read")
    assert sent.statuses == ("sent", "delivered", "read")
    assert statuses_of(receiver) == ["sent", "delivered", "read"]
    path, headers, body = receiver.received[0]
    assert path == "/d360?a=1"
    assert HEADERS.items() <= headers.items()
    assert headers["Content-Type"] == "application/json"
    assert body["object"] == "whatsapp_business_account"
    assert body["entry"][0]["changes"][0]["field"] == "messages"
    value = value_of(body)
    assert value["messaging_product"] == "whatsapp"
    assert set(value["metadata"]) == {"display_phone_number", "phone_number_id"}
    status = value["statuses"][0]
    assert abs(int(status.pop("timestamp")) - time.time()) < 60
    assert status == {
        "id": message_id,
        "status": "sent",
        "recipient_id": "4915112345678",
        "biz_opaque_callback_data": "intent-1",
        "pricing": {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"},
    }


def test_callback_data_that_was_not_sent_is_not_echoed(connected: Service, receiver: Receiver) -> None:
    connected.emulator.wait_for_statuses(send(connected))
    assert "biz_opaque_callback_data" not in value_of(receiver.bodies[0])["statuses"][0]


def test_on_premise_statuses_are_flat_and_echo_nothing(connected: Service, receiver: Receiver) -> None:
    connected.emulator.set_statuses(["sent", "failed:470"])
    body = {**ON_PREMISE_TEXT, "biz_opaque_callback_data": "intent-1"}
    _, response = connected.json("POST", "/v1/messages", body, key=ON_PREMISE_KEY)
    connected.emulator.wait_for_statuses(response["messages"][0]["id"], "failed")
    first, last = (body["statuses"][0] for body in receiver.bodies)
    assert first == {
        "id": response["messages"][0]["id"],
        "status": "sent",
        "timestamp": first["timestamp"],
        "type": "message",
        "recipient_id": "4915112345678",
    }
    assert last["errors"][0]["code"] == 470
    assert "error_data" not in last["errors"][0]


def test_the_sandbox_tells_the_id_that_it_did_not_answer(connected: Service, receiver: Receiver) -> None:
    connected.json("POST", "/v1/messages", TEXT, key=SANDBOX_KEY)
    (sent,) = connected.emulator.sent
    connected.emulator.wait_for_statuses(sent.message_id)
    assert value_of(receiver.bodies[0])["statuses"][0]["id"] == sent.message_id


def test_one_recipient_may_fare_otherwise(connected: Service, receiver: Receiver) -> None:
    connected.emulator.set_statuses(["sent", "failed:131049"], to="+49 151 12345678")
    connected.emulator.wait_for_statuses(send(connected), "failed")
    error = value_of(receiver.bodies[-1])["statuses"][0]["errors"][0]
    assert error["code"] == 131049
    assert error["title"] == error["message"]
    other = connected.emulator.wait_for_statuses(send(connected, to="4915100000000"))
    assert other.statuses == ("sent", "delivered", "read")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"to": None, "recipient": "BR.1502"}, {"recipient_user_id": "BR.1502"}),
        ({"to": "G1", "recipient_type": "group"}, {"recipient_id": "G1", "recipient_type": "group"}),
    ],
)
def test_statuses_name_the_recipient_as_it_is(
    connected: Service, receiver: Receiver, change: dict[str, object], expected: dict[str, str]
) -> None:
    connected.emulator.wait_for_statuses(send(connected, **change))
    status = value_of(receiver.bodies[0])["statuses"][0]
    assert {name: status[name] for name in status if name.startswith("recipient")} == expected


def test_statuses_take_their_time(connected: Service, receiver: Receiver) -> None:
    connected.emulator.delay_seconds = 0.03
    started = time.monotonic()
    connected.emulator.wait_for_statuses(send(connected))
    assert time.monotonic() - started >= 0.09


def test_a_delivery_is_tried_again_until_it_is_answered_200(connected: Service, receiver: Receiver) -> None:
    connected.emulator.set_statuses(["sent"])
    receiver.responses += [500, 204]
    connected.emulator.wait_for_statuses(send(connected), "sent")
    (delivery,) = connected.emulator.deliveries
    assert delivery.attempts == (500, 204, 200)
    assert delivery.state == "delivered"
    assert len(receiver.received) == 3
    assert receiver.bodies[0] == receiver.bodies[2] == delivery.body


def test_a_delivery_is_given_up_in_the_end(connected: Service, receiver: Receiver) -> None:
    connected.emulator.set_statuses(["sent"])
    receiver.responses += [503] * 10
    connected.emulator.wait_for_statuses(send(connected), "sent")
    (delivery,) = connected.emulator.deliveries
    assert (delivery.attempts, delivery.state) == ((503, 503, 503, 503), "given_up")
    assert len(receiver.received) == 4


def test_a_redirect_is_not_followed(connected: Service, receiver: Receiver) -> None:
    connected.emulator.set_statuses(["sent"])
    connected.emulator.retry_delays_seconds = ()
    receiver.responses += [302]
    connected.emulator.wait_for_statuses(send(connected), "sent")
    assert connected.emulator.deliveries[0].attempts == (302,)


def test_nobody_at_home_is_recorded_as_such(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    service.emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{port}/hook")
    service.emulator.set_statuses(["sent"])
    service.emulator.wait_for_statuses(send(service), "sent")
    (delivery,) = service.emulator.deliveries
    assert delivery.state == "given_up"
    assert [str(attempt).split(":")[0] for attempt in delivery.attempts] == ["ConnectionRefusedError"] * 4


def test_a_loopback_webhook_set_by_hand_needs_no_address(service: Service, receiver: Receiver) -> None:
    service.emulator.numbers[CLOUD_KEY].webhook = Webhook(f"{receiver.url}/hook", {"X-Any": "1"})
    service.emulator.wait_for_statuses(send(service))
    assert {path for path, _, _ in receiver.received} == {"/hook"}


def test_nothing_leaves_this_machine_unasked(service: Service) -> None:
    service.json("POST", "/v1/configs/webhook", {"url": "https://hooks.example.com/d360"})
    sent = service.emulator.wait_for_statuses(send(service))
    assert sent.statuses == ("sent", "delivered", "read")
    assert {(delivery.state, delivery.attempts) for delivery in service.emulator.deliveries} == {
        ("not_sent", ())
    }


@pytest.mark.parametrize("deliver_to", ["http://127.0.0.1:no-port", "nonsense"])
def test_a_wrong_address_is_recorded_and_breaks_nothing(connected: Service, deliver_to: str) -> None:
    connected.emulator.deliver_to = deliver_to
    connected.emulator.set_statuses(["sent"])
    connected.emulator.wait_for_statuses(send(connected), "sent")
    assert connected.emulator.deliveries[0].state == "given_up"


def test_without_a_webhook_statuses_happen_unheard(service: Service) -> None:
    assert service.emulator.wait_for_statuses(send(service)).statuses == ("sent", "delivered", "read")
    assert service.emulator.deliveries == []


def test_the_webhook_of_the_number_beats_the_one_of_the_account(
    connected: Service, receiver: Receiver
) -> None:
    connected.json("POST", "/waba_webhook", {"url": "https://hooks.example.com/account"})
    connected.emulator.wait_for_statuses(send(connected))
    assert {path for path, _, _ in receiver.received} == {"/d360?a=1"}


def test_the_webhook_of_the_account_serves_cloud_numbers_without_one(
    service: Service, receiver: Receiver
) -> None:
    service.emulator.deliver_to = receiver.url
    service.json("POST", "/waba_webhook", {"url": "https://hooks.example.com/account", "override_all": True})
    service.json("POST", "/v1/messages", ON_PREMISE_TEXT, key=ON_PREMISE_KEY)
    service.emulator.wait_for_statuses(service.emulator.sent[0].message_id)
    assert receiver.received == []
    service.emulator.wait_for_statuses(send(service))
    assert {path for path, _, _ in receiver.received} == {"/account"}


def test_a_person_says_something(connected: Service, receiver: Receiver) -> None:
    message_id = connected.emulator.receive("Hello", sender="+49 151 1", name="Ben", reply_to="wamid.1")
    connected.emulator.wait_for_deliveries()
    value = value_of(receiver.bodies[0])
    (message,) = value["messages"]
    assert message.pop("timestamp")
    assert message == {
        "from": "491511",
        "id": message_id,
        "type": "text",
        "text": {"body": "Hello"},
        "context": {"from": connected.emulator.numbers[CLOUD_KEY].digits, "id": "wamid.1"},
    }
    assert value["contacts"] == [{"profile": {"name": "Ben"}, "wa_id": "491511"}]


def test_a_person_who_hides_the_number_presses_a_button(connected: Service, receiver: Receiver) -> None:
    connected.emulator.receive(button_reply("yes", "Yes!"), sender="BR.1502")
    connected.emulator.wait_for_deliveries()
    value = value_of(receiver.bodies[0])
    message = value["messages"][0]
    assert "from" not in message
    assert (message["from_user_id"], message["type"]) == ("BR.1502", "interactive")
    assert message["interactive"]["button_reply"] == {"id": "yes", "title": "Yes!"}
    assert value["contacts"][0]["user_id"] == "BR.1502"


def test_on_premise_hears_a_person_without_envelope(connected: Service, receiver: Receiver) -> None:
    connected.emulator.receive("Hello", key=ON_PREMISE_KEY)
    connected.emulator.wait_for_deliveries()
    assert set(receiver.bodies[0]) == {"contacts", "messages"}


@pytest.mark.parametrize("key", [CLOUD_KEY, "wrong"])
def test_a_person_whom_nobody_would_hear_is_an_error(emulator: Emulator, key: str) -> None:
    with pytest.raises(LookupError):
        emulator.receive("Hello", key=key)


def test_waiting_in_vain_says_how_far_it_came(connected: Service, receiver: Receiver) -> None:
    connected.emulator.set_statuses(["sent"])
    message_id = send(connected)
    with pytest.raises(TimeoutError, match="'sent'"):
        connected.emulator.wait_for_statuses(message_id, "read", timeout_seconds=0.1)
    with pytest.raises(TimeoutError, match=r"No message wamid\.1"):
        connected.emulator.wait_for_statuses("wamid.1", timeout_seconds=0.01)
    receiver.responses += [500] * 3
    connected.emulator.retry_delays_seconds = (60,)
    connected.emulator.receive("Hello")
    with pytest.raises(TimeoutError, match="still pending"):
        connected.emulator.wait_for_deliveries(timeout_seconds=0.1)


def test_closing_does_not_wait_for_a_silent_webhook(emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        emulator.receive("Hello")
        silent.accept()
        emulator.close()
    (delivery,) = emulator.deliveries
    assert "Timeout" not in str(delivery.attempts)  # it was cut off
    assert not [thread for thread in threading.enumerate() if thread.name == "d360-emulator-events"]


def test_a_reset_forgets_what_is_on_its_way(connected: Service, receiver: Receiver) -> None:
    connected.emulator.delay_seconds = 60
    send(connected)
    connected.emulator.reset()
    connected.emulator.delay_seconds = 0.01
    connected.emulator.numbers[CLOUD_KEY].webhook = Webhook("https://hooks.example.com/after")
    message_id = send(connected)
    connected.emulator.wait_for_statuses(message_id)
    assert [sent.message_id for sent in connected.emulator.sent] == [message_id]
    assert {path for path, _, _ in receiver.received} == {"/after"}
    assert len(receiver.received) == 3


def test_a_reset_cuts_the_delivery_under_way_short(emulator: Emulator, receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/")
        emulator.receive("Hello")
        connection, _ = silent.accept()
        connection.settimeout(5)
        emulator.reset()
        while connection.recv(65536):
            pass
        connection.close()
    assert emulator.deliveries == []
    emulator.numbers[CLOUD_KEY].webhook = Webhook(receiver.url)
    emulator.receive("Hello again")
    emulator.wait_for_deliveries()
    assert [value_of(body)["messages"][0]["text"]["body"] for body in receiver.bodies] == ["Hello again"]


def test_an_observer_that_fails_stops_nobody_else(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)

    def observer(sent: SentMessage) -> None:
        if sent.statuses == ("sent",) and not failures:
            raise RuntimeError("the observer's own mistake")

    emulator.on_change = observer
    service = Service(emulator, emulator.handle)
    send(service)
    eventually(lambda: failures)
    assert emulator.wait_for_statuses(send(service)).statuses == ("sent", "delivered", "read")


def test_a_status_that_names_no_code_is_an_error_at_once() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Emulator(statuses=["failed:nonsense"])


def test_many_threads_send_and_every_status_arrives(connected: Service, receiver: Receiver) -> None:
    threads = [
        threading.Thread(target=lambda: [send(connected) for _ in range(10)], daemon=True) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = connected.emulator.sent
    assert len({message.message_id for message in sent}) == 80
    for message in sent:
        connected.emulator.wait_for_statuses(message.message_id)
    assert len(receiver.received) == 240


def received_together(receiver: Receiver, responses: list[int]) -> Emulator:
    """Let five messages wait for the webhook at the same time."""
    receiver.responses[:] = responses
    emulator = Emulator(events_at_once=4, retry_delays_seconds=(0.01,))
    emulator.numbers[CLOUD_KEY].webhook = Webhook(receiver.url)
    with emulator._changed:
        for text in "abcde":
            emulator.receive(text)
    emulator.wait_for_deliveries()
    emulator.close()
    return emulator


def test_events_that_wait_may_come_in_one_request(receiver: Receiver) -> None:
    emulator = received_together(receiver, [])
    texts = [
        [entry["changes"][0]["value"]["messages"][0]["text"]["body"] for entry in body["entry"]]
        for body in receiver.bodies
    ]
    assert texts == [["a", "b", "c", "d"], ["e"]]
    assert [one.attempts for one in emulator.deliveries] == 5 * [(200,)]
    assert [len(one.body["entry"]) for one in emulator.deliveries] == 5 * [1]


def test_what_came_together_and_was_refused_comes_again_one_by_one(receiver: Receiver) -> None:
    emulator = received_together(receiver, [500])
    assert [one.attempts for one in emulator.deliveries] == [*4 * [(500, 200)], (200,)]
    assert sorted(len(body["entry"]) for body in receiver.bodies) == [1, 1, 1, 1, 1, 4]


def test_a_connection_that_was_closed_meanwhile_costs_no_attempt() -> None:
    requests: list[bytes] = []

    def serve() -> None:
        while len(requests) < 2:
            connection, _ = listener.accept()
            with connection:
                requests.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")  # and closes it

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        emulator = Emulator()
        emulator.numbers[CLOUD_KEY].webhook = Webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        with emulator._changed:
            emulator.receive("a")
            emulator.receive("b")
        thread.join()
        emulator.wait_for_deliveries()
        emulator.close()
    assert [one.attempts for one in emulator.deliveries] == [(200,), (200,)]
