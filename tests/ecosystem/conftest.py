"""Runs the coroutines among these tests on the loop under test; the servers that they talk to."""

from __future__ import annotations

import inspect
import ssl
from collections.abc import Iterator
from pathlib import Path

import database_servers
import pytest
from certificates import make_certificate
from database_servers import Missing, Server
from ending_clean import run_to_a_clean_end


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    run_to_a_clean_end(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for localhost and its key, as paths."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def server_tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.fixture(scope="session")
def client_tls(certificate: tuple[str, str]) -> ssl.SSLContext:
    """A client's context that trusts the certificate and nothing else."""
    return ssl.create_default_context(cafile=certificate[0])


@pytest.fixture(scope="session")
def postgresql(certificate: tuple[str, str]) -> Iterator[Server]:
    try:
        with database_servers.postgresql(certificate) as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    try:
        with database_servers.redis() as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def socket_path(tmp_path: Path) -> str:
    """Where a Unix socket may lie."""
    return str(tmp_path / "socket")
