"""Flows: one generator, two drivers; the same results, errors, pauses and cancellations in both."""

import asyncio
import threading
import time

import pytest

from airflow_provider_d360.api.endpoints import health, messages, templates
from airflow_provider_d360.api.errors import D360AmbiguousError, D360RateLimitError, D360UnavailableError
from airflow_provider_d360.api.hosting import CLOUD
from airflow_provider_d360.api.wire import Call, json_request
from airflow_provider_d360.emulator import faults
from airflow_provider_d360.emulator.app import CLOUD_KEY
from airflow_provider_d360.messages import text
from airflow_provider_d360.sending.media import download_media
from airflow_provider_d360.sending.templates import list_templates, read_pages
from airflow_provider_d360.transport import client, sockets
from airflow_provider_d360.transport.client import Transport
from airflow_provider_d360.transport.flows import Exchange, Pause, Together, Work, retry
from airflow_provider_d360.transport.settings import ConnectionSettings

TO = "4915112345689"
SEND = messages.send_message(CLOUD, TO, text("Hello"))


def test_a_flow_receives_the_results_of_all_kinds_of_steps(carrier):
    def flow(settings, addend):
        state = yield health.health(settings.hosting)
        yield Pause(3.0)
        total = yield Work(lambda: 1 + addend)
        return state.can_send_message, total

    assert carrier.run(flow, 2) == ("AVAILABLE", 3)
    assert carrier.waits == [3.0]


def test_the_error_of_a_step_is_raised_in_the_flow_and_may_be_handled_there(carrier, emulator):
    emulator.fail_next(faults.too_many_requests(retry_after=3600))

    def flow(settings):
        try:
            yield health.health(settings.hosting)
        except D360RateLimitError as error:
            return error.detail.retry_after_seconds

    assert carrier.run(flow) == 3600


def test_an_error_that_the_flow_does_not_handle_is_raised_by_the_driver(carrier):
    def flow(settings):
        yield Work(lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        carrier.run(flow)


def test_an_error_raised_in_place_of_a_steps_error_does_not_carry_it_along(carrier):
    def flow(settings):
        try:
            yield Work(lambda: int("private"))
        except ValueError:
            problem = KeyError("The step failed")
        raise problem

    with pytest.raises(KeyError, match="The step failed") as caught:
        carrier.run(flow)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_flows_that_run_together_return_errors_as_results_and_raise_the_first_after_all_have_ended(carrier):
    ended = []

    def returning(result):
        yield Work(lambda: time.sleep(0.1))
        ended.append(result)
        return result

    def failing():
        yield Work(lambda: 1 / 0)

    def flow(settings, *more):
        error = D360UnavailableError("an outcome")
        return (yield Together([returning(error), *more, returning(2)]))

    outcome, two = carrier.run(flow)
    assert (type(outcome), two) == (D360UnavailableError, 2)
    ended.clear()
    with pytest.raises(ZeroDivisionError):
        carrier.run(flow, failing())
    assert len(ended) == 2


def test_blocking_work_does_not_block_the_event_loop(emulator):
    def flow():
        return (yield Work(threading.get_ident))

    async def run():
        transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url))
        try:
            return await transport.arun(flow())
        finally:
            await transport.aclose()

    assert asyncio.run(run()) != threading.get_ident()


def test_a_cancelled_flow_takes_no_further_step(emulator):
    taken = []

    def flow(begun):
        try:
            begun.set()
            yield Pause(60)
        except BaseException as error:
            taken.append(type(error).__name__)
            raise
        finally:
            taken.append("closed")
        yield Work(lambda: taken.append("written"))

    async def run():
        transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url))
        begun = asyncio.Event()
        task = asyncio.create_task(transport.arun(flow(begun)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await transport.aclose()

    asyncio.run(run())
    assert taken == ["GeneratorExit", "closed"]


def test_an_interrupted_flow_takes_no_further_step_either(emulator):
    written = []

    def interrupted(seconds):
        raise KeyboardInterrupt

    def flow():
        try:
            yield Pause(60)
        except Exception:
            yield Work(lambda: written.append("after an error"))
            raise
        yield Work(lambda: written.append("after a pause"))

    transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url), sleep=interrupted)
    with pytest.raises(KeyboardInterrupt):
        transport.run(flow())
    assert written == []


def test_a_cancelled_download_leaves_no_half_file_behind(emulator, tmp_path):
    media_id = emulator.media.add(b"%PDF" * 50_000, "application/pdf")
    emulator.fail_next(faults.slow(60), path="/whatsapp_business/attachments*")

    async def run():
        transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url))
        steps = download_media(transport.settings, media_id, tmp_path / "x.pdf")
        task = asyncio.create_task(transport.arun(steps))
        while not list(tmp_path.iterdir()):  # noqa: ASYNC110 - nobody signals when a file appears
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await transport.aclose()

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


