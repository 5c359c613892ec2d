"""The Autobahn test suite finds nothing in server or client that is less than strict."""

from __future__ import annotations

from pathlib import Path

import pytest
from client_echoing import take_all_cases
from judge import AGENT, Verdict, judge, judging, table, verdicts_of_client, why_missing
from serving import serving

import hoopsnake

# Without section 9, where messages are large; of sections 12 and 13, which are about compression,
# some lengths of messages that are not slow. `make autobahn` has all of them.
SAMPLE = [
    *(f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10)),
    *(f"12.{group}.{length}" for group in range(1, 6) for length in (1, 4, 7, 11)),
    *(f"13.{group}.{length}" for group in range(1, 8) for length in (1, 4, 7, 11)),
]


@pytest.mark.timeout(240)
def test_every_case_of_a_sample_is_good(tmp_path: Path) -> None:
    if reason := why_missing():
        pytest.skip(reason)
    with serving("echoing:app", Path(__file__).parent, tmp_path / "said.txt") as port:
        verdicts = judge(port, tmp_path, SAMPLE, limit_seconds=200)
    assert_good(verdicts, SAMPLE)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("about", ["frames", "compression"])
def test_every_case_of_a_sample_is_good_for_the_client(about: str, tmp_path: Path) -> None:
    if reason := why_missing():
        pytest.skip(reason)
    cases = [case for case in SAMPLE if ("*" in case) is (about == "frames")]
    with judging(tmp_path, cases) as url:
        hoopsnake.run(take_all_cases(url, AGENT))
    assert_good(verdicts_of_client(tmp_path), cases)


def assert_good(verdicts: list[Verdict], cases: list[str]) -> None:
    """Say what was found, and that it is nothing, of as many cases as there are."""
    print(table(verdicts))
    assert [verdict for verdict in verdicts if not verdict.is_good] == []
    wildcards = 247 if "1.*" in cases else 0
    assert len(verdicts) == wildcards + len([case for case in cases if "*" not in case])


def test_a_case_that_is_less_than_strict_is_not_good() -> None:
    assert Verdict("1.1.1", "OK", "INFORMATIONAL").is_good
    assert not Verdict("3.2", "NON-STRICT", "OK").is_good
    assert not Verdict("7.1.1", "OK", "UNCLEAN").is_good


def test_the_table_counts_by_section() -> None:
    verdicts = [
        Verdict("9.1", "OK", "OK"),
        Verdict("10.1", "OK", "OK"),
        Verdict("10.2", "FAILED", "OK"),
    ]
    assert table(verdicts).splitlines()[1:] == [
        "      9      1  1 OK",
        "     10      2  1 FAILED, 1 OK",
        "    all      3  1 FAILED, 2 OK",
    ]
