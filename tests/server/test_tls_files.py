"""Certificates and keys: what is wrong with a file is told, and what changes is taken up."""

from __future__ import annotations

import signal
import ssl
from pathlib import Path
from typing import Any

import pytest
from applications import hello
from certificate_authority import Authority
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from program import serving, starting
from served import Served, served
from wire import Wire

import hoopsnake

APPLICATION = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""


@pytest.fixture
def authority() -> Authority:
    return Authority()


def complaint(folder: Path, case: str, authority: Authority) -> tuple[dict[str, Any], str]:
    """Settings that cannot be used, and what is said of them."""
    good = authority.write(folder)
    other = folder / "other.pem"
    if case == "missing":
        return {"ssl_certfile": other}, f"cannot read the TLS file {other}: No such file"
    if case == "a folder":
        return {"ssl_certfile": folder}, f"cannot read the TLS file {folder}: Is a directory"
    if case == "no certificate":
        other.write_text("hello")
        return {"ssl_certfile": other}, f"{other} has no certificate"
    if case == "broken":
        other.write_text("-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n")
        return {"ssl_certfile": other}, f"{other} is not well-formed PEM"
    if case == "not a certificate":
        other.write_text("-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")
        return {"ssl_certfile": other, "ssl_keyfile": good}, f"the certificate in {other}"
    if case == "no key":
        other.write_bytes(authority.issue().cert_chain_pems[0].bytes())
        return {"ssl_certfile": other}, f"{other} has no private key; .*--ssl-keyfile"
    if case == "another's key":
        other.write_bytes(authority.issue().private_key_pem.bytes())
        return {"ssl_certfile": good, "ssl_keyfile": other}, f"{other} does not belong .* {good}"
    if case == "no authority":
        other.write_text("")
        return {"ssl_certfile": good, "ssl_ca_certs": other}, f"{other} has no certificate"
    assert case == "encrypted"
    key = load_pem_private_key(authority.issue().private_key_pem.bytes(), None)
    other.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    )
    return {"ssl_certfile": good, "ssl_keyfile": other}, f"{other} is encrypted; .*openssl pkey"


@pytest.mark.parametrize(
    "case",
    [
        "missing",
        "a folder",
        "no certificate",
        "broken",
        "not a certificate",
        "no key",
        "another's key",
        "no authority",
        "encrypted",
    ],
)
async def test_a_file_that_cannot_be_used_is_named(
    case: str, authority: Authority, tmp_path: Path
) -> None:
    settings, expected = complaint(tmp_path, case, authority)
    with pytest.raises(hoopsnake.ServerError, match=expected):
        async with served(hello, lifespan="off", **settings):
            pass


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"ssl_keyfile": "key.pem"}, "ssl_keyfile needs ssl_certfile"),
        ({"ssl_ca_certs": "ca.pem"}, "ssl_ca_certs needs ssl_certfile"),
        ({"ssl_certfile": "a.pem", "ssl_cert_reqs": "required"}, "needs ssl_ca_certs"),
        ({"ssl_certfile": "a.pem", "ssl_cert_reqs": "maybe"}, "'maybe' is not 'none'"),
        ({"handshake_timeout": 0}, "is not above 0 seconds"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(hoopsnake.ServerError, match=expected):
        hoopsnake.ServerConfig(**settings)


async def test_the_command_says_it_without_a_traceback(tmp_path: Path) -> None:
    async with starting(tmp_path, APPLICATION, "--ssl-certfile", "nowhere.pem") as server:
        assert await server.ended() == 1
    assert "cannot read the TLS file nowhere.pem: No such file" in server.errors
    assert "Traceback" not in server.errors


def shown(wire: Wire) -> bytes:
    """The certificate that the server has shown."""
    certificate = wire.tls.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


async def test_a_changed_certificate_is_taken_up_and_open_connections_go_on(
    authority: Authority, tmp_path: Path
) -> None:
    path = authority.write(tmp_path)
    context = authority.client()
    async with served(hello, lifespan="off", ssl_certfile=path) as server:
        async with await server.connect(tls=context) as before:
            first = shown(before)
            authority.write(tmp_path)
            # They are looked at once a second, when a client comes.
            while True:
                async with await server.connect(tls=context) as after:
                    if shown(after) != first:
                        break
            assert "Read the TLS certificate and key again" in server.log.text
            await before.get("/still")
            assert (await before.answer()).body == b"/still"
    assert ssl.DER_cert_to_PEM_cert(first) not in path.read_text()


async def kept(server: Served, context: ssl.SSLContext) -> None:
    """Connect until the server has noticed that its files are broken."""
    while "Keeping the old TLS certificate" not in server.log.text:
        async with await server.connect(tls=context) as wire:
            await wire.get()
            assert (await wire.answer()).status == 200


async def test_files_that_became_unusable_are_told_of_once_and_the_old_ones_kept(
    authority: Authority, tmp_path: Path
) -> None:
    path = authority.write(tmp_path)
    context = authority.client()
    async with served(hello, faulty=True, lifespan="off", ssl_certfile=path) as server:
        path.write_text("half a file")
        await kept(server, context)
        # What is mended is taken up again.
        authority.write(tmp_path)
        while "Read the TLS certificate and key again" not in server.log.text:
            async with await server.connect(tls=context):
                pass
        assert server.log.text.count("Keeping the old TLS certificate") == 1


async def test_sighup_reads_the_files_again(authority: Authority, tmp_path: Path) -> None:
    path = authority.write(tmp_path)
    context = authority.client()
    async with serving(tmp_path, APPLICATION, "--ssl-certfile", str(path)) as server:
        async with await server.connect(tls=context) as wire:
            first = shown(wire)
        authority.write(tmp_path)
        server.signal(signal.SIGHUP)
        await server.wait_for("Read the TLS certificate and key again")
        async with await server.connect(tls=context) as wire:
            assert shown(wire) != first
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
