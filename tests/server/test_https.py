"""TLS: what applications see of it, who is let in, and what goes wrong without harm to others."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import websockets
from applications import body, echo, hello, start
from certificate_authority import Authority
from served import Application, Receive, Scope, Send, served
from wire import request


@pytest.fixture
def authority() -> Authority:
    return Authority()


def keeping(scopes: list[Scope]) -> Application:
    """An application that keeps its scopes and says hello."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
            return
        await hello(scope, receive, send)

    return app


async def test_a_scope_tells_of_its_tls(authority: Authority, tmp_path: Path) -> None:
    scopes: list[Scope] = []
    certificate = authority.write(tmp_path)
    async with served(keeping(scopes), lifespan="off", ssl_certfile=certificate) as server:
        assert server.address.startswith("https://")
        async with await server.connect(tls=authority.client()) as wire:
            await wire.get("/path")
            assert (await wire.answer()).body == b"/path"
            known = wire.tls
    (scope,) = scopes
    assert (scope["scheme"], scope["http_version"]) == ("https", "1.1")
    tls = scope["extensions"]["tls"]
    leaf = tls.pop("server_cert")
    assert ssl.PEM_cert_to_DER_cert(leaf) == known.getpeercert(binary_form=True)
    assert leaf.strip() in certificate.read_text()
    assert tls == {
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": {
            "TLS_AES_128_GCM_SHA256": 0x1301,
            "TLS_AES_256_GCM_SHA384": 0x1302,
            "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
        }[(known.cipher() or ("", "", 0))[0]],
    }


async def test_tls_1_2_is_spoken_and_nothing_older(authority: Authority, tmp_path: Path) -> None:
    scopes: list[Scope] = []
    certificate = authority.write(tmp_path)
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with served(keeping(scopes), lifespan="off", ssl_certfile=certificate) as server:
        async with await server.connect(tls=context) as wire:
            await wire.get()
            assert (await wire.answer()).status == 200
    assert scopes[0]["extensions"]["tls"]["tls_version"] == 0x0303


async def test_a_websocket_over_tls_is_wss(authority: Authority, tmp_path: Path) -> None:
    scopes: list[Scope] = []
    certificate = authority.write(tmp_path)
    async with served(keeping(scopes), lifespan="off", ssl_certfile=certificate) as server:
        url = f"wss://localhost:{server.port}/"
        async with websockets.connect(url, ssl=authority.client()) as peer:
            await peer.wait_closed()
    assert scopes[0]["scheme"] == "wss"
    assert scopes[0]["extensions"]["tls"]["tls_version"] == 0x0304


async def test_large_bodies_pass_both_ways(authority: Authority, tmp_path: Path) -> None:
    certificate, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    issued = authority.issue()
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    data = bytes(range(256)) * 16384
    settings = {"ssl_certfile": certificate, "ssl_keyfile": key, "lifespan": "off"}
    async with served(echo, **settings) as server:
        async with await server.connect(tls=authority.client()) as wire:
            sending = asyncio.create_task(
                wire.send(request("POST / HTTP/1.1", f"Content-Length: {len(data)}", body=data))
            )
            assert (await wire.answer()).body == data
            await sending


async def test_a_response_that_breaks_off_is_not_taken_for_complete(
    authority: Authority, tmp_path: Path
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"half", more=True))

    certificate = authority.write(tmp_path)
    async with served(app, faulty=True, lifespan="off", ssl_certfile=certificate) as server:
        async with await server.connect(tls=authority.client()) as wire:
            await wire.get()
            with pytest.raises(asyncio.IncompleteReadError):
                await wire.answer()


async def answered(server: Any, context: ssl.SSLContext) -> int:
    """Make a request over a connection of its own."""
    async with await server.connect(tls=context) as wire:
        await wire.get()
        return int((await wire.answer()).status)


async def test_a_client_shows_its_certificate(authority: Authority, tmp_path: Path) -> None:
    scopes: list[Scope] = []
    settings = {
        "ssl_certfile": authority.write(tmp_path),
        "ssl_ca_certs": authority.write_own(tmp_path),
    }
    issued = authority.issue("Zoë, of accounts")
    async with served(keeping(scopes), lifespan="off", **settings) as server:
        assert await answered(server, authority.client(certificate=issued)) == 200
    tls = scopes[0]["extensions"]["tls"]
    # RFC 4514: the most specific part first, and a comma in it is escaped.
    assert tls["client_cert_name"].startswith("CN=Zoë\\, of accounts,")
    assert tls["client_cert_chain"][0].strip() == issued.cert_chain_pems[0].bytes().decode().strip()
    assert tls["client_cert_error"] is None


async def test_without_a_certificate_that_is_required_nobody_gets_in(
    authority: Authority, tmp_path: Path
) -> None:
    settings = {
        "ssl_certfile": authority.write(tmp_path),
        "ssl_ca_certs": authority.write_own(tmp_path),
        "log_level": "debug",
    }
    foreign = Authority().issue("somebody else's client")
    async with served(hello, lifespan="off", **settings) as server:
        for context in (authority.client(), authority.client(certificate=foreign)):
            # With TLS 1.3 the client learns of it after its own side of the handshake.
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await answered(server, context)
            await server.log.wait_for("handshake failed")
            server.log.records.clear()
        assert await answered(server, authority.client(certificate=authority.issue())) == 200


async def test_an_optional_certificate_may_be_missing_and_not_false(
    authority: Authority, tmp_path: Path
) -> None:
    scopes: list[Scope] = []
    settings = {
        "ssl_certfile": authority.write(tmp_path),
        "ssl_ca_certs": authority.write_own(tmp_path),
        "ssl_cert_reqs": "optional",
    }
    async with served(keeping(scopes), lifespan="off", **settings) as server:
        assert await answered(server, authority.client()) == 200
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await answered(server, authority.client(certificate=Authority().issue("false")))
        assert await answered(server, authority.client(certificate=authority.issue("true"))) == 200
    names = [scope["extensions"]["tls"]["client_cert_name"] for scope in scopes]
    assert names[0] is None and "CN=true" in names[1]


async def test_plain_http_to_a_tls_port_ends_that_connection_alone(
    authority: Authority, tmp_path: Path
) -> None:
    settings = {"ssl_certfile": authority.write(tmp_path), "log_level": "debug"}
    async with served(hello, lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            await wire.get()
            assert b"HTTP" not in await wire.rest()
        await server.log.wait_for("handshake failed")
        assert await answered(server, authority.client()) == 200


async def test_tls_to_a_plain_port_ends_that_connection_alone(authority: Authority) -> None:
    async with served(hello, lifespan="off", log_level="debug") as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await server.connect(tls=authority.client())
        await server.log.wait_for("it speaks TLS, and this address has none")
        assert (await server.get()).status == 200


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01"], ids=["silent", "stops within a record"])
async def test_a_handshake_that_does_not_come_ends_in_time(
    first: bytes, authority: Authority, tmp_path: Path
) -> None:
    settings = {
        "ssl_certfile": authority.write(tmp_path),
        "log_level": "debug",
        "handshake_timeout": 0.1,
    }
    async with served(hello, lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            await wire.send(first)
            assert await wire.rest() == b""
        await server.log.wait_for("took longer than 100ms")


async def test_a_stop_does_not_wait_for_handshakes(authority: Authority, tmp_path: Path) -> None:
    settings = {"ssl_certfile": authority.write(tmp_path), "graceful_timeout": 60.0}
    async with served(hello, lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            await answered(server, authority.client())
            server.stop()
            await server.ended()
            assert await wire.rest() == b""
