"""What must hold: how much of the best peer's cost ours may be, judged on medians."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.compare.contenders import OURS
from bench.compare.figures import Figures

Status = Literal["holds", "FAILS", "NOT JUDGED"]


@dataclass(frozen=True)
class Threshold:
    """Ours must be at most so many times the best rival's figure, where less is better."""

    workload: str
    figure: str
    rivals: Sequence[str]
    at_most: float
    says: str


@dataclass(frozen=True)
class Verdict:
    """One threshold, judged."""

    threshold: Threshold
    status: Status
    ratio: float | None
    reason: str
    """The figures that were compared, or which one is missing."""


MUST_HOLD = (
    Threshold(
        workload="http-hello",
        figure="cpu_us",
        rivals=("uvicorn", "granian", "fastpysgi"),
        at_most=0.7,
        says="GET hello: server CPU per request, against the best of the three peers",
    ),
    Threshold(
        workload="tcp-protocol",
        figure="cpu_us",
        rivals=("uvloop",),
        at_most=0.85,
        says="TCP echo 1 KiB: server CPU per message, against uvloop",
    ),
)


def judge(threshold: Threshold, medians: Mapping[str, Figures]) -> Verdict:
    """Compare the medians of one workload; a missing figure is not a pass."""
    figures = {
        name: medians.get(name, {}).get(threshold.figure) for name in (OURS, *threshold.rivals)
    }
    missing = [name for name, figure in figures.items() if not figure]
    if missing:
        reason = f"no valid figure for {', '.join(missing)}"
        return Verdict(threshold, "NOT JUDGED", None, reason)
    valid = {name: figure for name, figure in figures.items() if figure}
    best = min(threshold.rivals, key=lambda name: valid[name])
    ratio = valid[OURS] / valid[best]
    return Verdict(
        threshold,
        "holds" if ratio <= threshold.at_most else "FAILS",
        ratio,
        f"{OURS} {valid[OURS]:.2f} µs, {best} {valid[best]:.2f} µs",
    )


def judge_all(medians: Mapping[str, Mapping[str, Figures]]) -> list[Verdict]:
    """Judge the thresholds of the workloads that this run measured, by workload and contender."""
    return [judge(t, medians[t.workload]) for t in MUST_HOLD if t.workload in medians]
