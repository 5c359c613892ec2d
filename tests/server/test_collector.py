"""Python's garbage collector under `hoop serve`: relieved, unless the application chose."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
from program import serving, starting

AT_FIRST = list(gc.get_threshold())
# What importing a server makes is some ten thousand; 3.12 itself begins with a few hundred.
IMPORTED = 1000
SOURCE = """
import gc, json

async def app(scope, receive, send):
    answer = [gc.get_threshold(), gc.get_freeze_count() > %d, gc.isenabled()]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
""".replace("%d", str(IMPORTED))


async def told(folder: Path, source: str, *options: str) -> list[object]:
    """Say how the collector of a server's process is set up."""
    async with serving(folder, source, "--lifespan", "off", *options) as server:
        async with await server.connect() as wire:
            await wire.get()
            answer: list[object] = json.loads((await wire.answer()).body)
            return answer


@pytest.mark.parametrize("workers", [[], ["--workers", "1"]], ids=["alone", "supervised"])
async def test_it_looks_less_often_and_not_at_what_the_import_has_made(
    tmp_path: Path, workers: list[str]
) -> None:
    assert await told(tmp_path, SOURCE, *workers) == [[10_000, *AT_FIRST[1:]], True, True]


async def test_the_threshold_can_be_chosen_and_0_leaves_python_alone(tmp_path: Path) -> None:
    threshold, *_ = await told(tmp_path, SOURCE, "--gc-threshold", "5000")
    assert threshold == [5000, *AT_FIRST[1:]]
    assert await told(tmp_path, SOURCE, "--gc-threshold", "0") == [AT_FIRST, False, True]


async def test_a_threshold_that_python_cannot_have_is_refused(tmp_path: Path) -> None:
    async with starting(tmp_path, SOURCE, "--gc-threshold", "2147483648") as server:
        await server.wait_for("--gc-threshold: 2147483648 is more than")
        assert await server.ended() == 2


@pytest.mark.parametrize(
    ("chosen", "told_of_it"),
    [
        ("gc.set_threshold(50, 5, 5)", [[50, 5, 5], False, True]),
        ("gc.disable()", [AT_FIRST, False, False]),
    ],
)
async def test_what_the_application_chose_holds(
    tmp_path: Path, chosen: str, told_of_it: list[object]
) -> None:
    assert await told(tmp_path, SOURCE + chosen) == told_of_it
