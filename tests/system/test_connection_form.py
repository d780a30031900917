"""The connection form, in the browser that people would use."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from airflow_provider_d360.emulator import CLOUD_KEY
from airflow_provider_d360.get_provider_info import get_provider_info
from scripts.real_airflow import RealAirflow

DRIVER = shutil.which("chromedriver")
BROWSER = next(filter(None, map(shutil.which, ["chromium", "google-chrome"])), None)
SCREENSHOT = Path(__file__).parents[2] / "build/connection-form.png"
SECONDS = 30
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1280,1500",
]  # fmt: skip
FIELDS = get_provider_info()["connection-types"][0]["conn-fields"]

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not (DRIVER and BROWSER), reason="needs chromium and chromedriver"),
]


class Page:
    """
    What a person does with the form.

    :param browser: A browser.
    """

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser
        self.soon = WebDriverWait(browser, SECONDS)

    def element(self, xpath: str) -> WebElement:
        def shown(browser: webdriver.Chrome) -> WebElement | Literal[False]:
            found = browser.find_elements(By.XPATH, xpath)
            return next((element for element in found if element.is_displayed()), False)

        return self.soon.until(shown, f"nothing at {xpath}")

    def field(self, label: str) -> WebElement:
        """Find the group of a label with its field and help text."""
        return self.element(f"//div[@role='dialog']//div[@role='group'][.//label[starts-with(., '{label}')]]")

    def unfold(self, part: str) -> None:
        """Open a part of the form; Airflow 3.4 shows all of them at once."""
        for button in self.browser.find_elements(By.XPATH, f"//button[normalize-space()='{part}']"):
            button.click()

    def options(self, combobox: WebElement) -> list[str]:
        """Open a drop-down and read what it offers."""
        combobox.send_keys(Keys.ARROW_DOWN)
        self.element("//*[@role='option']")
        return [option.text for option in self.browser.find_elements(By.XPATH, "//*[@role='option']")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"]:
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def form(airflow: RealAirflow, browser: webdriver.Chrome) -> Page:
    """The form for a new connection of our type, with the extra fields unfolded."""
    page = Page(browser)
    browser.get(f"{airflow.url}/auth/login")
    page.element("//input[@name='username']").send_keys(airflow.user)
    page.element("//input[@name='password']").send_keys(airflow.password, Keys.ENTER)
    page.soon.until(lambda _: "/auth/" not in browser.current_url)
    browser.get(f"{airflow.url}/connections")
    page.element("//button[contains(., 'Add Connection') or @aria-label='Add Connection']").click()
    kind = page.element("//div[@role='dialog']//input[@role='combobox']")
    kind.send_keys("360dialog WhatsApp")
    page.element("//*[@role='option'][normalize-space()='360dialog WhatsApp']").click()
    page.field("API key")
    return page


def test_the_key_is_labelled_and_masked(form):
    assert form.field("API key").find_element(By.TAG_NAME, "input").get_attribute("type") == "password"


def test_the_key_says_where_to_get_it(form):
    hint = form.field("API key").find_element(By.TAG_NAME, "input").get_attribute("placeholder")
    assert "hub.360dialog.com" in hint


def test_the_base_url_says_that_it_may_stay_empty(form):
    hint = form.field("Base URL").find_element(By.TAG_NAME, "input").get_attribute("placeholder")
    assert hint.startswith("Leave empty")


def test_fields_without_a_meaning_are_hidden(form):
    form.field("API key")
    labels = [label.text for label in form.browser.find_elements(By.XPATH, "//div[@role='dialog']//label")]
    assert {"Login", "Port", "Schema", "Password", "Host"}.isdisjoint(labels)


@pytest.fixture(scope="module")
def extras(form: Page) -> Page:
    form.unfold("Extra Fields")
    form.field("Webhook password")
    SCREENSHOT.parent.mkdir(exist_ok=True)
    form.browser.save_screenshot(str(SCREENSHOT))
    return form


def test_hosting_is_a_drop_down_of_the_three_that_starts_with_cloud(extras):
    hosting = extras.field("Hosting")
    assert "cloud" in hosting.text.splitlines()
    combobox = hosting.find_element(By.XPATH, ".//input[@role='combobox']")
    assert extras.options(combobox) == ["cloud", "on_premise", "sandbox"]
    combobox.send_keys(Keys.TAB)  # Escape would close the whole form


@pytest.mark.parametrize("name", FIELDS)
def test_every_extra_field_shows_its_label_and_its_help(extras, name):
    field = extras.field(FIELDS[name]["label"])
    assert FIELDS[name]["description"] in field.text


def test_the_webhook_password_is_masked(extras):
    field = extras.field("Webhook password").find_element(By.TAG_NAME, "input")
    assert field.get_attribute("type") == "password"


def test_a_connection_saved_with_a_key_and_nothing_else_sends(airflow, server, extras):
    extras.unfold("Standard Fields")
    extras.element("//input[@name='connection_id']").send_keys("d360_from_the_form")
    extras.field("API key").find_element(By.TAG_NAME, "input").send_keys(CLOUD_KEY)
    extras.field("Base URL").find_element(By.TAG_NAME, "input").send_keys(server.url)
    extras.element("//button[normalize-space()='Save']").click()
    extras.element("//td[contains(., 'd360_from_the_form')]")

    airflow.run("saved_connection")
    assert [sent.to for sent in server.emulator.sent if sent.body["text"]["body"] == "From the form"] == [
        "4915123456789"
    ]


def test_the_test_button_of_a_saved_connection_asks_360dialog(airflow, server, form):
    """Port 0, as the README says: Airflow 3.3.2 refuses to test a saved connection that has no port."""
    saved = {"connection_id": "d360_to_test", "conn_type": "d360", "password": CLOUD_KEY}
    airflow.post("/connections", {**saved, "host": server.url, "port": 0})
    form.browser.get(f"{airflow.url}/connections")
    before = len(server.emulator.requests)
    form.element("//tr[contains(., 'd360_to_test')]//button[@aria-label='Test Connection']").click()
    form.soon.until(lambda _: len(server.emulator.requests) > before)
    (probe,) = server.emulator.requests[before:]
    assert (probe.method, probe.path) == ("GET", "/health_status")
    assert not form.browser.find_elements(By.XPATH, "//*[contains(., 'Test Connection Failed')]")
