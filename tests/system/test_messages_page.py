"""The page about messages, in Airflow's user interface and in the browser that people would use."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from airflow_provider_d360.api.privacy import short_id
from airflow_provider_d360.compat import PAGES_HAVE_ADDRESSES
from airflow_provider_d360.store import State, Store
from scripts.real_airflow import RealAirflow, session_of
from tests.recorded import NUMBER, outside, record
from tests.system.browsers import BROWSER, DRIVER, show_as, start_browser, take_picture
from tests.system.test_connection_form import Page

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not (DRIVER and BROWSER), reason="needs chromium and chromedriver"),
]

DESK, PHONE = (1440, 660), (390, 780)
LOGIN = ("d360", "a-password-for-deliveries")
DAG = "saved_connection"  # any of those in the folder
RUN = "manual__2026-01-01T00:00:00+00:00"
FAILED = "wamid.HBgLNDkxNTEx+/M0NTY3OA=="
READ = "wamid.read"
PRICING = {"billable": True, "pricing_model": "PMP", "category": "utility"}
REASON = "//tbody[contains(., '131047')]"
TOO_LATE = {
    "code": 131047,
    "title": "Re-engagement message",
    "error_data": {"details": "The customer's last reply is too old"},
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """A whole Airflow that takes deliveries, and whose users must log in."""
    store = tmp_path_factory.mktemp("store") / "d360.sqlite"
    login = dict(zip(("webhook_username", "webhook_password"), LOGIN, strict=True))
    environment = {
        "AIRFLOW_CONN_D360_DEFAULT": json.dumps({"conn_type": "d360", "password": "key", "extra": login}),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__D360__WEBHOOK_ENABLED": "True",
        "AIRFLOW__D360__STORE_PATH": str(store),
    }
    with RealAirflow(Path(__file__).parent / "dags", environment) as airflow:
        airflow.unpause(DAG)  # now Airflow knows it, and so who may read it
        fill(Store(f"sqlite:///{store}"), airflow.url)
        yield airflow
    assert session_of(airflow.leader) == []


def fill(store: Store, url: str) -> None:
    """Let tasks have sent messages, and 360dialog deliver what became of them."""
    now = time.time()
    fates: list[tuple[str, list[dict[str, Any]]]] = [
        ("wamid.waiting", []),
        ("wamid.sent", [{"status": "sent", "pricing": PRICING}]),
        (READ, [{"status": "sent", "pricing": PRICING}, {"status": "delivered"}, {"status": "read"}]),
        (FAILED, [{"status": "sent"}, {"status": "failed", "errors": [TOO_LATE]}]),
        *((f"wamid.{n}", [{"status": "delivered", "pricing": PRICING}]) for n in range(12)),
    ]
    for age, (message_id, fate) in enumerate(fates):
        sent_at = now - 40 - 97 * age
        send(store, message_id, map_index=age % 3 - 1, at=sent_at)
        told = [
            {"id": message_id, "timestamp": str(int(sent_at) + 3 * after), "recipient_id": NUMBER, **what}
            for after, what in enumerate(fate, 1)
        ]
        value = {"messaging_product": "whatsapp", "statuses": told}
        body = {"object": "x", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
        answer = requests.post(f"{url}/d360/webhook", json=body, auth=LOGIN, timeout=30)
        assert answer.status_code == 200
    send(store, "wamid.other", dag_id="nobody_reads_this", at=now)
    send(store, "wamid.hook", at=now - 10, to="4366012345699", **outside())
    send(
        store, state=State.REFUSED, source="alert", reason="D360RecipientError: Not on WhatsApp", at=now - 20
    )
    send(store, state=State.WITHHELD, at=now - 25)
    send(store, state=State.UNKNOWN, at=now - 30)
    store.close()


def send(store: Store, message_id: str | None = None, **known: Any) -> None:
    record(store, message_id, **{"dag_id": DAG, "run_id": RUN, "task_id": "send", **known})


@pytest.fixture(scope="module")
def page(airflow: RealAirflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A browser at the link of an alert, before anybody has logged in."""
    browser = start_browser(tmp_path_factory.mktemp("browser"))
    show_as(browser, *DESK)
    browser.get(f"{airflow.url}/d360/messages/{short_id(READ)}")
    yield Page(browser)
    browser.quit()


