"""Requests of our client to our server: HTTP/1.1, TLS, HTTP/2, large and small, one and many."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import hoopsnake
from scripts.rehearsal.amount import Amount, expect
from scripts.rehearsal.asgi_application import ARTICLE, GREETING, PIECES, application
from scripts.rehearsal.certificate import Certificate
from scripts.rehearsal.serving import serving

SOME = {"x-request-source": "rehearsal", "accept-language": "de-CH, de;q=0.8, en;q=0.5"}
SMALL, LARGE = b"p" * 1_700, b"P" * 130_000
FILE = b"body { margin: 0 }\n" * 1_500


async def over_http1(amount: Amount) -> None:
    """Plain, over connections that stay and some that do not."""
    async with serving(application) as url, hoopsnake.Client(base_url=url) as client:
        await reads(amount, client)
        await writes(amount, client)
        await streams(amount, client)
        await waits(amount, client)
        await by_and_by(amount, client)
        await without_keeping(amount, url)


async def over_tls(amount: Amount, certificate: Certificate) -> None:
    """The same over TLS, and handshakes."""
    limits = hoopsnake.Limits(max_connections=12)
    trust = str(certificate.chain)
    async with serving(application, certificate) as url:
        async with hoopsnake.Client(
            base_url=url, verify=trust, http2=False, limits=limits
        ) as client:
            await reads(amount, client, portion=0.25)
            await writes(amount, client, portion=0.25)
        for _ in range(amount.of(25)):
            async with hoopsnake.Client(base_url=url, verify=trust, http2=False) as client:
                expect((await client.get("/greeting")).content == GREETING, "another greeting")


async def over_http2(amount: Amount, certificate: Certificate) -> None:
    """The same over few connections that are shared."""
    async with (
        serving(application, certificate) as url,
        hoopsnake.Client(base_url=url, verify=str(certificate.chain)) as client,
    ):
        got = await client.get("/greeting")
        expect(got.http_version == "HTTP/2", "HTTP/2 was not agreed on")
        await reads(amount, client, portion=0.5)
        await writes(amount, client, portion=0.25)
        await streams(amount, client, portion=0.3)
        await waits(amount, client, portion=0.3)


async def compressed(amount: Amount) -> None:
    """Bodies that the server packs and the client unpacks."""
    for coding in ("gzip", "br", "zstd"):
        async with (
            serving(application, compress=(coding,), access_log=True) as url,
            hoopsnake.Client(base_url=url, headers={"accept-encoding": coding}) as client,
        ):

            async def once(number: int, client: hoopsnake.Client = client) -> None:
                path, body = ("/article", ARTICLE) if number % 2 else ("/greeting", GREETING)
                expect((await client.get(path)).content == body, "another body")

            await amount.repeat(100, once, at_once=8)


async def files(amount: Amount) -> None:
    """Files of a folder: whole, in part, unchanged, packed, and not there."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        Path(folder, "style.css").write_bytes(FILE)
        Path(folder, "style.css.gz").write_bytes(gzip.compress(FILE, mtime=0))
        Path(folder, "large.bin").write_bytes(LARGE * 3)
        async with (
            serving(application, static=(("/files", folder),)) as url,
            hoopsnake.Client(base_url=url) as client,
        ):
            tag = (await client.get("/files/style.css")).headers["etag"]
            asked: tuple[tuple[str, dict[str, str], int], ...] = (
                ("/files/style.css", {"accept-encoding": "identity"}, 200),
                ("/files/style.css", {}, 200),
                ("/files/style.css", {"if-none-match": tag}, 304),
                ("/files/large.bin", {"range": "bytes=1000-40000"}, 206),
                ("/files/large.bin", {}, 200),
                ("/files/no.png", {}, 404),
            )

            async def once(number: int) -> None:
                path, headers, status = asked[number % len(asked)]
                got = await client.get(path, headers=headers)
                expect(got.status_code == status, f"{path} is answered with {got.status_code}")

            await amount.repeat(1_200, once, at_once=16)


async def reads(amount: Amount, client: hoopsnake.Client, portion: float = 1.0) -> None:
    """GETs, most of them of little."""

    async def little(number: int) -> None:
        got = await client.get("/greeting", headers=SOME if number % 3 == 0 else None)
        expect(got.content == GREETING, "another greeting")

    async def more(number: int) -> None:
        if number % 4 == 0:
            params = {"page": str(number), "words": "one two"}
            got = await client.get("/article", params=params)
            expect(len(got.json()["lines"]) == 900, "another article")
        else:
            got = await client.get("/nothing")
            expect(got.status_code == 404, "there is something")

    await amount.repeat(round(5_000 * portion), little, at_once=40)
    await amount.repeat(round(1_000 * portion), little)
    await amount.repeat(round(1_000 * portion), more, at_once=16)


async def writes(amount: Amount, client: hoopsnake.Client, portion: float = 1.0) -> None:
    """POSTs of bytes, JSON and iterators, sent back."""

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield SMALL

    async def once(number: int) -> None:
        if number % 40 == 0:
            got = await client.post("/echo", content=LARGE)
            expect(got.content == LARGE, "another large body")
        elif number % 10 == 0:
            got = await client.put("/echo", content=parts())
            expect(got.content == SMALL * 6, "other parts")
        elif number % 4 == 0:
            got = await client.post("/echo", json={"number": number})
            expect(got.json() == {"number": number}, "another number")
        else:
            got = await client.post("/echo", content=SMALL)
            expect(got.content == SMALL, "another small body")

    await amount.repeat(round(2_000 * portion), once, at_once=24)


async def streams(amount: Amount, client: hoopsnake.Client, portion: float = 1.0) -> None:
    """Answers in pieces, read as they come."""

    async def once(number: int) -> None:
        async with client.stream("GET", "/pieces") as response:
            if number % 2:
                length = sum([len(piece) async for piece in response.aiter_bytes()])
            else:
                length = len(await response.aread())
        expect(length == PIECES * 800, "pieces were lost")

    await amount.repeat(round(800 * portion), once, at_once=24)


async def waits(amount: Amount, client: hoopsnake.Client, portion: float = 1.0) -> None:
    """Requests most of which wait for something else at any time."""

    async def once(_number: int) -> None:
        expect((await client.get("/wait")).content == GREETING, "another greeting")

    await amount.repeat(round(1_200 * portion), once, at_once=90)


async def by_and_by(amount: Amount, client: hoopsnake.Client) -> None:
    """What comes now and then: HEAD, redirects, events, cookies."""

    async def once(number: int) -> None:
        expect((await client.head("/greeting")).status_code == 200, "no head")
        got = await client.get("/moved", follow_redirects=True, cookies={"number": str(number)})
        expect(got.content == GREETING and len(got.history) == 1, "another way")
        async with client.events("/events", reconnect=False) as events:
            expect(len([event async for event in events]) == PIECES, "events were lost")

    await amount.repeat(150, once, at_once=8)


async def without_keeping(amount: Amount, url: str) -> None:
    """A connection for each."""

    async def once(_number: int) -> None:
        async with hoopsnake.Client(base_url=url, timeout=20) as client:
            expect((await client.get("/greeting")).content == GREETING, "another greeting")

    await amount.repeat(200, once, at_once=8)
