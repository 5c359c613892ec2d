"""One process for each contender, which all of its tests share."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from contenders import CONTENDERS, PATIENCE, Contender, Server, running


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, with its key."""
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    issued = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    return path


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    """The context of a client that trusts the authority, and asks for no protocol."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_with(trait): for those contenders that have it")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask each contender what can be asked of it."""
    if "server" not in metafunc.fixturenames:
        return
    traits = [mark.args[0] for mark in metafunc.definition.iter_markers("only_with")]
    asked = [each for each in CONTENDERS if all(getattr(each, trait) for trait in traits)]
    metafunc.parametrize("server", asked, indirect=True, ids=str, scope="module")


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Server]:
    contender: Contender = request.param
    if missing := contender.missing():
        pytest.skip(missing)
    options = ("--ssl-certfile", str(certificate)) if contender.tls else ()
    with running(contender, *options) as started:
        yield started


def client_of(server: Server, authority: trustme.CA) -> httpx.Client:
    """A client with connections of its own."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return httpx.Client(
        base_url=server.url,
        http2=server.contender.tls,
        verify=context,
        trust_env=False,
        timeout=PATIENCE,
    )


@pytest.fixture
def client(server: Server, authority: trustme.CA) -> Iterator[httpx.Client]:
    with client_of(server, authority) as client:
        yield client


@pytest.fixture
def leaving_client(server: Server, authority: trustme.CA) -> Iterator[httpx.Client]:
    """A second client, that the test closes."""
    with client_of(server, authority) as client:
        yield client
