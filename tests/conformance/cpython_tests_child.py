"""Program that runs tests of CPython's own asyncio suite on the loop that its command line names.

It is started by `cpython_tests.py`, and is of use by hand:

    python cpython_tests_child.py --loop hoopsnake test_events.EPollEventLoopTests.test_time

With test names it runs them and prints what became of each. `--list` prints the names of all tests.
`--serve` reads names from standard input, one a line, and answers each with a line of JSON in the
descriptor that the option names. A test that takes longer than `--limit` seconds ends the process,
with the stacks of all threads on standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import importlib
import json
import os
import sys
import time
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

PACKAGE = "test.test_asyncio"


def main() -> None:
    options = parse_command_line()
    names: list[str] = options.names
    # Descriptors 0 and 1 belong to the tests and to the processes that they start.
    orders = os.fdopen(os.dup(0), "r")
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    run_tests_on(options.loop)
    if options.list:
        for name in sorted(all_tests()):
            print(name)
    elif options.serve is not None:
        os.set_inheritable(options.serve, False)
        with os.fdopen(options.serve, "w") as answers:
            serve(orders, answers, options.limit)
    else:
        outcomes = [run_one(name, options.limit) for name in names]
        for outcome in outcomes:
            print(json.dumps(outcome))
        sys.exit(any(outcome["outcome"] == "failed" for outcome in outcomes))


def parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=("hoopsnake", "asyncio"), default="hoopsnake")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds a test may take")
    parser.add_argument("--list", action="store_true", help="print the names of all tests")
    parser.add_argument("--serve", type=int, metavar="DESCRIPTOR", help="where answers go")
    parser.add_argument("names", nargs="*", help="module.Class.test")
    return parser.parse_args()


def all_tests() -> Iterator[str]:
    """The names of all tests of the suite, but for modules that Windows alone can import."""
    folder = Path(importlib.import_module(PACKAGE).__file__ or "").parent
    for file in sorted(folder.glob("test_*.py")):
        if "windows" in file.stem:
            continue
        module = importlib.import_module(f"{PACKAGE}.{file.stem}")
        for case in vars(module).values():
            if isinstance(case, type) and issubclass(case, unittest.TestCase):
                for method in unittest.defaultTestLoader.getTestCaseNames(case):
                    if case.__module__ == module.__name__:
                        yield f"{file.stem}.{case.__qualname__}.{method}"


def serve(orders: TextIO, answers: TextIO, limit: float) -> None:
    """Run every test whose name comes in, until the other side has no more."""
    for order in orders:
        print(json.dumps(run_one(order.strip(), limit)), file=answers, flush=True)


def run_one(name: str, limit: float) -> dict[str, Any]:
    """Run one test; the process ends if that takes longer than `limit` seconds."""
    result = unittest.TestResult()
    begun = time.perf_counter()
    faulthandler.dump_traceback_later(limit, exit=True)
    try:
        unittest.defaultTestLoader.loadTestsFromName(f"{PACKAGE}.{name}").run(result)
    finally:
        faulthandler.cancel_dump_traceback_later()
    found = [*result.failures, *result.errors]
    answer = {"name": name, "seconds": round(time.perf_counter() - begun, 3)}
    if found or result.unexpectedSuccesses or not result.testsRun:
        told = "\n".join(traceback for _, traceback in found)
        return answer | {"outcome": "failed", "told": told or "unexpected success, or no such test"}
    if result.skipped:
        return answer | {"outcome": "skipped", "told": result.skipped[0][1]}
    return answer | {"outcome": "passed", "told": ""}


def run_tests_on(loop: str) -> None:
    """Put the loop under test wherever the suite makes one."""
    if loop == "hoopsnake":
        import hoopsnake

        loop_class = accepting_a_selector(hoopsnake.EventLoop)
        asyncio.SelectorEventLoop = loop_class  # type: ignore[misc]
        from asyncio import unix_events

        unix_events._UnixDefaultEventLoopPolicy._loop_factory = loop_class  # type: ignore[attr-defined]
    replace_mock_loops(asyncio.SelectorEventLoop)


def accepting_a_selector(loop_class: Any) -> Any:
    """A class like `loop_class` for tests that hand in a selector, which is closed unused."""

    class LoopUnderTest(loop_class):  # type: ignore[misc]
        def __init__(self, selector: Any = None) -> None:
            super().__init__()
            if selector is not None:
                selector.close()

    return LoopUnderTest


def replace_mock_loops(new_loop: Callable[[], Any]) -> None:
    """Let tests that would run on a mock of the suite's own run on the loop under test.

    Not those that move a clock of their own (`gen`): they are in the table of what is left out.
    """
    suite: ModuleType = importlib.import_module(f"{PACKAGE}.utils")

    def new_test_loop(self: Any, gen: Any = None) -> Any:
        if gen is not None:
            raise AssertionError("this test runs on a virtual clock, not on the loop under test")
        made = new_loop()
        self.set_event_loop(made)
        return made

    suite.TestCase.new_test_loop = new_test_loop
    runners = importlib.import_module(f"{PACKAGE}.test_runners")

    def new_recording_loop(self: Any) -> Any:
        made = new_loop()
        made.shutdown_ag_run = False
        shut_down = made.shutdown_asyncgens

        async def shutdown_asyncgens() -> None:
            made.shutdown_ag_run = True
            await shut_down()

        made.shutdown_asyncgens = shutdown_asyncgens
        return made

    runners.BaseTest.new_loop = new_recording_loop


if __name__ == "__main__":
    main()