def test_logging_in_leads_from_a_link_to_its_message(airflow, page):
    assert short_id(READ) not in page.element("//main").text
    page.element("//a[.='Log in']").click()
    page.element("//input[@name='username']").send_keys(airflow.user)
    page.element("//input[@name='password']").send_keys(airflow.password, Keys.ENTER)
    assert page.element(f"//td[.='{short_id(READ)}']")
    assert READ not in page.browser.page_source
    assert [state.text for state in page.browser.find_elements(By.CSS_SELECTOR, ".timeline b")] == [
        "Accepted", "Sent", "Delivered", "Read",
    ]  # fmt: skip


def test_the_menu_leads_to_the_messages(airflow, page):
    show_as(page.browser, *DESK)
    page.browser.get(airflow.url)
    page.element("//button[contains(., 'Browse')]").click()
    page.element("//*[@role='menuitem'][contains(., 'WhatsApp')]").click()
    enter_frame(page)
    page.element(REASON)
    rows = page.browser.find_elements(By.TAG_NAME, "tbody")
    assert len(rows) == 20
    assert "43…99" in rows[0].text
    assert "Outside of Dags" in rows[0].text
    assert not page.browser.find_elements(By.XPATH, "//*[contains(., 'nobody_reads_this')]")
    assert "Send an approved template instead" in page.element(REASON).text
    take_picture(page.browser, "in-airflow", for_docs=True)
    show_as(page.browser, *PHONE)
    take_picture(page.browser, "in-airflow-phone")
    show_as(page.browser, *DESK)


def test_in_dark_mode_the_page_is_dark(page):
    light = background(page)
    page.browser.switch_to.default_content()
    page.browser.execute_script("localStorage.setItem('theme', 'dark'); location.reload()")
    page.soon.until(lambda driver: "dark" in driver.find_element(By.TAG_NAME, "html").get_attribute("class"))
    enter_frame(page)
    page.element(REASON)
    page.soon.until(lambda _: background(page) != light)
    take_picture(page.browser, "in-airflow-dark")


def test_a_status_and_a_message_are_one_click_away(page):
    page.element("//nav[@aria-label='By state']/a[contains(., 'Failed')]").click()
    page.soon.until(lambda driver: len(driver.find_elements(By.TAG_NAME, "tbody")) == 1)
    page.element("//tbody//p[@class='reason']").click()  # anywhere in the row
    assert page.element(f"//td[.='{short_id(FAILED)}']")
    assert FAILED not in page.browser.page_source


def test_a_message_is_settled_by_its_buttons(page):
    page.element("//a[.='Messages'][ancestor::ol]").click()
    page.element("//nav[@aria-label='By state']/a[contains(., 'Unknown')]").click()
    page.soon.until(lambda driver: len(driver.find_elements(By.TAG_NAME, "tbody")) == 1)
    page.element("//a[@class='goes']").click()
    page.element("//button[.='It was not sent']").click()
    assert "settled by hand: not sent" in page.element("//li[contains(., 'Refused')]").text


def test_a_search_by_number_leads_to_its_messages(page):
    page.element("//nav[@aria-label='WhatsApp']/a[.='Messages']").click()
    page.element("//input[@name='q']").send_keys("+43 660 123 45-699", Keys.ENTER)
    page.soon.until(lambda driver: len(driver.find_elements(By.TAG_NAME, "tbody")) == 1)
    assert "43…99" in page.element("//tbody").text
    assert "12345699" not in page.browser.page_source
    assert "12345699" not in page.browser.execute_script("return location.href")
    page.element("//a[normalize-space()='Reset']").click()
    page.soon.until(lambda driver: len(driver.find_elements(By.TAG_NAME, "tbody")) == 20)


