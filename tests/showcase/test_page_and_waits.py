"""The showcase by plain HTTP: the page with all it needs, and the three waits."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from showcase_server import OVERRIDE, REPOSITORY, Showcase

STATIC = REPOSITORY / "examples" / "showcase" / "static"
WAIT = 1.0  # What each of the three services takes.


def test_the_page_brings_all_it_needs(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    wanted = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    kinds = {}
    for address in wanted:
        if "/static/" in address:
            found = client.get(urljoin("/", address))
            assert found.status_code == 200, address
            kinds[address.rpartition(".")[2]] = found.headers["content-type"].partition(";")[0]
    assert kinds == {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def test_nothing_refers_to_another_host() -> None:
    elsewhere = re.compile(r"""(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w-]+\.[\w.-]+""")
    checked = 0
    for file in STATIC.iterdir():
        assert elsewhere.findall(file.read_text()) == [], file.name
        checked += 1
    assert checked > 8


def test_the_page_can_name_its_engine(client: httpx.Client) -> None:
    about = client.get("/about").json()
    assert re.fullmatch(r"CPython 3\.\d+\.\S+", about["python"])
    if not OVERRIDE:
        assert about["loop"].startswith("hoopsnake."), about
        assert re.fullmatch(r"hoopsnake \d+\.\d+\.\S+", about["engine"])


@pytest.mark.parametrize("name", ["waits", "chat", "ticker", "transfer"])
def test_the_source_of_a_demo_can_be_read(
    client: httpx.Client, showcase: Showcase, name: str
) -> None:
    own = (REPOSITORY / "examples" / showcase.package / f"{name}.py").read_text()
    assert client.get(f"/source/{name}").text == own


@pytest.mark.parametrize("name", ["app", "secrets", "..%2Fapp", "%2e%2e"])
def test_no_other_source_can_be_read(client: httpx.Client, name: str) -> None:
    assert client.get(f"/source/{name}").status_code == 404


def timed_lines(client: httpx.Client, order: str) -> list[tuple[float, dict[str, Any]]]:
    """The events of a run, each with the second at which it arrived here."""
    began = time.monotonic()
    with client.stream("GET", f"/waits/{order}") as response:
        assert response.status_code == 200
        return [(time.monotonic() - began, json.loads(line)) for line in response.iter_lines()]


def test_together_three_waits_take_one(client: httpx.Client) -> None:
    lines = timed_lines(client, "together")
    assert [line["what"] for _, line in lines] == ["asked"] * 3 + ["answered"] * 3 + ["done"]
    assert WAIT * 0.95 <= lines[-1][1]["at"] < WAIT * 2.5
    assert lines[-1][0] < WAIT * 2.8


def test_one_after_another_they_add_up(client: httpx.Client) -> None:
    lines = timed_lines(client, "one-after-another")
    assert [line["what"] for _, line in lines] == ["asked", "answered"] * 3 + ["done"]
    assert WAIT * 2.95 <= lines[-1][1]["at"] < WAIT * 9


def test_each_event_is_sent_when_it_happens(client: httpx.Client) -> None:
    lines = timed_lines(client, "one-after-another")
    late = [arrived - line["at"] for arrived, line in lines]
    assert max(late) < 0.9, lines


def test_forty_visitors_wait_no_longer_than_one(runner: asyncio.Runner, showcase: Showcase) -> None:
    async def together() -> float:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=showcase.url, limits=limits, timeout=20, trust_env=False
        ) as client:
            began = time.monotonic()
            answers = await asyncio.gather(*(client.get("/waits/together") for _ in range(40)))
            took = time.monotonic() - began
        assert [answer.text.count('"answered"') for answer in answers] == [3] * 40
        return took

    assert runner.run(together()) < WAIT * 10


def test_there_is_no_third_way_to_wait(client: httpx.Client) -> None:
    assert client.get("/waits/never").status_code == 422
