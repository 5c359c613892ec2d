"""Files as responses and folders as applications: conditions, ranges, and nothing outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from asgi_client import get, request

from hoopsnake.web import App, FileResponse, Response, StaticFiles, WebError

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that was changed long ago: its tag is strong."""
    path = tmp_path / "data.bin"
    path.write_bytes(CONTENT)
    os.utime(path, (1_700_000_000, 1_700_000_000.5))
    return path


def serving(path: Path, **options: Any) -> App:
    app = App()

    @app.get("/")
    async def file() -> FileResponse:
        return FileResponse(path, **options)

    return app


async def test_a_file_is_sent_with_what_is_known_of_it(path: Path) -> None:
    answer = await get(serving(path), "/")
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["last-modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"].startswith('"')
    head = await request(serving(path), "HEAD", "/", headers={"range": "bytes=0-1"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(CONTENT))


async def test_conditions_are_met(path: Path) -> None:
    app = serving(path)
    tag = (await get(app, "/")).headers["etag"]
    for name, value, status in [
        ("if-none-match", tag, 304),
        ("if-none-match", '"other"', 200),
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:20 GMT", 304),
        ("if-modified-since", "Tue, 14 Nov 2023 22:13:19 GMT", 200),
        ("if-match", '"other"', 412),
        ("if-match", tag, 200),
        ("if-unmodified-since", "Tue, 14 Nov 2023 22:13:19 GMT", 412),
    ]:
        answer = await get(app, "/", headers={name: value})
        assert answer.status_code == status, name
        assert (answer.content == CONTENT) == (status == 200)
        if status == 304:
            assert answer.headers["etag"] == tag
            assert "content-type" not in answer.headers


async def test_ranges_are_sent_alone_or_together(path: Path) -> None:
    app = serving(path, media_type="a/b")
    one = await get(app, "/", headers={"range": "bytes=10-19"})
    assert (one.status_code, one.content) == (206, CONTENT[10:20])
    assert one.headers["content-range"] == f"bytes 10-19/{len(CONTENT)}"
    assert one.headers["content-length"] == "10"
    several = await get(app, "/", headers={"range": "bytes=0-1,5000-5002,-1"})
    assert several.status_code == 206
    kind, _, boundary = several.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    assert several.headers["content-length"] == str(len(several.content))
    *parts, end = several.content.split(f"\r\n--{boundary}".encode())[1:]
    assert end == b"--\r\n"
    told = b"\r\nContent-Type: a/b\r\nContent-Range: bytes %s/10240\r\n\r\n%s"
    assert parts == [
        told % (b"0-1", CONTENT[:2]),
        told % (b"5000-5002", CONTENT[5000:5003]),
        told % (b"10239-10239", CONTENT[-1:]),
    ]
    none = await get(app, "/", headers={"range": "bytes=99999-"})
    assert (none.status_code, none.content) == (416, b"")
    assert none.headers["content-range"] == f"bytes */{len(CONTENT)}"
    tag = one.headers["etag"]
    for value, status in [(tag, 206), ('"other"', 200)]:
        headers = {"range": "bytes=0-1", "if-range": value}
        assert (await get(app, "/", headers=headers)).status_code == status


async def test_a_file_that_may_still_change_has_a_weak_tag(tmp_path: Path) -> None:
    fresh = tmp_path / "fresh.txt"
    fresh.write_text("new")
    answer = await get(serving(fresh), "/")
    assert answer.headers["etag"].startswith('W/"')
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("filename", "kind", "disposition"),
    [
        ("a.txt", "attachment", 'attachment; filename="a.txt"'),
        ("tea & €.csv", "inline", "inline; filename*=utf-8''tea%20%26%20%E2%82%AC.csv"),
        ('"\r\n', "attachment", "attachment; filename*=utf-8''%22%0D%0A"),
    ],
)
async def test_clients_keep_it_under_a_name(
    path: Path, filename: str, kind: Any, disposition: str
) -> None:
    app = serving(path, filename=filename, content_disposition_type=kind)
    answer = await get(app, "/")
    assert answer.headers["content-disposition"] == disposition


async def test_what_is_no_file_is_the_handlers_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*HTTPException\(404\)"):
        FileResponse(tmp_path / "none")
    with pytest.raises(ValueError, match="is no regular file"):
        FileResponse(tmp_path)
    assert (await get(serving(tmp_path / "none"), "/")).status_code == 500


async def test_a_status_and_headers_of_ones_own_are_kept(path: Path) -> None:
    app = serving(path, status_code=203, headers={"etag": '"mine"', "x-more": "1"})
    answer = await get(app, "/", headers={"range": "bytes=0-1"})
    assert (answer.status_code, len(answer.content)) == (203, len(CONTENT))
    assert (answer.headers["etag"], answer.headers["x-more"]) == ('"mine"', "1")


