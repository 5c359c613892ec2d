"""Static files over real sockets: whole files, parts of them, versions, codings, folders."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from applications import hello
from certificate_authority import Authority
from http2 import client_of
from served import Receive, Scope, Send, served
from wire import request

import hoopsnake

CONTENT = bytes(range(256)) * 8
# Long enough ago for a file to have settled.
LONG_AGO = 784_111_777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def write(path: Path, content: bytes | str, modified: int = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (modified, modified))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    write(files / "data.bin", CONTENT)
    write(files / "style.css", "body {}")
    write(files / "empty.txt", "")
    write(files / "docs" / "index.html", "<p>docs")
    write(files / "docs" / "page.html", "<p>page")
    write(files / "bare" / "file.txt", "bare")
    return files


def mounted(folder: Path, prefix: str = "/assets", **settings: Any) -> Any:
    return served(hello, static=((prefix, folder),), **settings)


async def get(server: Any, path: str, *headers: str, method: str = "GET") -> Any:
    async with await server.connect() as wire:
        await wire.get(path, *headers, method=method)
        return await wire.answer(method)


async def test_a_file_is_answered_with_all_that_is_to_be_known_of_it(folder: Path) -> None:
    async with mounted(folder, static_cache_control="max-age=60") as server:
        answer = await get(server, "/assets/style.css")
        assert (answer.status, answer.body) == (200, b"body {}")
        assert answer.one("content-type") == "text/css; charset=utf-8"
        assert answer.one("content-length") == "7"
        assert answer.one("last-modified") == DATE
        assert answer.one("cache-control") == "max-age=60"
        assert answer.one("accept-ranges") == "bytes"
        assert answer.one("x-content-type-options") == "nosniff"
        assert re.fullmatch(r'"[0-9a-f.-]+"', answer.one("etag") or "")
        assert answer.one("vary") is None
        assert answer.one("date") is not None
        # Again, now from memory.
        again = await get(server, "/assets/style.css")
        assert (again.body, again.one("etag")) == (answer.body, answer.one("etag"))


async def test_head_tells_the_same_and_sends_nothing(folder: Path) -> None:
    async with mounted(folder) as server, await server.connect() as wire:
        await wire.get("/assets/data.bin", method="HEAD")
        head = await wire.answer("HEAD")
        await wire.get("/assets/data.bin")
        whole = await wire.answer()
        assert (head.status, head.body, whole.body) == (200, b"", CONTENT)
        both = [[each for each in answer.headers if each[0] != "date"] for answer in (head, whole)]
        assert sorted(both[0]) == sorted(both[1])


async def test_other_methods_are_refused(folder: Path) -> None:
    async with mounted(folder) as server:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = await get(server, "/assets/style.css", method=method)
            assert (answer.status, answer.one("allow")) == (405, "GET, HEAD"), method


async def test_what_is_below_the_prefix_never_reaches_the_application(folder: Path) -> None:
    async with mounted(folder) as server:
        assert (await get(server, "/assets/missing")).status == 404
        assert (await get(server, "/assetsx")).body == b"/assetsx"
        assert (await get(server, "/asset")).body == b"/asset"
        assert (await get(server, "/assets%2Fstyle.css")).body == b"/assets/style.css"
        assert (await get(server, "/")).body == b"/"


async def test_the_longest_prefix_counts(folder: Path, tmp_path: Path) -> None:
    inner = write(tmp_path / "inner" / "style.css", "inner").parent
    root = write(tmp_path / "root" / "robots.txt", "none").parent
    mounts = (("/", root), ("/a", folder), ("/a/b/", inner), ("/a", root))
    async with served(hello, static=mounts) as server:
        assert (await get(server, "/a/b/style.css")).body == b"inner"
        assert (await get(server, "/a/style.css")).body == b"body {}"
        assert (await get(server, "/robots.txt")).body == b"none"
        assert (await get(server, "/%61/style.css")).body == b"body {}"
        assert (await get(server, "/anything")).status == 404


async def test_a_folder_answers_with_its_index_and_with_its_slash(folder: Path) -> None:
    async with mounted(folder, root_path="/shop") as server:
        assert (await get(server, "/assets/docs/")).body == b"<p>docs"
        moved = await get(server, "/assets/docs?a=b")
        assert (moved.status, moved.one("location")) == (307, "/shop/assets/docs/?a=b")
        for without_index in ("/assets/bare", "/assets/bare/", "/assets", "/assets/"):
            assert (await get(server, without_index)).status == 404, without_index
        assert (await get(server, "/assets/style.css/")).status == 404
    async with mounted(folder / "docs") as server:
        assert (await get(server, "/assets")).one("location") == "/assets/"
        assert (await get(server, "/assets/")).body == b"<p>docs"
    async with mounted(folder, static_index="") as server:
        assert (await get(server, "/assets/docs/")).status == 404
        assert (await get(server, "/assets/docs/index.html")).status == 200


async def test_a_client_that_has_it_is_not_sent_it(folder: Path) -> None:
    async with mounted(folder, static_cache_control="no-cache") as server:
        tag = (await get(server, "/assets/data.bin")).one("etag")
        for condition in (
            f"If-None-Match: {tag}",
            f'If-None-Match: "other", W/{tag}',
            "If-None-Match: *",
            f"If-Modified-Since: {DATE}",
        ):
            answer = await get(server, "/assets/data.bin", condition)
            assert (answer.status, answer.one("etag")) == (304, tag), condition
            assert answer.one("cache-control") == "no-cache"
            assert answer.one("content-type") is None and answer.one("content-length") is None
        for condition in (
            'If-None-Match: "other"',
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
            f"If-Match: {tag}",
        ):
            assert (await get(server, "/assets/data.bin", condition)).body == CONTENT, condition
        for condition in (
            'If-Match: "other"',
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        ):
            assert (await get(server, "/assets/data.bin", condition)).status == 412, condition


@pytest.mark.parametrize("memory", [0, 1 << 20], ids=["from the disk", "from memory"])
async def test_parts_of_a_file(folder: Path, memory: int) -> None:
    size = len(CONTENT)
    async with mounted(folder, static_memory=memory) as server:
        for field, part in (
            ("0-9", slice(0, 10)),
            ("5-", slice(5, None)),
            ("-7", slice(size - 7, None)),
            ("2000-9999", slice(2000, None)),
            ("0-19,10-29,25-39", slice(0, 40)),
        ):
            answer = await get(server, "/assets/data.bin", f"Range: bytes={field}")
            assert (answer.status, answer.body) == (206, CONTENT[part]), field
            start = part.start
            expected = f"bytes {start}-{start + len(CONTENT[part]) - 1}/{size}"
            assert answer.one("content-range") == expected
            assert answer.one("content-length") == str(len(CONTENT[part]))
        for field in ("lines=0-1", "bytes=x", "bytes=" + ",".join(f"{n}-{n}" for n in range(17))):
            answer = await get(server, "/assets/data.bin", f"Range: {field}")
            assert (answer.status, answer.body) == (200, CONTENT), field
        beyond = await get(server, "/assets/data.bin", f"Range: bytes={size}-")
        assert (beyond.status, beyond.one("content-range")) == (416, f"bytes */{size}")
        # RFC 9110 section 14.2: a range is for GET alone.
        head = await get(server, "/assets/data.bin", "Range: bytes=0-9", method="HEAD")
        assert (head.status, head.one("content-length")) == (200, str(size))


@pytest.mark.parametrize("memory", [0, 1 << 20], ids=["from the disk", "from memory"])
async def test_several_parts_of_a_file(folder: Path, memory: int) -> None:
    async with mounted(folder, static_memory=memory) as server:
        answer = await get(server, "/assets/data.bin", "Range: bytes=1000-1009, 0-4, -3")
        assert answer.status == 206
        kind = answer.one("content-type") or ""
        boundary = kind.removeprefix("multipart/byteranges; boundary=").encode()
        assert re.fullmatch(rb"[0-9a-f]{32}", boundary)
        parts = answer.body.split(b"\r\n--" + boundary)
        assert (parts[0], parts[-1]) == (b"", b"--\r\n")
        seen = [part.removeprefix(b"\r\n").split(b"\r\n\r\n", 1) for part in parts[1:-1]]
        size = len(CONTENT)
        assert [data for _, data in seen] == [CONTENT[1000:1010], CONTENT[:5], CONTENT[-3:]]
        ranges = [re.findall(rb"Content-Range: (.*)", head)[0].decode() for head, _ in seen]
        ends = [f"bytes {first}-{last}/{size}" for first, last in ((1000, 1009), (0, 4))]
        assert ranges == [*ends, f"bytes {size - 3}-{size - 1}/{size}"]
        assert all(b"Content-Type: application/octet-stream" in head for head, _ in seen)


async def test_a_part_is_of_the_version_that_the_client_has(folder: Path) -> None:
    async with mounted(folder) as server:
        tag = (await get(server, "/assets/data.bin")).one("etag")
        for condition, status in (
            (tag, 206),
            (DATE, 206),
            (f"W/{tag}", 200),
            ('"other"', 200),
            ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ):
            fields = ("Range: bytes=0-0", f"If-Range: {condition}")
            assert (await get(server, "/assets/data.bin", *fields)).status == status, condition


async def test_the_tag_of_what_was_written_just_now_is_weak(folder: Path) -> None:
    (folder / "new.txt").write_text("one")
    async with mounted(folder) as server:
        tag = (await get(server, "/assets/new.txt")).one("etag") or ""
        assert tag.startswith("W/")
        # What comes next may look the same to the file system, so nothing of it is kept.
        (folder / "new.txt").write_text("two")
        assert (await get(server, "/assets/new.txt")).body == b"two"


async def test_a_file_that_is_replaced_or_removed_is_noticed(folder: Path) -> None:
    async with mounted(folder) as server:
        before = await get(server, "/assets/style.css")
        write(folder / "next", "p {}", LONG_AGO + 1).rename(folder / "style.css")
        # It is looked at once a second at the most.
        while (after := await get(server, "/assets/style.css")).body == before.body:
            assert after.one("etag") == before.one("etag")
        assert (after.body, after.one("content-length")) == (b"p {}", "4")
        assert after.one("etag") != before.one("etag")
        (folder / "style.css").unlink()
        while (await get(server, "/assets/style.css")).status == 200:
            pass
        assert (await get(server, "/assets/style.css")).status == 404


async def test_what_is_not_kept_in_memory_is_seen_to_change_at_once(folder: Path) -> None:
    async with mounted(folder, static_memory=0) as server:
        before = await get(server, "/assets/style.css")
        write(folder / "next", "new content", LONG_AGO + 1).rename(folder / "style.css")
        after = await get(server, "/assets/style.css", f"If-Range: {before.one('etag')}")
        assert (after.status, after.body) == (200, b"new content")
        assert after.one("content-length") == "11" and after.one("etag") != before.one("etag")
        (folder / "style.css").unlink()
        assert (await get(server, "/assets/style.css")).status == 404


async def test_a_body_that_nobody_wants_does_not_disturb_what_follows(folder: Path) -> None:
    async with mounted(folder) as server, await server.connect() as wire:
        head = ("Content-Length: 5",)
        await wire.send(request("GET /assets/style.css HTTP/1.1", *head, body=b"GET /"))
        assert (await wire.answer()).body == b"body {}"
        await wire.send(request("POST /assets/style.css HTTP/1.1", *head, body=b"GET /"))
        assert (await wire.answer()).status == 405
        await wire.get("/assets/empty.txt")
        assert (await wire.answer()).status == 200


async def test_a_whole_folder_that_is_replaced_is_noticed(folder: Path) -> None:
    async with mounted(folder) as server:
        assert (await get(server, "/assets/style.css")).status == 200
        folder.rename(folder.with_name("old"))
        write(folder / "style.css", "new")
        while (answer := await get(server, "/assets/style.css")).body != b"new":
            assert answer.status in (200, 404)


async def test_large_files_are_read_as_they_are_sent(folder: Path) -> None:
    content = os.urandom(1 << 16) * 80
    write(folder / "large", content)
    async with mounted(folder) as server:
        answer = await get(server, "/assets/large")
        assert answer.body == content
        assert answer.one("content-length") == str(len(content))
        part = await get(server, "/assets/large", "Range: bytes=100000-3000000")
        assert part.body == content[100_000:3_000_001]


async def test_more_files_than_fit_are_served_all_the_same(folder: Path) -> None:
    contents = {f"{number}.txt": str(number).encode() * 2000 for number in range(40)}
    for name, content in contents.items():
        write(folder / name, content)
    async with mounted(folder, static_memory=40_000) as server, await server.connect() as wire:
        for _ in range(3):
            for name, content in contents.items():
                await wire.get(f"/assets/{name}")
                assert (await wire.answer()).body == content


async def test_an_empty_file(folder: Path) -> None:
    async with mounted(folder) as server:
        answer = await get(server, "/assets/empty.txt")
        assert (answer.status, answer.body, answer.one("content-length")) == (200, b"", "0")
        assert (await get(server, "/assets/empty.txt", "Range: bytes=0-")).status == 416
        assert (await get(server, "/assets/empty.txt", "Range: bytes=-1")).status == 200


async def test_compressed_siblings_answer_for_the_file(folder: Path) -> None:
    for extension in ("br", "zst", "gz"):
        write(folder / f"style.css.{extension}", f"as {extension}")
    async with mounted(folder) as server:
        tags = set()
        for accepted, coding, content in (
            ("gzip", "gzip", b"as gz"),
            ("gzip, zstd", "zstd", b"as zst"),
            ("gzip, deflate, br, zstd", "br", b"as br"),
            ("br;q=0.5, gzip", "gzip", b"as gz"),
            ("br;q=0, *", "zstd", b"as zst"),
            ("deflate", None, b"body {}"),
            ("identity", None, b"body {}"),
            ("*;q=0", None, b"body {}"),
        ):
            field = f"Accept-Encoding: {accepted}"
            answer = await get(server, "/assets/style.css", field)
            assert (answer.body, answer.one("content-encoding")) == (content, coding), accepted
            assert answer.one("content-type") == "text/css; charset=utf-8"
            assert answer.one("vary") == "accept-encoding"
            tags.add(answer.one("etag"))
            known = f"If-None-Match: {answer.one('etag')}"
            assert (await get(server, "/assets/style.css", field, known)).status == 304
        assert len(tags) == 4
        lines = ("Accept-Encoding: deflate", "Accept-Encoding: gzip")
        assert (await get(server, "/assets/style.css", *lines)).body == b"as gz"
        part = await get(server, "/assets/style.css", "Accept-Encoding: br", "Range: bytes=3-4")
        assert (part.status, part.body, part.one("content-encoding")) == (206, b"br", "br")
        itself = await get(server, "/assets/style.css.gz")
        assert (itself.body, itself.one("content-type")) == (b"as gz", "application/gzip")
        assert itself.one("content-encoding") is None
    async with mounted(folder, static_precompressed=False) as server:
        answer = await get(server, "/assets/style.css", "Accept-Encoding: br")
        assert (answer.body, answer.one("vary")) == (b"body {}", None)


async def test_files_over_http2(folder: Path) -> None:
    async with client_of(hello, static=(("/assets", folder),)) as (client, _):
        whole = await client.get("/assets/data.bin")
        assert (whole.status, whole.body) == (200, CONTENT)
        assert whole.all("content-length") == [str(len(CONTENT))]
        head = await client.get("/assets/data.bin", method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.all("content-length") == [str(len(CONTENT))]
        part = await client.get("/assets/data.bin", ("range", "bytes=1-2"))
        assert (part.status, part.body) == (206, CONTENT[1:3])
        known = await client.get("/assets/data.bin", ("if-none-match", whole.all("etag")[0]))
        assert (known.status, known.body, known.all("content-length")) == (304, b"", [])
        assert (await client.get("/assets/missing")).status == 404
        assert (await client.get("/other")).body == b"/other"


async def test_files_over_tls(folder: Path, tmp_path: Path) -> None:
    authority = Authority()
    certificate = authority.write(tmp_path)
    async with mounted(folder, ssl_certfile=certificate) as server:
        async with await server.connect(tls=authority.client()) as wire:
            for _ in range(2):
                await wire.get("/assets/data.bin")
                assert (await wire.answer()).body == CONTENT


async def test_files_do_not_wait_for_the_application(folder: Path) -> None:
    limits = hoopsnake.ServerLimits(concurrency=1, queue=0, response_timeout=None)
    entered, leave = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await leave.wait()
        await hello(scope, receive, send)

    async with (
        served(app, lifespan="off", limits=limits, static=(("/assets", folder),)) as server,
        await server.connect() as busy,
    ):
        await busy.get("/busy")
        await entered.wait()
        assert (await get(server, "/another")).status == 503
        assert (await get(server, "/assets/data.bin")).body == CONTENT
        leave.set()
        assert (await busy.answer()).body == b"/busy"


async def test_accesses_are_logged(folder: Path) -> None:
    async with mounted(folder, access_log=True) as server:
        await get(server, "/assets/style.css")
        await get(server, "/assets/missing?a")
        await server.log.wait_for("GET /assets/style.css .*200")
        await server.log.wait_for(r"GET /assets/missing\?a .*404")


async def test_a_stalled_reader_of_a_file_is_given_up(folder: Path) -> None:
    write(folder / "large", b"x" * (64 << 20))
    limits = hoopsnake.ServerLimits(send_timeout=0.2)
    async with (
        mounted(folder, limits=limits, graceful_timeout=60) as server,
        await server.connect(receive_buffer=4096, read_ahead=4096) as wire,
    ):
        await wire.get("/assets/large")
        await wire.head()
        # It would go on for a minute, and this test fails before that.
        server.stop()
        await server.ended()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"static": (("assets", "."),)}, "prefix"),
        ({"static": (("/a/../b", "."),)}, "prefix"),
        ({"static": (("/a//b", "."),)}, "prefix"),
        ({"static": (("/a", ""),)}, "folder"),
        ({"static_index": "a/b"}, "static_index"),
        ({"static_cache_control": "a\nb"}, "static_cache_control"),
        ({"static_memory": -1}, "static_memory"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(hoopsnake.ServerError, match=complaint):
        hoopsnake.ServerConfig(**settings)


async def test_a_folder_that_is_not_there_is_told_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(hoopsnake.ServerError, match=r"static /a: .*missing.*cannot be opened"):
        async with mounted(tmp_path / "missing", "/a"):
            pass
    with pytest.raises(hoopsnake.ServerError, match="cannot be opened"):
        async with mounted(write(tmp_path / "file", ""), "/a"):
            pass
