"""docs/guide/security.md names tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guide" / "security.md").read_text()


def test_every_class_of_attack_names_tests_that_exist() -> None:
    classes = re.findall(
        r"^\*\*(\d+)\..*?(?=^\*\*\d+\.|^## )", PAGE, flags=re.DOTALL | re.MULTILINE
    )
    assert classes == [str(number) for number in range(1, 13)]
    for part in re.split(r"^\*\*\d+\.", PAGE, flags=re.MULTILINE)[1:]:
        named = re.findall(r"`(tests/[^`]+)`", part)
        assert named, part
        for path in named:
            assert (ROOT / path).exists(), path


def test_the_figures_are_those_of_the_judges() -> None:
    results = (ROOT / "tests" / "conformance" / "autobahn" / "results.txt").read_text()
    assert re.search(r"all\s+517\s+3 INFORMATIONAL, 514 OK", results)
    assert "514 OK, 3 informational" in PAGE
