"""The rows of the web framework: what is sent and expected, and that the shops answer alike."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from test_bench_compare import SETTING, needs_wrk

from bench.compare import answers, must_hold, servers, thresholds, web_workloads, workloads
from bench.compare.apps.web import shop
from bench.compare.contenders import OURS, Programs
from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured
from bench.compare.http_workloads import HttpWorkload
from bench.compare.process import Process, free_port
from bench.compare.rate_workloads import StartWorkload
from bench.compare.web_frameworks import FASTAPI, RAW

# Answers a request with its content type and body, and with the status that its path names; on
# /seldom/S with S, but for each fiftieth answer, which is a 500.
SERVER = """
import asyncio, sys

answered = 0

async def talk(reader, writer):
    global answered
    while True:
        try:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode().split("\\r\\n")
        except asyncio.IncompleteReadError:
            return writer.close()
        path = head[0].split()[1]
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        body = fields.get("content-type", "none").encode() + b" " + body
        answered += 1
        fails = path.startswith("/seldom") and answered % 50 == 0
        status = b"500" if fails else path.rsplit("/", 1)[1].encode()
        writer.write(b"HTTP/1.1 %b Said\\r\\ncontent-length: %d\\r\\n\\r\\n" % (status, len(body)))
        writer.write(body)

async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
"""


def tiny_server(
    _programs: Programs, _application: str, port: int, _offer: servers.Offer = servers.PLAIN
) -> list[str]:
    return [sys.executable, "-c", SERVER, str(port)]


TINY = HttpWorkload(
    key="tiny",
    title="A tiny server",
    application="",
    path="/say/200",
    is_right=answers.exactly(b"none "),
    servers=((OURS, tiny_server),),
)


@needs_wrk
class TestLoads:
    def test_an_expected_refusal_is_measured(self) -> None:
        tiny = replace(TINY, path="/say/422", statuses={OURS: 422})
        assert tiny.measure(OURS, SETTING)["cpu_us"] > 1

    def test_another_status_among_refusals_leaves_no_figure(self) -> None:
        tiny = replace(TINY, path="/seldom/422", statuses={OURS: 422})
        with pytest.raises(NotMeasured, match="answers had a bad status"):
            tiny.measure(OURS, SETTING)

    def test_an_error_that_is_not_expected_leaves_no_figure(self) -> None:
        with pytest.raises(NotMeasured, match="answered 422 to GET /say/422"):
            replace(TINY, path="/say/422").measure(OURS, SETTING)

    def test_a_good_answer_where_a_refusal_is_expected_leaves_no_figure(self) -> None:
        with pytest.raises(NotMeasured, match="answered 200 to GET /say/200"):
            replace(TINY, statuses={OURS: 422}).measure(OURS, SETTING)

    def test_a_body_of_any_bytes_is_posted_with_its_type(self) -> None:
        # The server reads as many bytes as the head announces, so the load would stop or break if
        # wrk sent others than the bench did when it looked at the answer.
        posted = answers.Posted(bytes(range(256)) * 4, "multipart/form-data; boundary=b")
        right = answers.exactly(b"multipart/form-data; boundary=b " + posted.body)
        tiny = replace(TINY, posted=posted, is_right=right)
        assert tiny.measure(OURS, SETTING)["per_second"] > 50


class TestStarts:
    @pytest.mark.parametrize(("status", "has"), [(200, True), (404, False)])
    def test_a_good_answer_ends_a_start(self, status: int, has: bool) -> None:
        start = StartWorkload(key="s", title="", application="", servers=(), path=f"/say/{status}")
        where = Endpoint(port=free_port())
        with Process(
            tiny_server(SETTING.programs, "", where.port), directory=Path.cwd()
        ) as process:
            process.wait_until_listening(where)
            assert start._has_answered(where) is has


async def answer_of(application: Any, workload: HttpWorkload) -> httpx.Response:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://bench") as client:
        if workload.posted is None:
            return await client.get(workload.path)
        return await client.post(
            workload.path,
            content=workload.posted.body,
            headers={"content-type": workload.posted.content_type},
        )


def application(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"bench.compare.apps.web.{module}"), attribute)


SHOP_ROWS = {
    w.key: w
    for w in web_workloads.WEB_WORKLOADS
    if isinstance(w, HttpWorkload) and w.key != "web-routes"
}
# Those that the tests' environment has.
SHOPS = {OURS: "hoopsnake", RAW: "raw", FASTAPI: "fastapi", "Starlette": "starlette"}


class TestShops:
    @pytest.mark.parametrize("name", SHOPS)
    @pytest.mark.parametrize("key", SHOP_ROWS)
    def test_each_gives_the_answer_that_is_asked_for(self, key: str, name: str) -> None:
        workload = SHOP_ROWS[key]
        answer = asyncio.run(answer_of(application(f"{SHOPS[name]}_shop:app"), workload))
        assert answer.status_code == workload.statuses.get(name, 200)
        assert workload.is_right(answer.content)

    @pytest.mark.parametrize("name", ["hoopsnake", "fastapi"])
    def test_one_route_and_many_answer_alike(self, name: str) -> None:
        (routes,) = workloads.chosen(["web-routes"])
        assert isinstance(routes, HttpWorkload)
        for which in ("one", "many"):
            answer = asyncio.run(answer_of(application(f"{name}_routes:{which}"), routes))
            assert answer.status_code == 200
            assert routes.is_right(answer.content)

    def test_sizes_are_those_that_the_titles_name(self) -> None:
        raw = application("raw_shop:ANSWERS")
        assert 950 <= len(shop.ORDER_BODY) <= 1100
        assert 9_500 <= len(raw["GET", shop.ITEMS][1]["body"]) <= 10_500
        assert len(shop.FILE) == 102_400


class TestLimits:
    LIMITS: Mapping[str, Callable[[thresholds.Threshold], bool]] = {
        "FastAPI": lambda t: t.rivals == (FASTAPI,) and t.limit.times == 0.25,
        "the others": lambda t: len(t.rivals) == 4 and t.limit.times == 0.7,
    }

    @pytest.mark.parametrize("whom", LIMITS)
    @pytest.mark.parametrize("key", SHOP_ROWS)
    def test_each_row_is_judged_against_fastapi_and_the_others(self, key: str, whom: str) -> None:
        of_row = [t for t in must_hold.WEB_THRESHOLDS if t.workload == key]
        (found,) = filter(self.LIMITS[whom], of_row)
        assert found.figures == ("cpu_us",)

    def test_every_row_is_judged(self) -> None:
        judged = {threshold.workload for threshold in must_hold.WEB_THRESHOLDS}
        assert judged == {workload.key for workload in web_workloads.WEB_WORKLOADS}
