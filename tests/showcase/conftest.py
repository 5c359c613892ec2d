"""A server with the showcase for each module, and headless Chromium to visit it with."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from showcase_server import Showcase
from visits import Visits

if TYPE_CHECKING:
    from playwright.async_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# What is asked without a browser is asked of the FastAPI version too.
WITHOUT_BROWSER = ("test_page_and_waits", "test_room", "test_streams")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "showcase" in metafunc.fixturenames:
        both = metafunc.module.__name__ in WITHOUT_BROWSER
        packages = ["showcase", "showcase_fastapi"] if both else ["showcase"]
        metafunc.parametrize("showcase", packages, indirect=True, scope="module")


@pytest.fixture(scope="module")
def showcase(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Showcase]:
    server = Showcase(tmp_path_factory.mktemp("showcase"), request.param)
    try:
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The loop that the browser belongs to: it outlives a test, and runs only within one."""
    with asyncio.Runner() as runner:
        yield runner


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the coroutine functions among our tests on the browser's loop."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {
        name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters
    }
    runner: asyncio.Runner = pyfuncitem.funcargs["runner"]
    runner.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="module")
def browser(runner: asyncio.Runner) -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    # Five seconds, if nobody says otherwise: too few for a busy machine.
    playwright.expect.set_options(timeout=30_000)
    driver = runner.run(playwright.async_playwright().start())
    try:
        browser = runner.run(driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS))
        try:
            yield browser
        finally:
            runner.run(browser.close())
    finally:
        runner.run(driver.stop())


@pytest.fixture
def client(showcase: Showcase) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=showcase.url, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
def visit(runner: asyncio.Runner, browser: Browser, showcase: Showcase) -> Iterator[Visits]:
    """Opens the page, as often as a test likes; no page may complain of anything."""
    visits = Visits(browser, showcase)
    try:
        yield visits
    finally:
        runner.run(visits.leave())
    assert visits.complaints == []