async def test_middleware_sees_the_response_and_all_of_its_bytes(path: Path) -> None:
    app = serving(path)

    @app.middleware("http")
    async def more(request: Any, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-more"] = "1"
        return response

    bodies: list[int] = []

    def counting(inner: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            async def counted(message: Any) -> None:
                if message["type"] == "http.response.body":
                    bodies.append(len(message["body"]))
                await send(message)

            await inner(scope, receive, counted)

        return middleware

    answer = await get(app, "/", headers={"range": "bytes=0-99"})
    assert (answer.status_code, answer.headers["x-more"], len(answer.content)) == (206, "1", 100)
    app.add_middleware(counting)
    answer = await get(app, "/", headers={"range": "bytes=0-99"})
    assert (answer.status_code, len(answer.content), sum(bodies)) == (206, 100, 100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    (folder / "docs").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name, text in {
        "index.html": "home",
        "app.js": "code",
        "404.html": "nowhere",
        "docs/index.html": "docs",
        "docs/a b.txt": "spaced",
        ".secret": "hidden",
    }.items():
        (folder / name).write_text(text)
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link").symlink_to("../outside.txt")
    return folder


def mounted(folder: Path, **options: Any) -> App:
    app = App()
    app.mount("/static", StaticFiles(folder, **options))
    return app


async def found(app: App, path: str) -> tuple[int, str]:
    answer = await get(app, path)
    return answer.status_code, answer.text


NOT_FOUND = (404, '{"detail":"Not Found"}')


async def test_a_folder_is_mounted(folder: Path) -> None:
    app = mounted(folder)
    answer = await get(app, "/static/app.js")
    assert (answer.status_code, answer.text) == (200, "code")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert await found(app, "/static/docs/a%20b.txt") == (200, "spaced")
    for path in [
        "/static/",
        "/static/docs",
        "/static/none",
        "/static/app.js/",
        "/static/.secret",
        "/static/link",
        "/static/%2e%2e/outside.txt",
        "/static/..%2foutside.txt",
        "/static/app.js%00",
        "/static//app.js",
    ]:
        assert await found(app, path) == NOT_FOUND, path
    post = await request(app, "POST", "/static/app.js")
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD")
    tag = answer.headers["etag"]
    again = await get(app, "/static/app.js", headers={"if-none-match": tag})
    assert again.status_code == 304


async def test_html_answers_for_folders_and_for_nothing(folder: Path) -> None:
    app = mounted(folder, html=True)
    assert await found(app, "/static/") == (200, "home")
    assert await found(app, "/static/docs/") == (200, "docs")
    moved = await get(app, "/static/docs?a=b")
    assert (moved.status_code, moved.headers["location"]) == (307, "/static/docs/?a=b")
    assert await found(app, "/static/none") == (404, "nowhere")
    assert await found(app, "/static/empty/") == (404, "nowhere")


async def test_a_single_page_answers_for_every_path(folder: Path) -> None:
    app = mounted(folder, html=True, fallback="index.html")
    for path in ("/static/users/7", "/static/none", "/static/empty/"):
        assert await found(app, path) == (200, "home")
    # A script or picture that is not there is not the page.
    assert await found(app, "/static/none.js") == (404, "nowhere")
    assert await found(mounted(folder, fallback="none.html"), "/static/x") == NOT_FOUND


async def test_hidden_names_and_headers_are_a_choice(folder: Path) -> None:
    app = mounted(folder, hidden=True, headers={"cache-control": "max-age=60"})
    answer = await get(app, "/static/.secret")
    assert (answer.text, answer.headers["cache-control"]) == ("hidden", "max-age=60")


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(WebError, match="none' cannot be served"):
        StaticFiles(tmp_path / "none")


async def test_no_descriptor_stays_open(folder: Path) -> None:
    app = mounted(folder, html=True, fallback="index.html")
    await get(app, "/static/")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("/static/", "/static/docs", "/static/none", "/static/app.js", "/static/x.js"):
        for headers in ({}, {"range": "bytes=0-0"}, {"if-match": '"x"'}):
            await get(app, path, headers=headers)
    assert len(os.listdir("/proc/self/fd")) <= before


async def test_servers_that_send_files_themselves_are_asked_to(path: Path) -> None:
    async def messages(extension: str, headers: list[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        response = FileResponse(path)
        scope = {"method": "GET", "headers": headers, "extensions": {extension: {}}}
        response.for_scope(scope)
        await response(send)
        return sent[1:]

    by_path, by_part = "http.response.pathsend", "http.response.zerocopysend"
    assert await messages(by_path, []) == [{"type": by_path, "path": str(path)}]
    part = await messages(by_path, [(b"range", b"bytes=0-9")])
    assert [each["body"] for each in part] == [CONTENT[:10], b""]
    first, end = await messages(by_part, [(b"range", b"bytes=5-9")])
    assert (first["type"], first["offset"], first["count"]) == (by_part, 5, 5)
    assert end["body"] == b""
