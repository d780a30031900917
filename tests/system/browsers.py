"""A browser for the tests: its size, its theme, its pictures, and what axe-core finds in a page."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import files
from pathlib import Path
from typing import Any

from selenium import webdriver

DRIVER = shutil.which("chromedriver")
BROWSER = next(filter(None, map(shutil.which, ["chromium", "google-chrome"])), None)

ROOT = Path(__file__).parents[2]
_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def start_browser(profile: Path) -> webdriver.Chrome:
    """Start a browser with an empty profile in a folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in [*_FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(DRIVER))


def show_as(browser: webdriver.Chrome, width: int, height: int, theme: str = "light") -> None:
    """Give the page exactly this size, and a theme."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def take_picture(browser: webdriver.Chrome, name: str, *, for_docs: bool = False) -> None:
    """Save what the browser shows, into ``build/`` or, with ``PICTURES=1``, into the docs."""
    folder = ROOT / ("docs/pictures" if for_docs and os.environ.get("PICTURES") else "build")
    folder.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(folder / f"{name}.png"))


def violations(browser: webdriver.Chrome) -> list[str]:
    """List what axe-core finds wrong with the page (WCAG 2.2 A and AA, and its best practices)."""
    [script] = [file for file in files("axe-playwright-python") or [] if file.name == "axe.min.js"]
    if not browser.execute_script("return 'axe' in window"):
        browser.execute_cdp_cmd("Runtime.evaluate", {"expression": script.read_text(encoding="utf-8")})
    found: dict[str, Any] = browser.execute_async_script("axe.run().then(arguments[0])")
    return [
        f"{violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
