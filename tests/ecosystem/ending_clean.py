"""Runs a coroutine on the loop under test, which has to end with nothing pending, told or open."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Coroutine
from typing import Any

from loop_under_test import Reports, make_loop

import hoopsnake

# A test that waits in vain fails here, and says where; pytest's own timeout ends the whole run.
PATIENCE = 40.0
# How long what is about to end by itself (the answer to a close, …) may take for that.
MOMENT = 10.0


def run_to_a_clean_end(test: Coroutine[Any, Any, object]) -> None:
    """Run `test`, which may leave no task, transport or socket, and no report of an exception."""
    reports: Reports = []
    sockets = open_sockets()
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: reports.append(context))
        runner.run(_in_time_and_alone(test))
    # What nobody closed complains when it is freed, and filterwarnings makes that an error.
    gc.collect()
    assert reports == [], reports
    left = open_sockets() - sockets
    assert left == set(), left


async def _in_time_and_alone(test: Coroutine[Any, Any, object]) -> None:
    async with asyncio.timeout(PATIENCE):
        await test
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=MOMENT)
    assert left == set(), left
    loop = asyncio.get_running_loop()
    if isinstance(loop, hoopsnake.EventLoop):
        async with asyncio.timeout(MOMENT):
            while loop.stats().transports:
                await asyncio.sleep(0)


def open_sockets() -> set[str]:
    """Each socket of this process, by its inode."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:
            pass  # that of the listing itself
    return {target for target in found if target.startswith("socket:")}