def test_a_form_of_another_site_is_refused(airflow, page):
    page.element("//tr[contains(., 'Withheld')]//a[@class='goes']").click()
    page.element("//button[.='It was sent']")
    path = page.browser.execute_script("return location.pathname")
    cookies = {cookie["name"]: cookie["value"] for cookie in page.browser.get_cookies()}
    elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    response = requests.post(
        airflow.url + path, data={"settle": "sent"}, cookies=cookies, headers=elsewhere, timeout=30
    )
    assert response.status_code == 403
    assert "did not come from Airflow's own page" in html.unescape(response.text)
    own = {"Origin": airflow.url}
    response = requests.post(
        airflow.url + path, data={"settle": "sent"}, cookies=cookies, headers=own, timeout=30
    )
    assert "settled by hand: sent" in response.text.lower()


def test_the_link_to_the_task_leaves_the_frame(page):
    page.element("//a[contains(@href, '/tasks/send')]").click()
    page.browser.switch_to.default_content()
    page.soon.until(lambda driver: f"/dags/{DAG}/runs/" in driver.current_url)
    assert "/plugin/" not in page.browser.current_url


@pytest.mark.skipif(not PAGES_HAVE_ADDRESSES, reason="before Airflow 3.3, its address bar follows no frame")
def test_the_link_of_a_task_opens_its_message_inside_airflow(airflow, page):
    path = f"/plugin/whatsapp/d360/messages/{short_id(READ)}"
    page.browser.get(airflow.url + path)
    enter_frame(page)
    assert page.element(f"//td[.='{short_id(READ)}']")
    page.element("//a[.='Messages'][ancestor::ol]").click()
    page.element(REASON)
    page.browser.switch_to.default_content()
    page.soon.until(lambda driver: driver.current_url.endswith("/plugin/whatsapp/d360/messages"))


def test_a_dag_a_run_and_a_task_have_a_tab_with_their_messages(airflow, page):
    run_id = airflow.run(DAG)  # it fails, for want of a connection
    [task] = [task["task_id"] for task in airflow.tasks(DAG, run_id)]
    store = Store(f"sqlite:///{airflow.environment['AIRFLOW__D360__STORE_PATH']}")
    send(store, "wamid.of-the-run", run_id=run_id, task_id=task, at=time.time())
    store.close()
    for path, messages in {
        "": 20,
        f"/runs/{run_id}": 1,
        f"/tasks/{task}": 20,
        f"/runs/{run_id}/tasks/{task}": 1,
    }.items():
        page.browser.get(f"{airflow.url}/dags/{DAG}{path}")
        page.element("//a[contains(@href, '/plugin/whatsapp-')]").click()
        enter_frame(page)
        page.element("//main")
        assert len(page.browser.find_elements(By.TAG_NAME, "tbody")) == messages, path
        page.browser.switch_to.default_content()
    take_picture(page.browser, "in-airflow-task", for_docs=True)
    enter_frame(page)
    page.element("//a[@class='goes']").click()
    assert page.element(f"//td[.='{short_id('wamid.of-the-run')}']")
    page.element("//a[.='Messages'][ancestor::ol]").click()
    assert page.element("//h2[.='1 Message']")


def test_the_policy_stops_nothing_of_ours(page):
    said = [line["message"] for line in page.browser.get_log("browser")]
    assert [message for message in said if "Content Security Policy" in message] == []


def test_without_a_session_there_is_nothing_to_see(airflow):
    for path in ("messages", f"messages/{short_id(READ)}"):
        answer = requests.get(f"{airflow.url}/d360/{path}", timeout=30)
        assert answer.status_code == 401
        assert DAG not in answer.text


def enter_frame(page: Page) -> None:
    page.browser.switch_to.frame(page.element("//iframe[@title='WhatsApp']"))


def background(page: Page) -> str:
    return str(page.browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
