"""The rehearsal by which builds are guided: every part of it runs, and what goes wrong is told."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hoopsnake
from scripts.rehearsal.amount import Amount, WentWrong, expect
from scripts.rehearsal.library_visits import VISITS, in_turn

ROOT = Path(__file__).parents[1]
PACKAGES = Path(hoopsnake.__file__).parents[1]
PARTS = [
    *("loop", "transports", "http", "clients", "files", "compression", "websocket", "web"),
    *("bounds", "https", "http2"),
]


def rehearse(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "scripts.rehearsal", *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_every_part_runs_and_nothing_is_complained_of() -> None:
    ended = rehearse("--scale", "0.01")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [f"rehearsing {part}" for part in PARTS]


def test_a_part_that_is_none_is_told() -> None:
    ended = rehearse("--only", "dinner")
    assert ended.returncode == 2
    assert "there is no part dinner: choose from loop, transports" in ended.stderr


def test_amounts_are_scaled_and_there_is_one_at_least() -> None:
    assert [Amount(0.1).of(usual) for usual in (1000, 16, 3)] == [100, 2, 1]


def test_each_number_has_its_turn_once_and_so_many_at_once() -> None:
    seen: list[int] = []
    at_work = most = 0

    async def once(number: int) -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1
        seen.append(number)

    hoopsnake.run(Amount(0.5).repeat(40, once, at_once=5))
    assert (sorted(seen), most) == (list(range(20)), 5)


def test_what_goes_wrong_ends_it() -> None:
    async def once(number: int) -> None:
        expect(number < 3, "another number")

    with pytest.raises(ExceptionGroup) as raised:
        hoopsnake.run(Amount().repeat(5, once))
    assert [(type(each), str(each)) for each in raised.value.exceptions] == [
        (WentWrong, "another number")
    ]


def test_the_visits_are_a_hundred_and_none_is_left_out() -> None:
    hundred = in_turn()
    assert len(hundred) == 100
    assert all(hundred.count(visit) == visit[4] for visit in VISITS)
