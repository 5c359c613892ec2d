"""`--reload`: changed files start the application anew, on the socket that was there all along."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest
from supervised import APP, serving, starting, write


def saying(text: str) -> str:
    return APP.replace('b"%d" % os.getpid()', f"b{text!r}")


async def test_a_changed_file_is_served_anew_on_the_same_port(tmp_path: Path) -> None:
    async with serving(tmp_path, "--reload", source=saying("one")) as server:
        assert await server.get() == "one"
        write(tmp_path, saying("two"))
        await server.wait_for("Changed: .*web.py; starting anew")
        # The connection waits until somebody accepts it.
        assert await server.get() == "two"
        (tmp_path / "package").mkdir()
        write(tmp_path / "package", "TEXT = b'three'", "texts.py")
        await server.wait_for("Changed: .*texts.py")
        assert await server.get() == "two"
        write(tmp_path, saying("two").replace("b'two'", "__import__('package.texts').texts.TEXT"))
        await server.wait_for("Changed: .*web.py", times=2)
        assert await server.get() == "three"
        server.signal(signal.SIGINT)
        assert await server.ended() == 0
    assert server.log.count("Serving on") == 1
    assert "Traceback" not in server.log


async def test_a_syntax_error_is_shown_and_the_next_change_tried(tmp_path: Path) -> None:
    async with serving(tmp_path, "--reload", source=saying("one")) as server:
        assert await server.get() == "one"
        write(tmp_path, "def app(:")
        await server.wait_for("waiting for a change")
        await server.wait_for("SyntaxError")
        waiting = asyncio.create_task(server.get())
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done(), "nobody serves what is no more"
        write(tmp_path, saying("two"))
        assert await waiting == "two"


async def test_code_that_fails_at_first_is_waited_for_too(tmp_path: Path) -> None:
    async with starting(tmp_path, "--reload", source="import nothing_like_it") as server:
        await server.wait_for("No module named 'nothing_like_it'")
        write(tmp_path, saying("one"))
        server.port = int((await server.wait_for(r"Serving on http://127.0.0.1:(\d+) "))[1])
        assert await server.get() == "one"


async def test_a_command_that_names_nothing_ends(tmp_path: Path) -> None:
    async with starting(tmp_path, "--reload", source="other = 1") as server:
        assert await server.ended() == 2
    assert "has no attribute 'app'" in server.log


async def test_a_worker_that_crashes_is_tried_again_after_a_change(tmp_path: Path) -> None:
    async with serving(tmp_path, "--reload", source=saying("one")) as server:
        with pytest.raises((AssertionError, EOFError, OSError)):
            await server.get("/crash")
        await server.wait_for("was ended by SIGSEGV; waiting for a change")
        write(tmp_path, saying("two"))
        assert await server.get() == "two"


@pytest.mark.parametrize("path", ["/sleep/100", "/block/100"])
async def test_an_end_is_quick_though_a_request_is_at_work(tmp_path: Path, path: str) -> None:
    async with serving(tmp_path, "--reload") as server:
        answer = asyncio.create_task(server.get(path))
        later = asyncio.create_task(server.get())
        await asyncio.wait([later], timeout=0.5)
        began = time.monotonic()
        server.signal(signal.SIGINT)
        assert await server.ended() == 0
        assert time.monotonic() - began < 5
        await asyncio.gather(answer, later, return_exceptions=True)
        assert answer.exception() is not None


async def test_patterns_and_folders_say_what_is_watched(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    code = tmp_path / "code"
    pages.mkdir()
    code.mkdir()
    source = saying("x").replace("b'x'", "open('../pages/page.html', 'rb').read()")
    write(pages, "first", "page.html")
    options = ("--reload", "--reload-dir", "../pages", "--reload-include", "*.html")
    async with serving(code, *options, "--reload-exclude", "draft*", source=source) as server:
        write(code, "not watched", "other.py")
        write(pages, "excluded", "draft.html")
        write(pages, "second", "page.html")
        assert (await server.wait_for("Changed: (.*);"))[1] == str(pages / "page.html")
        assert await server.get() == "second"


async def test_reloading_and_many_workers_contradict(tmp_path: Path) -> None:
    async with starting(tmp_path, "--reload", "--workers", "2") as server:
        assert await server.ended() == 1
    assert "hoop: error: reload runs one worker, not 2" in server.log
