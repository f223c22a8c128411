"""A real browser in which pages are opened: Debian's Chromium without a window, and without a network."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("chromium", "chromedriver")


class Browser:
    """A page in it, what it complains of and asks for, and keys."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path, width: int = 1200, height: int = 900) -> None:
        """A page from disk, in a window of so many pixels; what the last one said is forgotten."""
        self.resize(width, height)
        self.print_media(False)
        self.driver.get("about:blank")
        self._forget()
        self.driver.get(page.resolve().as_uri())

    def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def print_media(self, on: bool) -> None:
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print" if on else "", "features": still})

    def run(self, script: str, *arguments: object) -> Any:
        """What JavaScript returns."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def press(self, key: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(key).perform()

    def tab_to(self, there: str) -> None:
        """Press Tab until JavaScript about the element in focus is true."""
        from selenium.webdriver.common.keys import Keys

        for _ in range(300):
            self.press(Keys.TAB)
            if self.run(there):
                return
        raise AssertionError(f"{there}: never, however often Tab is pressed")

    def wait_for(self, true: Callable[[], bool]) -> None:
        until = time.monotonic() + 5
        while not true():
            assert time.monotonic() < until, "waited 5 s"
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """What the console has of errors and warnings since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """Addresses that the page has asked for, but for itself and what is within it."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [
            event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"
        ]
        own = self.driver.current_url.split("#")[0]
        return [address for address in asked if not address.startswith("data:") and address.split("#")[0] != own]

    def _forget(self) -> None:
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with its profile in a folder; a test without one is skipped."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {' and '.join(missing)} here: Debian's packages chromium and chromium-driver have them")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install '.[test]'")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        off = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", off)
        yield Browser(driver)
    finally:
        driver.quit()
