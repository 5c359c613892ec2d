"""CPython's own tests of asyncio, on our loop; with EVENT_LOOP_UNDER_TEST=asyncio, on CPython's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from cpython_tests import CpythonTests, has_cpython_tests, list_tests
from left_out import LEFT_OUT, why_left_out

if not has_cpython_tests():
    pytest.skip("this interpreter comes without test.test_asyncio", allow_module_level=True)

LOOP = "asyncio" if os.environ.get("EVENT_LOOP_UNDER_TEST") == "asyncio" else "hoopsnake"
NAMES = list_tests(LOOP)


@pytest.fixture(scope="module")
def cpython_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CpythonTests]:
    """Runs tests; in the end, all processes in which they ran must have ended well."""
    tests = CpythonTests(LOOP, tmp_path_factory.mktemp("cpython"))
    yield tests
    tests.close()
    assert tests.bad_ends == []


@pytest.mark.parametrize("name", NAMES)
def test_cpython(name: str, cpython_tests: CpythonTests) -> None:
    reason = why_left_out(name)
    if reason is not None:
        pytest.skip(reason)
    found = cpython_tests.run(name)
    if found.outcome == "skipped":
        pytest.skip(f"CPython skips it: {found.told}")
    assert found.outcome == "passed", found.told


@pytest.mark.parametrize("pattern", LEFT_OUT)
def test_what_is_left_out_exists(pattern: str) -> None:
    assert any(fnmatchcase(name, pattern) for name in NAMES)


def test_a_test_that_hangs_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "hanging_tests.py").write_text(HANGING_TESTS)
    tests = CpythonTests(LOOP, tmp_path, package="hanging_tests", limit_seconds=2)
    hung = tests.run("Tests.test_hang")
    crashed = tests.run("Tests.test_crash")
    passed = tests.run("Tests.test_pass")
    tests.close()
    assert (hung.outcome, crashed.outcome, passed.outcome) == ("failed", "failed", "passed")
    assert "in test_hang" in hung.told
    assert "(-6)" in crashed.told
    assert tests.bad_ends == []


HANGING_TESTS = """
import os, time, unittest

class Tests(unittest.TestCase):
    def test_hang(self):
        time.sleep(60)

    def test_crash(self):
        os.abort()

    def test_pass(self):
        pass
"""
