"""`hoop dev`: what fails is shown to its developer, and never by `hoop serve`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from commands import serving

from hoopsnake._cli import main
from hoopsnake._cli.dev import _is_of_this_machine

APP = """
from hoopsnake.web import App

app = App()


def price_of(item: dict[str, int]) -> int:
    return item["price"]


@app.get("/cart")
async def cart() -> int:
    try:
        return price_of({})
    except KeyError as error:
        raise ValueError("an item without a price: <script>") from error


@app.get("/")
async def home() -> str:
    return "first"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


def ask(url: str, accept: str = "text/html") -> tuple[int, str, str]:
    """Return status, type and body."""
    request = Request(url, headers={"Accept": accept, "Cookie": "session=very-secret"})
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["content-type"], error.read().decode()


def test_an_exception_is_shown_with_its_frames_and_source(folder: Path) -> None:
    with serving("dev", "shop", cwd=folder) as (url, _):
        status, kind, page = ask(f"{url}/cart?a=1")

        assert (status, kind) == (500, "text/html; charset=utf-8")
        assert "<h1>ValueError</h1>" in page
        assert "an item without a price: &lt;script&gt;" in page
        assert "<script" not in page
        assert "shop.py:16" in page
        assert "<h2>KeyError</h2>" in page
        assert "GET /cart?a=1" in page
        assert "very-secret" not in page

        status, kind, text = ask(f"{url}/cart", accept="application/json")
        assert (status, kind) == (500, "text/plain; charset=utf-8")
        assert text.startswith("Traceback (most recent call last):")
        assert ask(f"{url}/")[2] == '"first"'


def test_serve_shows_nothing_of_it(folder: Path) -> None:
    with serving("serve", "shop", "--reload", cwd=folder) as (url, _):
        assert ask(f"{url}/cart") == (500, "text/plain; charset=utf-8", "Internal Server Error")


def test_a_change_is_served(folder: Path) -> None:
    with serving("dev", "shop", cwd=folder) as (url, process):
        assert ask(f"{url}/")[2] == '"first"'
        (folder / "shop.py").write_text(APP.replace("first", "second"))
        _until_reloaded(process)
        assert ask(f"{url}/")[2] == '"second"'


def _until_reloaded(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    said = []
    while "starting anew" not in (line := process.stderr.readline()):
        said.append(line)
        assert line, said


def test_without_reload_the_page_is_there_all_the_same(folder: Path) -> None:
    with serving("dev", "shop", "--no-reload", cwd=folder) as (url, _):
        assert "<h1>ValueError</h1>" in ask(f"{url}/cart")[2]


def test_a_wsgi_application_is_served_as_it_is(folder: Path) -> None:
    (folder / "wsgi.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('content-type', 'text/plain')])\n"
        "    return [b'wsgi']\n"
    )
    with serving("dev", "wsgi", cwd=folder) as (url, _):
        assert ask(url) == (200, "text/plain", "wsgi")


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("[::1]", True),
        ("127.1.2.3", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("example.test", False),
        ("", False),
    ],
)
def test_who_can_reach_the_page_is_known(host: str, is_ours: bool) -> None:
    assert _is_of_this_machine(host) == is_ours


def test_a_server_that_others_can_reach_comes_with_a_warning(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[bool] = []

    def supervised(*_: object, development: bool) -> int:
        served.append(development)
        return 0

    monkeypatch.setattr("hoopsnake._cli.dev.supervised", supervised)
    for options, is_warned in (
        ([], False),
        (["--host", "0.0.0.0"], True),
        (["--uds", "shop.sock"], False),
        (["--bind", "127.0.0.1:0", "--bind", "10.0.0.1:0"], True),
    ):
        assert main(["dev", "shop", *options]) == 0
        assert ("sees your source" in capsys.readouterr().err) == is_warned
    assert served == [True] * 4
