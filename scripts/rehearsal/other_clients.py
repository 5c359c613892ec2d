"""Requests as browsers, proxies and load generators send them, in a row and in pieces."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from scripts.rehearsal.amount import Amount, expect
from scripts.rehearsal.asgi_application import GREETING, application
from scripts.rehearsal.serving import serving

OF_A_BROWSER = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-GB,en;q=0.7,fr;q=0.3\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: http://localhost/somewhere?page=3\r\n"
    b"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    b"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n"
    b"Upgrade-Insecure-Requests: 1\r\nPriority: u=0, i\r\n"
)
OF_A_PROXY = (
    b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Request-ID: 6f1c-42\r\n"
    b"Via: 1.1 proxy\r\n"
)
OF_NOBODY = b""
CONNECTIONS = 24


async def run(amount: Amount) -> None:
    """Ask a server that knows of the proxy in front, and one that does not."""
    settings = {"forwarded_allow_ips": ("127.0.0.1",), "request_id_header": "X-Request-ID"}
    async with serving(application) as url:
        await one_after_the_other(amount, url, OF_NOBODY, 4_000)
        await one_after_the_other(amount, url, OF_A_BROWSER, 2_500)
        await several_in_a_row(amount, url)
        await in_pieces(amount, url)
    async with serving(application, **settings) as url:
        await one_after_the_other(amount, url, OF_A_PROXY, 800)


def request(port: int, headers: bytes, path: bytes = b"/greeting") -> bytes:
    """A GET."""
    return b"GET %b HTTP/1.1\r\nHost: localhost:%d\r\n%b\r\n" % (path, port, headers)


async def read_answer(reader: asyncio.StreamReader) -> None:
    """Read one, and look that it is the right one."""
    head = await reader.readuntil(b"\r\n\r\n")
    expect(head.startswith(b"HTTP/1.1 200 "), f"answered with {head[:40]!r}")
    expect(await reader.readexactly(len(GREETING)) == GREETING, "another greeting")


async def one_after_the_other(amount: Amount, url: str, headers: bytes, usual: int) -> None:
    """Over some connections, each with its next request when it has the answer to the last."""
    port = urlsplit(url).port or 0
    asked = request(port, headers)
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]

    async def once(_number: int) -> None:
        reader, writer = idle.pop()
        writer.write(asked)
        await read_answer(reader)
        idle.append((reader, writer))

    await amount.repeat(usual, once, at_once=CONNECTIONS)
    for _, writer in idle:
        writer.close()


async def several_in_a_row(amount: Amount, url: str) -> None:
    """Without waiting for answers (RFC 9112 section 9.3.2)."""
    port = urlsplit(url).port or 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(amount.of(60)):
        writer.write(request(port, OF_NOBODY) * 8)
        for _ in range(8):
            await read_answer(reader)
    writer.close()


async def in_pieces(amount: Amount, url: str) -> None:
    """A head that comes in two parts, and a chunked body."""
    port = urlsplit(url).port or 0
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = request(port, OF_A_BROWSER)
    body = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n"
    for _ in range(amount.of(60)):
        writer.write(asked[:200])
        # Once the loop has gone round the server has read it.
        await asyncio.sleep(0.001)
        writer.write(asked[200:])
        await read_answer(reader)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: localhost\r\n" + body)
        head = await reader.readuntil(b"\r\n\r\n")
        expect(b"content-length: 11" in head.lower(), "another length")
        expect(await reader.readexactly(11) == b"hello world", "another body")
    writer.close()
