"""A loop that is closed afterwards, what it reported, programs of their own, a certificate."""

from __future__ import annotations

import asyncio
import gc
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import make_certificate
from loop_under_test import LONGEST_SECONDS, ON_REFERENCE, NewLoop, Reports, Run, end, make_loop


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "ours: what hoopsnake promises beyond asyncio")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ON_REFERENCE:
        for item in items:
            if item.get_closest_marker("ours"):
                item.add_marker(pytest.mark.skip(reason="asyncio's own loop does not promise this"))


@pytest.fixture
def new_loop() -> Iterator[NewLoop]:
    """Make loops; those that the test leaves open are closed."""
    made: list[asyncio.AbstractEventLoop] = []

    def make() -> asyncio.AbstractEventLoop:
        made.append(make_loop())
        return made[-1]

    yield make
    for loop in made:
        end(loop)


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What is logged from here on; what earlier tests left to the collector complains before."""
    gc.collect()
    caplog.clear()
    return caplog


@pytest.fixture
def reports() -> Reports:
    """What the loop's exception handler was told; a test takes out what it expected."""
    return []


@pytest.fixture
def loop(new_loop: NewLoop, reports: Reports) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop, which must have reported nothing but what the test expected."""
    made = new_loop()
    made.set_exception_handler(lambda _, context: reports.append(context))
    yield made
    end(made)
    assert reports == []


@pytest.fixture
def run(loop: asyncio.AbstractEventLoop) -> Run:
    """Run a coroutine on the loop; one that takes too long fails."""

    def run_in_time(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return loop.run_until_complete(asyncio.wait_for(coroutine, LONGEST_SECONDS))

    return run_in_time


@pytest.fixture
def start_program(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a Python program in a process of its own, in which `new_loop` makes the loop."""
    started: list[subprocess.Popen[str]] = []
    maker = "asyncio.SelectorEventLoop" if ON_REFERENCE else "hoopsnake.new_event_loop"
    head = f"import asyncio, os, signal, sys, hoopsnake\nnew_loop = {maker}\n"

    def start(source: str) -> subprocess.Popen[str]:
        file = tmp_path / f"program_{len(started)}.py"
        file.write_text(head + textwrap.dedent(source))
        process = subprocess.Popen(
            [sys.executable, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for localhost and its key, as paths."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server_tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture
def client_tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    """A client's context that trusts the certificate and nothing else."""
    return ssl.create_default_context(cafile=certificate[0])
