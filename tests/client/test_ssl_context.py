"""`verify=` with an ssl.SSLContext: what of it is honoured, and what is refused."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificate_authority import Authority
from proxy_server import SocksProxy
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake

AUTHORITY = Authority()


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[ScriptedServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue().configure_cert(context)
    for name, value in settings.items():
        setattr(context, name, value)
    async with scripted(answering(response()), tls=context) as server:
        yield server


def url_of(server: ScriptedServer, host: str = "localhost") -> str:
    return f"https://{host}:{server.port}/"


async def test_its_authorities_are_trusted_and_no_others() -> None:
    async with serving() as server:
        async with hoopsnake.Client(verify=AUTHORITY.client()) as client:
            assert (await client.get(url_of(server))).content == b"hello"
        async with hoopsnake.Client(verify=Authority().client()) as client:
            with pytest.raises(hoopsnake.ConnectError, match="UnknownIssuer"):
                await client.get(url_of(server))


async def test_a_name_counts_unless_check_hostname_is_off() -> None:
    context = AUTHORITY.client()
    async with serving() as server, scripted(SocksProxy(server.port)) as proxy:
        # The certificate is for localhost and 127.0.0.1; a proxy leads us there by any name.
        way = f"socks5://127.0.0.1:{proxy.port}"
        async with hoopsnake.Client(verify=context, proxy=way) as client:
            with pytest.raises(hoopsnake.ConnectError, match="not valid for name"):
                await client.get("https://other.example/")
        context.check_hostname = False
        async with hoopsnake.Client(verify=context, proxy=way) as client:
            assert (await client.get("https://other.example/")).content == b"hello"
        foreign = Authority().client()
        foreign.check_hostname = False
        async with hoopsnake.Client(verify=foreign, proxy=way) as client:
            with pytest.raises(hoopsnake.ConnectError, match="UnknownIssuer"):
                await client.get("https://other.example/")


async def test_without_verification_anybody_is_trusted() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with serving() as server, hoopsnake.Client(verify=context) as client:
        assert (await client.get(url_of(server))).content == b"hello"


@pytest.mark.parametrize(
    ("of_client", "of_server"),
    [
        ("minimum_version", "maximum_version"),
        ("maximum_version", "minimum_version"),
    ],
)
async def test_the_versions_that_it_allows_are_all_that_is_spoken(
    of_client: str, of_server: str
) -> None:
    versions = {
        "minimum_version": ssl.TLSVersion.TLSv1_3,
        "maximum_version": ssl.TLSVersion.TLSv1_2,
    }
    context = AUTHORITY.client()
    setattr(context, of_client, versions[of_client])
    async with hoopsnake.Client(verify=context) as client:
        async with serving() as server:
            assert (await client.get(url_of(server))).content == b"hello"
        async with serving(**{of_server: versions[of_server]}) as server:
            with pytest.raises(hoopsnake.ConnectError) as caught:
                await client.get(url_of(server))
            assert caught.value.phase == "tls"


async def test_a_client_shows_its_own_certificate(tmp_path: Path) -> None:
    own = str(AUTHORITY.write(tmp_path, "client", "the client"))
    async with serving() as server:
        async with hoopsnake.Client(verify=AUTHORITY.client(), cert=own) as client:
            assert (await client.get(url_of(server))).content == b"hello"


def revoking(context: ssl.SSLContext) -> None:
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF


def without_13(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TLSv1_3


@pytest.mark.filterwarnings("ignore:ssl:DeprecationWarning")
@pytest.mark.parametrize(
    ("change", "words"),
    [(revoking, "revoked certificates"), (without_13, "neither TLS 1.2 nor TLS 1.3")],
)
def test_what_cannot_be_honoured_is_refused(
    change: Callable[[ssl.SSLContext], None], words: str
) -> None:
    context = AUTHORITY.client()
    change(context)
    with pytest.raises(ValueError, match=words):
        hoopsnake.Client(verify=context)


def test_a_context_that_shows_no_authorities_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(capath=str(tmp_path))
    with pytest.raises(ValueError, match="shows no certificates"):
        hoopsnake.Client(verify=context)
    with pytest.raises(TypeError, match="verify is True"):
        hoopsnake.Client(verify=5)  # type: ignore[arg-type]
