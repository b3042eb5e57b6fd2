"""Chromium, the whole system with the demo agent, and a customer's phone in the browser."""

import itertools
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from core.registry import CHANNELS
from launcher.engines import Engines
from tests.engines_fixture import database, empty_redis
from tests.system import System, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.phone import Phone

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--disable-quic",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",  # and may be used
]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """The one of ELDOLEADO_CHROMIUM or on PATH. Per module: while its driver runs, no asyncio test can."""
    driver = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: `make browser` installs it"
    )
    wanted = os.environ.get("ELDOLEADO_CHROMIUM")
    found = next(filter(None, map(shutil.which, [wanted] if wanted else _NAMES)), None)
    if found is None:
        pytest.skip(f"no browser: {wanted or ', '.join(_NAMES)} not found (ELDOLEADO_CHROMIUM names another)")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def system(
    chromium: "Browser", engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Every messenger and the demo agent, as `eldoleado run` has them."""
    folder = tmp_path_factory.mktemp("browser")
    names = tuple(channel.channel for channel in CHANNELS)
    with database(engines) as url:
        made = System(folder, redis_url=empty_redis(engines), database_url=url, channels=names)
        with running(made):
            made.start_all(agent=True)
            yield made


@pytest.fixture
def phone(chromium: "Browser", system: System) -> Iterator["Phone"]:
    """The page in English, in a window of its own; it must not complain."""
    from tests.browser.phone import Phone

    with chromium.new_context(locale="en-GB", permissions=["microphone"]) as window:
        shown = Phone(window.new_page(), system.url("sandbox"))
        yield shown
        assert shown.complaints == []


@pytest.fixture
def stranger() -> str:
    """Somebody who has never written before."""
    return f"stranger-{next(_numbers)}"
