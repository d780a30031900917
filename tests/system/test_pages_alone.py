"""The pages in a browser, without a whole Airflow around them: how they look, and whether everybody can use them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from airflow_provider_d360.api.events import read_events
from airflow_provider_d360.api.privacy import mask_number
from airflow_provider_d360.api.wire import Request
from airflow_provider_d360.emulator import CLOUD_KEY, Emulator, Webhook
from airflow_provider_d360.emulator.server import EmulatorServer
from airflow_provider_d360.pages import messages as messages_module
from airflow_provider_d360.store import Entry, State, Store
from airflow_provider_d360.store.alert_history import AlertFacts
from airflow_provider_d360.store.alert_rules import NewAlert
from airflow_provider_d360.store.due import DueAlert
from airflow_provider_d360.store.question_rows import OPEN, Person, Question
from tests.receiver.conftest import gate  # noqa: F401
from tests.receiver.doors import served
from tests.receiver.visitors import airflow_with, page_of
from tests.recorded import outside, record
from tests.system.browsers import BROWSER, DRIVER, show_as, start_browser, take_picture, violations
from tests.system.campaign_for_pages import CAMPAIGN, add_campaign

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not (DRIVER and BROWSER), reason="needs chromium and chromedriver"),
]

DESK, PHONE = (1368, 780), (318, 780)  # the frame that Airflow leaves at 1440 and at 390 pixels
NOT_ON_WHATSAPP = {
    "code": 131026,
    "title": "Message undeliverable",
    "error_data": {"details": "Receiver is incapable"},
}
TOO_LATE = {"code": 131047, "title": "Re-engagement message"}
UTILITY = {"billable": True, "pricing_model": "PMP", "category": "utility"}
PEOPLE = ("447700900123", "4915112345631", "12025550143", "33199001235")


class Site:
    """
    The pages with messages in their store, and a browser of somebody who may settle them.

    :param port: Where they are served.
    :param browser: The browser.
    :param unknown: A message of which nobody knows whether it was sent.
    """

    def __init__(self, port: int, browser: webdriver.Chrome, unknown: Entry) -> None:
        self.port, self.browser, self.unknown = port, browser, unknown
        self.soon = WebDriverWait(browser, 30)

    def open(self, path: str) -> None:
        self.browser.get(f"http://127.0.0.1:{self.port}{path}")

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Entry]]:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('store')}/store.sqlite")
    now = time.time()
    fates: list[list[dict[str, Any]]] = [
        [{"status": "sent", "pricing": UTILITY}],
        [{"status": "sent", "pricing": UTILITY}, {"status": "delivered"}],
        [{"status": "sent"}, {"status": "failed", "errors": [NOT_ON_WHATSAPP]}],
        [{"status": "sent", "pricing": UTILITY}, {"status": "delivered"}, {"status": "read"}],
        [],
        [{"status": "sent", "pricing": UTILITY}, {"status": "delivered"}, {"status": "read"}],
        [{"status": "failed", "errors": [TOO_LATE]}],
        [{"status": "sent", "pricing": UTILITY}, {"status": "delivered"}],
    ]
    for number, fate in enumerate(fates):
        sent_at, to, message_id = now - 45 - 97 * number, PEOPLE[number % 4], f"wamid.{number}"
        task = {
            "dag_id": ("shop", "billing")[number % 3 == 1],
            "task_id": "tell_customer",
            "map_index": number,
        }
        record(store, message_id, to=to, at=sent_at, **task)
        told = [
            {"id": message_id, "timestamp": str(int(sent_at) + 2 * after), "recipient_id": to, **what}
            for after, what in enumerate(fate, 1)
        ]
        add(store, now, statuses=told)
    record(store, "wamid.hook", to=PEOPLE[1], at=now - 1000, **outside())
    record(
        store, "wamid.alert", to=PEOPLE[1], at=now - 1100, source="alert", map_index=-1, task_id="load_orders"
    )
    refused = "D360RecipientError: This connection may not write to 33…35: its only_to does not allow it"
    record(store, to=PEOPLE[3], at=now - 300, state=State.REFUSED, reason=refused, task_id="tell_customer")
    record(store, "wamid.held", to=PEOPLE[0], at=now - 1300, state=State.HELD, reason="paused")
    unknown = record(store, to=PEOPLE[2], at=now - 200, state=State.UNKNOWN, task_id="tell_customer")
    incoming = [
        {"id": "in.1", "from": PEOPLE[0], "timestamp": str(int(now - 60)), "type": "text",
         "text": {"body": "Where is my parcel?"}},
        {"id": "in.2", "from": PEOPLE[1], "timestamp": str(int(now - 600)), "type": "button",
         "button": {"text": "Yes"}, "context": {"id": "wamid.1"}},
        {"id": "in.3", "from": PEOPLE[2], "timestamp": str(int(now - 900)), "type": "image",
         "image": {"id": "7", "caption": "The damage, seen from the front door"}},
    ]  # fmt: skip
    for age, message in enumerate(incoming):
        add(store, now - 60 - 300 * age, messages=[message])
    ask_questions(store, now)
    raise_alerts(store, now)
    add_campaign(store, now)
    yield store, unknown
    store.close()


def ask_questions(store: Store, now: float) -> None:
    """Ask what waits, what was answered in a choice and in words, and what nobody answered."""
    choice = {"answer": "choice", "choices": [["yes", "Deploy"], ["no", "Wait"]], "needed": 2}
    asked = [
        ("shop", "approve_deployment", choice, 3, 300, 3600),
        ("billing", "send_invoices", {**choice, "needed": 1}, 1, 900, 7200),
        ("shop", "ask_address", {"answer": "text"}, 1, 1500, 600),
        ("billing", "late_files", {**choice, "needed": 1}, 1, 4000, 600),
        ("shop", "reload", {**choice, "needed": 1}, 2, 5000, 7200),
    ]
    for number, (dag_id, task_id, spec, count, age, seconds) in enumerate(asked):
        people = tuple(
            Person(place, to, mask_number(to), f"hash-{place}") for place, to in enumerate(PEOPLE[:count])
        )
        where = ("d360_default", dag_id, "run", task_id, -1)
        kind = "hitl" if task_id == "send_invoices" else "ask"
        times = (now - age, now - age + seconds)
        store.questions.ensure(Question(f"q{number}", kind, OPEN, *where, spec, *times, people))
    store.questions.close("q2", "answered", {"messages": ["in.1"], "people": [0]}, now)
    store.questions.close("q4", "answered", {"messages": ["in.2"], "people": [1], "value": "yes"}, now)


def raise_alerts(store: Store, now: float) -> None:
    """Write alerts down as notifiers do, and what became of them."""

    def register(name: str, age: float, **more: Any) -> Any:
        facts = {"event": "failed", "dag_id": "shop", "run_id": "scheduled__2026-01-01"}
        facts |= {"task_id": name, **more.pop("facts", {})}
        alert = NewAlert(
            id=f"{name} {age}",
            at=now - age,
            expires_at=now - age + 3600,
            conn_id="d360_default",
            content=lambda count, since: "{}",
            facts=AlertFacts(**facts, recipients=["49…31", "44…23"]),
            **more,
        )
        return store.alerts.register(alert, "a process", now - age).due

    def send(*numbers: int, due: Any) -> None:
        message_ids = [f"wamid.alert{number or ''}" for number in numbers]
        store.alerts.finish(due, reached=bool(numbers), message_ids=message_ids)

    record(store, "wamid.alert2", to=PEOPLE[0], at=now - 1100, source="alert", task_id="load_orders")
    send(0, 2, due=register("load_orders", 1100, run="night"))
    register("load_prices", 1090, run="night")
    register("tell_customer", 500, facts={"map_index": 7}, cooldown="c", cooldown_seconds=3600.0)
    register("tell_customer", 490, facts={"map_index": 8}, cooldown="c", cooldown_seconds=3600.0)
    send(due=register("copy_invoices", 300, facts={"dag_id": "billing", "event": "dag_failed"}))
    send(0, due=register("", 200, facts={"dag_id": "billing", "event": "deadline"}))
    waiting = register("load_stock", 120)
    store.alerts.postpone(waiting, now + 60, "{}")
    send(0, due=register("load_rates", 3000, subject="rates"))
    end = DueAlert("end", None, None, "d360_default", now - 40, now - 40, now + 3600, 0, "a process", "")
    facts = AlertFacts("recovered", "shop", "scheduled__2026-01-01", "load_rates", -1, ["49…31"])
    send(0, due=store.alerts.recover("rates", end, lambda ended: "{}", now - 40, facts))


def add(store: Store, at: float, **items: Any) -> None:
    value = {"messaging_product": "whatsapp", **items}
    store.add(read_events({"entry": [{"changes": [{"field": "messages", "value": value}]}]}), at)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    browser = start_browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.quit()


@pytest.fixture
def site(filled: tuple[Store, Entry], browser: webdriver.Chrome, gate: None) -> Iterator[Site]:  # noqa: F811
    store, unknown = filled
    with served(airflow_with(lambda: store)) as port:
        site = Site(port, browser, unknown)
        site.open("/d360/static/pages.css")  # a page of the site, for its cookie
        browser.add_cookie({"name": "_token", "value": "ops"})
        yield site


PATHS = {
    "messages": "/d360/messages",
    "message": page_of("wamid.2"),
    "unknown": "UNKNOWN",
    "inbox": "/d360/inbox",
    "questions": "/d360/questions",
    "no-questions": "/d360/questions?status=cancelled",
    "alerts": "/d360/alerts",
    "no-alerts": "/d360/alerts?dag=nothing",
    "campaigns": "/d360/campaigns",
    "campaign": f"/d360/campaigns/{CAMPAIGN}",
    "tab": "/d360/dags/shop/messages",
    "nothing-matches": "/d360/messages?dag=nothing",
    "no-such-message": "/d360/messages/nowhere",
}


DOCS = (
    *("message-desk-light", "alerts-desk-light", "campaign-desk-light", "campaign-phone-light"),
    *("questions-desk-light", "questions-phone-light"),
)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", PATHS)
def test_everybody_can_use_the_page(site: Site, name: str, size: tuple[int, int], theme: str) -> None:
    show_as(site.browser, *size, theme)
    site.open(PATHS[name].replace("UNKNOWN", f"/d360/messages/{site.unknown.id}"))
    picture = f"{name}-{'phone' if size == PHONE else 'desk'}-{theme}"
    take_picture(site.browser, picture, for_docs=picture in DOCS)
    assert violations(site.browser) == []
    assert site.browser.execute_script("return document.documentElement.scrollWidth") <= size[0]


def press(site: Site, *keys: str) -> None:
    ActionChains(site.browser).send_keys(*keys).perform()


def focused(site: Site) -> str:
    """Return the text of what has the focus; nothing while it is the page itself."""
    script = "const at = document.activeElement; return at === document.body ? '' : at.textContent.trim()"
    return str(site.browser.execute_script(script))


def test_the_keyboard_reaches_a_message_and_shows_where_it_is(site: Site) -> None:
    show_as(site.browser, *DESK)
    site.open("/d360/messages")
    seen: list[str] = []
    while "message to 44…23" not in focused(site):
        press(site, Keys.TAB)
        seen.append(focused(site))
        outline = site.browser.execute_script(
            "const at = document.activeElement, row = at.closest('.opens');"
            "return [at, row].some(one => one && getComputedStyle(one).outlineStyle === 'solid')"
        )
        assert outline, f"nothing shows that {seen[-1]!r} has the focus"
    assert seen[:3] == ["Messages", "Alerts", "Campaigns"]  # the order of the page
    press(site, Keys.ENTER)
    site.soon.until(lambda driver: "Message to 44…23" in driver.find_element(By.TAG_NAME, "h1").text)


def test_a_menu_opens_and_closes_by_the_keyboard(site: Site) -> None:
    show_as(site.browser, *DESK)
    site.open("/d360/messages")
    while "Source" not in focused(site):
        press(site, Keys.TAB)
    press(site, Keys.ENTER)
    assert site.one("details[open]").text.startswith("Source")
    press(site, Keys.ESCAPE)
    assert site.all("details[open]") == []
    assert "Source" in focused(site)
    press(site, Keys.ENTER, Keys.TAB, Keys.TAB)
    assert focused(site) == "Alert"
    press(site, Keys.ENTER)
    site.soon.until(lambda driver: "source=alert" in driver.current_url)
    assert len(site.all("tbody")) == 2


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_click_anywhere_in_a_row_opens_the_message(site: Site, size: tuple[int, int]) -> None:
    show_as(site.browser, *size)
    site.open("/d360/messages?status=failed")
    site.one(".why").click()
    site.soon.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".timeline"))
    site.one(".crumbs a").click()
    site.soon.until(lambda driver: driver.current_url.endswith("/d360/messages?status=failed"))


def test_stopping_a_campaign_asks_first_and_begins_at_cancel(site: Site, filled: tuple[Store, Entry]) -> None:
    show_as(site.browser, *DESK)
    site.open(f"/d360/campaigns/{CAMPAIGN}")
    site.one("[popovertarget=stop]").click()
    assert focused(site) == "Cancel"
    take_picture(site.browser, "campaign-stop")
    press(site, Keys.ENTER)
    assert not site.one("#stop").is_displayed()
    campaign = filled[0].campaigns.find(CAMPAIGN)
    assert campaign is not None
    assert campaign.signal == "run"


def test_a_part_of_a_dags_name_is_typed_and_found(site: Site) -> None:
    show_as(site.browser, *DESK)
    site.open("/d360/messages")
    site.one("details:has([name=dag]) summary").click()
    site.one("[name=dag]").send_keys("ILL", Keys.ENTER)
    site.soon.until(lambda driver: "dag=ILL" in driver.current_url)
    assert {cell.text for cell in site.all("tbody tr:not(.why) td:nth-child(3)")} == {"billing"}


def test_times_are_those_of_the_zone_chosen_in_airflow(site: Site) -> None:
    show_as(site.browser, *DESK)
    site.open("/d360/messages")
    utc = site.one("tbody time").text
    site.browser.execute_script("localStorage.setItem('timezone', '\"Asia/Tokyo\"')")
    site.open("/d360/messages")
    tokyo = site.one("tbody time").text
    site.browser.execute_script("localStorage.removeItem('timezone')")
    difference = datetime.fromisoformat(tokyo) - datetime.fromisoformat(utc)
    assert difference == timedelta(hours=9)


def test_on_a_phone_state_and_remedy_are_visible_without_scrolling_sideways(site: Site) -> None:
    show_as(site.browser, *PHONE)
    site.open("/d360/messages?status=failed")
    for selector in ("tbody .badge", "tbody .remedy", "tbody .reason"):
        box = site.one(selector).rect
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE[0]


def test_the_page_shows_new_messages_by_itself(
    site: Site, filled: tuple[Store, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages_module, "REFRESH_SECONDS", 1)
    show_as(site.browser, *DESK)
    site.open("/d360/messages")
    before = len(site.all("tbody"))
    record(filled[0], "wamid.new", at=time.time())
    site.soon.until(lambda driver: len(driver.find_elements(By.TAG_NAME, "tbody")) == before + 1)


def test_the_policy_stops_nothing_of_ours(site: Site) -> None:
    lines = [line["message"] for line in site.browser.get_log("browser")]
    assert [line for line in lines if "Content Security Policy" in line] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(900, 700), (390, 700)], ids=["desk", "phone"])
def test_the_start_page_of_the_emulator_is_there_to_reply(
    browser: webdriver.Chrome, size: tuple[int, int], theme: str
) -> None:
    show_as(browser, *size, theme)
    emulator = Emulator(delay_seconds=0)
    emulator.numbers[CLOUD_KEY].webhook = Webhook("https://elsewhere.example/webhook")
    buttons = [{"type": "reply", "reply": {"id": title, "title": title}} for title in ("Deploy", "Wait")]
    question = {
        "type": "interactive",
        "interactive": {
            "type": "button",
            "body": {"text": "Deploy to production?"},
            "action": {"buttons": buttons},
        },
    }
    for content in ({"type": "text", "text": {"body": "The report is ready."}}, question):
        body = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": PEOPLE[0], **content}
        headers = {"D360-API-KEY": CLOUD_KEY, "Content-Type": "application/json"}
        emulator.handle(Request("POST", "/messages", headers, json.dumps(body).encode()))
        emulator.wait_for_statuses(emulator.sent[-1].message_id)
    soon = WebDriverWait(browser, 30)
    with EmulatorServer(emulator) as server:
        browser.get(server.url)
        browser.find_element(By.XPATH, "//button[.='Deploy']").click()
        soon.until(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".reply"))
        browser.find_element(By.NAME, "text").send_keys("Thanks", Keys.ENTER)
        soon.until(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".reply")) == 2)
        picture = f"emulator-{'phone' if size[0] == 390 else 'desk'}-{theme}"
        take_picture(browser, picture, for_docs=picture == "emulator-desk-light")
        assert violations(browser) == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
