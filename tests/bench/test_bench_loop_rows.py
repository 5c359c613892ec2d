"""Loop rows are judged one by one and by their mean, and what fails is said."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bench.compare import __main__ as command
from bench.compare import must_hold, thresholds, workloads
from bench.compare.contenders import OURS
from bench.compare.rounds import Row, Run
from bench.compare.thresholds import Limit, MeanThreshold, Threshold, Verdict

AT_LEAST = Limit("at least", 1.0)


def loop_verdicts(**times: float) -> list[Verdict]:
    """Judge the loop rows as if the peers' figures were so many times ours."""
    chosen = workloads.chosen(["loop", "unix"])
    medians: dict[str, dict[str, dict[str, float]]] = {}
    for workload in chosen:
        names = [figure for figures in workload.loop_rows.values() for figure in figures]
        medians[workload.key] = {
            OURS: dict.fromkeys(names, 10.0),
            **{peer: dict.fromkeys(names, 10.0 * ratio) for peer, ratio in times.items()},
        }
    return must_hold.judge_all(chosen, medians)


def verdict_of(figures: Mapping[str, tuple[float, float]]) -> Verdict:
    """Judge one row: ours and uvloop's of each figure."""
    medians = {
        OURS: {name: ours for name, (ours, _) in figures.items()},
        "uvloop": {name: rival for name, (_, rival) in figures.items()},
    }
    return thresholds.judge(Threshold("loop", tuple(figures), ("uvloop",), AT_LEAST, ""), medians)


class TestOneRow:
    def test_as_cheap_as_the_rival_holds(self) -> None:
        verdict = verdict_of({"chain, CPU": (10.0, 10.0), "chain, wall": (20.0, 30.0)})
        assert (verdict.status, verdict.ratio) == ("holds", 1.0)
        assert verdict.reason == (
            "CPU 1.00×: hoopsnake 10.0 ns, uvloop 10.0 ns; "
            "wall 1.50×: hoopsnake 20.0 ns, uvloop 30.0 ns"
        )

    @pytest.mark.parametrize("dearer", ["chain, CPU", "chain, wall"])
    def test_the_worse_of_cpu_and_wall_counts(self, dearer: str) -> None:
        figures = {"chain, CPU": (10.0, 30.0), "chain, wall": (10.0, 30.0), dearer: (10.0, 9.0)}
        verdict = verdict_of(figures)
        assert (verdict.status, verdict.ratio) == ("FAILS", 0.9)

    @pytest.mark.parametrize(("rival", "status"), [(9.951, "holds"), (9.949, "FAILS")])
    def test_a_ratio_is_judged_as_it_is_printed(self, rival: float, status: str) -> None:
        assert verdict_of({"chain, CPU": (10.0, rival)}).status == status

    def test_a_row_without_one_of_its_figures_is_not_judged(self) -> None:
        assert verdict_of({"chain, CPU": (1.0, 9.0), "chain, wall": (1.0, 0.0)}).status == (
            "NOT JUDGED"
        )

    def test_memory_is_counted_in_kibibytes(self) -> None:
        assert verdict_of({"kib_each": (2.0, 3.0)}).reason == (
            "memory 1.50×: hoopsnake 2.00 KiB, uvloop 3.00 KiB"
        )


class TestAllRows:
    def test_each_is_judged_against_uvloop_and_scheduling_against_rloop_too(self) -> None:
        rivals: dict[str, list[str]] = {}
        for threshold in thresholds.loop_thresholds(workloads.WORKLOADS):
            if isinstance(threshold, Threshold):
                assert str(threshold.limit) == "at least 1.00×"
                rivals.setdefault(threshold.figures[0], []).extend(threshold.rivals)
                (workload,) = workloads.chosen([threshold.workload])
                assert {OURS, *threshold.rivals} <= set(workload.contenders)
        assert rivals["call_soon chain, CPU"] == ["uvloop", "rloop"]
        assert rivals["subprocess spawn + wait, CPU"] == ["uvloop"]
        assert rivals["kib_each"] == ["uvloop"]
        assert set(rivals["cpu_us"]) == {"uvloop"}

    def test_servers_are_no_loop_rows(self) -> None:
        judged = {
            key
            for threshold in thresholds.loop_thresholds(workloads.WORKLOADS)
            if isinstance(threshold, MeanThreshold)
            for key, _ in threshold.rows
        }
        loops = ("tcp-", "tls-", "unix-", "udp-", "idle-connections", "loop", "subprocess")
        assert judged == {w.key for w in workloads.WORKLOADS if w.key.startswith(loops)}

    def test_one_row_has_no_mean(self) -> None:
        unix = workloads.chosen(["unix-protocol"])
        assert [type(each) for each in thresholds.loop_thresholds(unix)] == [Threshold]

    @pytest.mark.parametrize(("times", "status"), [(1.5, "holds"), (1.49, "FAILS")])
    def test_the_mean_is_over_cpu_and_over_wall(self, times: float, status: str) -> None:
        means = [
            verdict
            for verdict in loop_verdicts(uvloop=times, rloop=1.0)
            if isinstance(verdict.threshold, MeanThreshold)
        ]
        assert [verdict.status for verdict in means] == [status] * 2
        assert [round(verdict.ratio or 0, 3) for verdict in means] == [times] * 2
        assert [verdict.threshold.says.partition(":")[0] for verdict in means] == ["CPU", "wall"]

    def test_the_mean_is_the_geometric_one(self) -> None:
        rows = [("a", "cpu_us"), ("b", "kib_each")]
        medians = {
            "a": {OURS: {"cpu_us": 1.0}, "uvloop": {"cpu_us": 4.0}},
            "b": {OURS: {"kib_each": 1.0}, "uvloop": {"kib_each": 1.0}},
        }
        verdict = thresholds.judge_mean(MeanThreshold(rows, "uvloop", AT_LEAST, ""), medians)
        assert verdict.ratio == pytest.approx(2.0)
        assert verdict.reason == "from 1.00× to 4.00×"

    def test_a_mean_without_one_of_its_rows_is_not_judged(self) -> None:
        rows = [("a", "cpu_us"), ("b", "cpu_us")]
        medians = {"a": {OURS: {"cpu_us": 1.0}, "uvloop": {"cpu_us": 4.0}}, "b": {}}
        verdict = thresholds.judge_mean(MeanThreshold(rows, "uvloop", AT_LEAST, ""), medians)
        assert (verdict.status, verdict.reason) == ("NOT JUDGED", "no valid figures in b (cpu_us)")

    def test_what_fails_is_printed_and_no_success(self) -> None:
        verdicts = loop_verdicts(uvloop=2.0, rloop=0.5)
        said = command.shortcomings(verdicts, Run(rows={"loop": {OURS: Row()}}))
        assert len(said) == 9
        assert said[0] == (
            "FAILS: call_soon chain: against rloop: is 0.50×, at least 1.00× must hold "
            "(CPU 0.50×: hoopsnake 10.0 ns, rloop 5.00 ns; "
            "wall 0.50×: hoopsnake 10.0 ns, rloop 5.00 ns)"
        )
