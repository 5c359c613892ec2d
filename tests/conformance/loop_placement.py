"""Where CPython's asyncio tests make their loops, the loop under test is put."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any

from virtual_clock import on_virtual_clock

# `while loop._ready: run_briefly(loop)` asks for a queue that is private to CPython's loop.
TURNS_OF_A_GATHER = 20


def run_tests_on(loop: str) -> None:
    """Put the loop that is called `loop`, "hoopsnake" or "asyncio", under the tests."""
    if loop == "hoopsnake":
        import hoopsnake

        loop_class = accepting_a_selector(hoopsnake.EventLoop)
        asyncio.SelectorEventLoop = loop_class
        if hasattr(asyncio, "EventLoop"):
            asyncio.EventLoop = loop_class
        asyncio.DefaultEventLoopPolicy._loop_factory = loop_class
    replace_mocks_of_loops(asyncio.SelectorEventLoop)
    replace_mocks_of_runners(asyncio.SelectorEventLoop)
    replace_mocks_of_coroutine_tests(asyncio.SelectorEventLoop)


def accepting_a_selector(loop_class: Any) -> Any:
    """A class like `loop_class` for tests that hand in a selector, which is closed unused."""

    class LoopUnderTest(loop_class):
        def __init__(self, selector: Any = None) -> None:
            super().__init__()
            if selector is not None:
                selector.close()

    return LoopUnderTest


def replace_mocks_of_loops(loop_class: Any) -> None:
    """Let tests of tasks and futures run on the loop under test instead of the suite's mock."""
    suite = importlib.import_module("test.test_asyncio.utils")
    loop_on_virtual_clock = on_virtual_clock(loop_class)

    def new_test_loop(self: Any, gen: Callable[[], object] | None = None) -> Any:
        # `gen` tells the mock how its time moves on.
        made = loop_class() if gen is None else loop_on_virtual_clock()
        self.set_event_loop(made)
        return made

    suite.TestCase.new_test_loop = new_test_loop

    def run_loop(self: Any, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(TURNS_OF_A_GATHER):
            suite.run_briefly(loop)

    importlib.import_module("test.test_asyncio.test_tasks").GatherTestsBase._run_loop = run_loop


def replace_mocks_of_runners(loop_class: Any) -> None:
    """Let tests of `asyncio.run` use the loop under test, which tells them of its last steps."""

    def new_loop(self: Any) -> Any:
        made = loop_class()
        made.shutdown_ag_run = False
        shut_down = made.shutdown_asyncgens

        async def shutdown_asyncgens() -> None:
            made.shutdown_ag_run = True
            await shut_down()

        made.shutdown_asyncgens = shutdown_asyncgens
        return made

    importlib.import_module("test.test_asyncio.test_runners").BaseTest.new_loop = new_loop


def replace_mocks_of_coroutine_tests(loop_class: Any) -> None:
    """Let tests of `async with` and the like run on the loop under test instead of a mocked one."""
    case = importlib.import_module("test.test_asyncio.test_pep492").BaseTest

    def set_up(self: Any) -> None:
        super(case, self).setUp()
        self.loop = loop_class()
        self.set_event_loop(self.loop)

    case.setUp = set_up
