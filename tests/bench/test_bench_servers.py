"""The rows of the servers: what their loads print, and what is judged by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_bench_compare import SETTING

from bench.compare import load, must_hold, servers, thresholds, workloads
from bench.compare.contenders import LIMIT, OURS, Programs
from bench.compare.faults import NotMeasured
from bench.compare.figures import Figures
from bench.compare.measurement import Setting
from bench.compare.rate_workloads import OverloadWorkload
from bench.compare.rounds import run_rounds

SUMMARY = """
finished in 1.00s, 4.00 req/s, 1KB/s
requests: 4 total, 5 started, {done} done, {good} succeeded, 0 failed, 0 errored, 0 timeout
traffic: 1.00KB (1024) total, 100B (100) headers (space savings 90.12%), 52B ({data}) data
"""
PROGRAMS = Programs(python=Path("python"), plain_hyper=Path("plain-hyper"))


def log(*statuses: int) -> str:
    return "".join(f"17\t{status}\t{took * 100}\n" for took, status in enumerate(statuses, 1))


class TestH2load:
    def test_good_answers_are_counted_and_sorted(self) -> None:
        printed = SUMMARY.format(done=4, good=4, data=52)
        counted = load.parse_h2load(printed, log(200, 200, 200, 200), seconds=2, body=13)
        assert (counted.answers, counted.per_second) == (4, 2.0)
        assert (counted.p50_us, counted.p99_us) == (300, 400)

    @pytest.mark.parametrize(
        ("done", "good", "data", "statuses"),
        [
            (4, 3, 52, (200, 200, 200, 500)),
            (4, 4, 52, (200, 200, 200, 404)),
            (4, 4, 5200000, (200, 200, 200, 200)),
            (0, 0, 0, ()),
        ],
    )
    def test_a_wrong_answer_leaves_no_figures(
        self, done: int, good: int, data: int, statuses: tuple[int, ...]
    ) -> None:
        with pytest.raises(NotMeasured):
            load.parse_h2load(
                SUMMARY.format(done=done, good=good, data=data), log(*statuses), 2, 13
            )

    def test_no_summary_is_told(self) -> None:
        with pytest.raises(NotMeasured, match="h2load printed no figures: refused"):
            load.parse_h2load("refused", "", 1, 13)


class TestOffers:
    @pytest.mark.parametrize("name", servers.HTTP_SERVERS)
    def test_each_server_is_told_its_port(self, name: str) -> None:
        command = servers.HTTP_SERVERS[name](PROGRAMS, "module:app", 8123, servers.PLAIN)
        assert any("8123" in word for word in command)

    @pytest.mark.parametrize("name", [OURS, "uvicorn", "granian", "hypercorn", "gunicorn", LIMIT])
    def test_tls_names_the_certificate(self, name: str) -> None:
        offer = servers.Offer(certificate=Path("folder"))
        command = servers.HTTP_SERVERS[name](PROGRAMS, "module:app", 8123, offer)
        assert "folder/key.pem" in command or command[-2:] == ["--tls", "folder"]


class TestOwnThresholds:
    THRESHOLD = thresholds.OwnThreshold("w", "share", thresholds.Limit("at least", 0.9), "")

    @pytest.mark.parametrize(("share", "status"), [(0.9, "holds"), (0.89, "FAILS")])
    def test_our_figure_is_judged_as_it_is(self, share: float, status: str) -> None:
        assert thresholds.judge_own(self.THRESHOLD, {OURS: {"share": share}}).status == status

    def test_a_missing_figure_is_no_pass(self) -> None:
        assert thresholds.judge_own(self.THRESHOLD, {OURS: {}}).status == "NOT JUDGED"

    def test_those_of_the_overload_are_figures_that_it_has(self) -> None:
        (overload,) = workloads.chosen(["overload"])
        assert isinstance(overload, OverloadWorkload)
        owned = [t for t in must_hold.MUST_HOLD if isinstance(t, thresholds.OwnThreshold)]
        judged = {threshold.figure for threshold in owned if threshold.workload == overload.key}
        assert judged == {"goodput_share", "probes_answered_share", "recovery_seconds"}


def test_what_hardly_differs_is_measured_in_so_many_rounds() -> None:
    class Once:
        key, title, contenders, loop_rows, most_rounds = "once", "", (OURS,), {}, 2

        def measure(self, _contender: str, _setting: Setting) -> Figures:
            return {"cpu_us": 1.0, "per_second": 1.0}

    run = run_rounds([Once()], SETTING, 5, lambda _line: None)
    assert len(run.rows["once"][OURS].rounds) == 2
