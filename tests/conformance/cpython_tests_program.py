"""Program that runs tests of CPython's own asyncio suite on the loop that its command line names.

`cpython_tests.py` starts it; it is of use by hand, too:

    python cpython_tests_program.py --loop asyncio test_events.EPollEventLoopTests.test_call_soon

It runs the tests that are named and prints what became of each. `--list` prints the names of all.
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
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from loop_placement import run_tests_on

PACKAGE = "test.test_asyncio"


def main() -> None:
    options = parse_command_line()
    # The first descriptors belong to the tests and to the processes that they start.
    orders = os.fdopen(os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.path.append(os.getcwd())
    run_tests_on(options.loop)
    if options.list:
        print("\n".join(sorted(set(all_tests()))))
    elif options.serve is not None:
        os.set_inheritable(options.serve, False)
        with os.fdopen(options.serve, "w") as answers:
            serve(orders, answers, options.package, options.limit)
    else:
        print_outcomes(options.names, options.package, options.limit)


def parse_command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--loop", choices=("hoopsnake", "asyncio"), default="hoopsnake")
    parser.add_argument("--package", default=PACKAGE, help="what the names are in")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds a test may take")
    parser.add_argument("--list", action="store_true", help="print the names of all tests")
    parser.add_argument("--serve", type=int, metavar="DESCRIPTOR", help="where answers go")
    parser.add_argument("names", nargs="*", help="module.Class.test")
    return parser.parse_args()


def all_tests() -> Iterator[str]:
    """The names of all tests of the suite, but for modules that need Windows."""
    folder = Path(importlib.import_module(PACKAGE).__file__ or "").parent
    for file in folder.glob("test_*.py"):
        if "windows" in file.stem:
            continue
        module = importlib.import_module(f"{PACKAGE}.{file.stem}")
        for case in vars(module).values():
            if not isinstance(case, type) or not issubclass(case, unittest.TestCase):
                continue
            if case.__module__ == module.__name__:
                for method in unittest.defaultTestLoader.getTestCaseNames(case):
                    yield f"{file.stem}.{case.__qualname__}.{method}"


def serve(orders: TextIO, answers: TextIO, package: str, limit: float) -> None:
    """Run every test whose name comes in, until the other side has no more."""
    for order in orders:
        outcome, told = run_one(f"{package}.{order.strip()}", limit)
        print(json.dumps({"outcome": outcome, "told": told}), file=answers, flush=True)


def print_outcomes(names: list[str], package: str, limit: float) -> None:
    """Run the tests, print what became of each, and exit with 1 if any failed."""
    failed = False
    for name in names:
        outcome, told = run_one(f"{package}.{name}", limit)
        failed |= outcome == "failed"
        print(outcome, name, told)
    sys.exit(failed)


def run_one(name: str, limit: float) -> tuple[str, str]:
    """Run one test and say what became of it; the process ends if it takes longer than `limit`."""
    result = unittest.TestResult()
    # Some tests rely on one before them that did this: then asking for a current loop makes none.
    asyncio.set_event_loop(None)
    faulthandler.dump_traceback_later(limit, exit=True)
    try:
        unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    finally:
        faulthandler.cancel_dump_traceback_later()
    found = [traceback for _, traceback in (*result.failures, *result.errors)]
    if result.unexpectedSuccesses:
        found.append("it was expected to fail, and passed")
    if found:
        return "failed", "\n".join(found)
    if result.skipped:
        return "skipped", result.skipped[0][1]
    return "passed", ""


if __name__ == "__main__":
    main()