class Noted:
    """Notes what happens around the attempts of a call."""

    def __init__(self):
        self.events = []

    def begin(self):
        self.events.append("begin")

    def failed(self, error):
        self.events.append(type(error).__name__)


def test_the_observer_of_a_call_sees_each_attempt_and_the_pauses_lie_between_them(carrier, emulator):
    emulator.fail_next(faults.too_many_requests())
    emulator.fail_next(faults.server_error(500))
    noted = Noted()

    def flow(settings):
        attempts = retry(SEND, settings, jitter=lambda: 1.0, attempts=noted)
        step = next(attempts)
        while True:
            if isinstance(step, Pause):
                noted.events.append("pause")
            try:
                result = yield step
            except Exception as error:  # noqa: BLE001 - handed on, as a driver does
                step = attempts.throw(error)
            else:
                step = attempts.send(result)

    with pytest.raises(D360AmbiguousError):
        carrier.run(flow)
    assert noted.events == ["begin", "D360RateLimitError", "pause", "begin", "D360AmbiguousError"]


def test_a_retry_is_a_flow_that_can_be_followed_without_a_network():
    settings = ConnectionSettings(CLOUD, CLOUD_KEY, "https://waba-v2.360dialog.io")
    flow = retry(SEND, settings, jitter=lambda: 0.0)
    assert isinstance(next(flow), Exchange)
    pause = flow.throw(D360RateLimitError(faulty()))
    assert isinstance(pause, Pause)
    assert isinstance(flow.send(None), Exchange)


def faulty():
    from airflow_provider_d360.api.errors import ErrorDetail

    return ErrorDetail("too fast", retry_soon=True)


def page_after(cursor):
    """Build the call of a list whose pages name the cursors A, B, A, B and so on for ever."""
    following = {"": "A", "A": "B", "B": "A"}[cursor]

    class Page:
        templates = ()

        @property
        def next(self):
            return page_after(following)

    return Call(json_request("GET", f"/message_templates?after={cursor}"), lambda _: Page(), repeatable=True)


def test_a_list_whose_cursors_go_round_in_a_circle_is_an_error(carrier, emulator):
    def flow(settings):
        return (yield from read_pages(page_after("")))

    emulator.fail_next(faults.any_response(200, {}), times=9)
    with pytest.raises(D360UnavailableError, match="does not end"):
        carrier.run(flow)
    assert len(emulator.requests) == 3


def test_a_list_of_templates_that_grows_with_every_page_is_an_error(carrier, emulator):
    row = {"name": "a", "language": "en", "status": "approved"}
    emulator.fail_next(faults.any_response(200, {"waba_templates": [row], "total": 10**9}), times=999)
    with pytest.raises(D360UnavailableError, match="does not end"):
        carrier.run(list_templates)
    assert len(emulator.requests) <= 200


def test_every_page_of_a_list_is_read(carrier, emulator):
    rows = [{"name": f"t{n}", "language": "en", "status": "approved"} for n in range(3)]
    for row in rows:
        emulator.fail_next(faults.any_response(200, {"waba_templates": [row], "total": 3}))
    assert [found.name for found in carrier.run(list_templates)] == ["t0", "t1", "t2"]
    assert templates.list_templates(CLOUD).repeatable


def test_a_stuck_session_of_requests_is_not_used_again(emulator):
    settings = ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url, timeout_seconds=0.4, max_attempts=1)
    transport = Transport(settings)
    transport.perform(health.health(CLOUD))
    stuck = transport._session
    emulator.fail_next(faults.slow_drip(3))
    with pytest.raises(D360AmbiguousError):
        transport.perform(SEND)
    transport.perform(health.health(CLOUD))
    assert transport._session is not stuck
    transport.close()


def test_a_hundred_first_calls_open_one_session_and_read_the_certificates_once(emulator, monkeypatch):
    reads, read = [], sockets.tls_context

    def counted():
        reads.append(1)
        time.sleep(0.05)
        return read()

    monkeypatch.setattr(client, "tls_context", counted)

    async def run():
        transport = Transport(ConnectionSettings(CLOUD, CLOUD_KEY, emulator.url))
        sessions = await asyncio.gather(*(transport._open_session() for _ in range(100)))
        await transport.aclose()
        return sessions

    assert len({id(session) for session in asyncio.run(run())}) == 1
    assert len(reads) == 1
