"""What must hold: how our figures compare with the rivals', judged on medians."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean
from typing import Literal

from bench.compare.contenders import OURS
from bench.compare.figures import Figures, kind, short, unit
from bench.compare.measurement import Workload

Status = Literal["holds", "FAILS", "NOT JUDGED"]
# By workload and contender.
Medians = Mapping[str, Mapping[str, Figures]]

# Against which loop every loop row is judged, and the mean of all of them.
LOOP_RIVAL = "uvloop"
LOOP_MEAN = 1.5
# Against which loop the rows of this workload are judged too: what a loop schedules by itself.
SCHEDULING_RIVAL = "rloop"
SCHEDULING_WORKLOAD = "loop"


@dataclass(frozen=True)
class Limit:
    """What a ratio may be. Figures are such that less is better."""

    word: Literal["at most", "at least"]
    """At most so much of the rival's cost is ours; at least so many times ours is the rival's."""
    times: float

    def __str__(self) -> str:
        return f"{self.word} {self.times:.2f}×"

    def ratio(self, ours: float, rival: float) -> float:
        """The ratio that is limited."""
        return ours / rival if self.word == "at most" else rival / ours

    def worst(self, ratios: Sequence[float]) -> float:
        """Of several ratios the one that is nearest to breaking the limit, or breaks it most."""
        return max(ratios) if self.word == "at most" else min(ratios)

    def holds(self, ratio: float) -> bool:
        """Judge a ratio as it is printed, by its two decimals."""
        shown, times = round(ratio, 2), round(self.times, 2)
        return shown <= times if self.word == "at most" else shown >= times


@dataclass(frozen=True)
class Threshold:
    """The worst of these figures, each against the best rival's, keeps within the limit."""

    workload: str
    figures: Sequence[str]
    rivals: Sequence[str]
    limit: Limit
    says: str


@dataclass(frozen=True)
class MeanThreshold:
    """The geometric mean over several rows keeps within the limit."""

    rows: Sequence[tuple[str, str]]
    """Each a workload and one of its figures."""
    rival: str
    limit: Limit
    says: str


@dataclass(frozen=True)
class OwnThreshold:
    """One of our figures keeps within a limit of its own."""

    workload: str
    figure: str
    limit: Limit
    says: str


@dataclass(frozen=True)
class Verdict:
    """One threshold, judged."""

    threshold: Threshold | MeanThreshold | OwnThreshold
    status: Status
    ratio: float | None
    reason: str
    """The figures that were compared, or which one is missing."""


def loop_thresholds(workloads: Sequence[Workload]) -> list[Threshold | MeanThreshold]:
    """What must hold of the loop rows among these workloads."""
    rows = [(w.key, says, figures) for w in workloads for says, figures in w.loop_rows.items()]
    of_rows = f"geometric mean of the {len(rows)} loop rows of this run, against {LOOP_RIVAL}"
    means = [
        MeanThreshold(
            rows=[(key, figures[which]) for key, _, figures in rows],
            rival=LOOP_RIVAL,
            limit=Limit("at least", LOOP_MEAN),
            says=f"{name}: {of_rows}",
        )
        # The row of memory has one figure alone, which counts in both.
        for name, which in (("CPU", 0), ("wall", -1))
    ]
    return [
        *(means if len(rows) > 1 else ()),
        *(
            Threshold(key, figures, (rival,), Limit("at least", 1.0), f"{says}: against {rival}")
            for rival in (LOOP_RIVAL, SCHEDULING_RIVAL)
            for key, says, figures in rows
            if rival == LOOP_RIVAL or key == SCHEDULING_WORKLOAD
        ),
    ]


def judge(threshold: Threshold, medians: Mapping[str, Figures]) -> Verdict:
    """Compare the medians of one workload; a missing figure is not a pass."""
    limit, ratios, compared = threshold.limit, [], []
    for name in threshold.figures:
        figures = {who: medians.get(who, {}).get(name) for who in (OURS, *threshold.rivals)}
        missing = [who for who, figure in figures.items() if not figure]
        if missing:
            return Verdict(threshold, "NOT JUDGED", None, f"no valid figure for {listed(missing)}")
        valid = {who: figure for who, figure in figures.items() if figure}
        best = min(threshold.rivals, key=lambda rival: valid[rival])
        ratios.append(limit.ratio(valid[OURS], valid[best]))
        both = ", ".join(f"{who} {short(valid[who])} {unit(name)}" for who in (OURS, best))
        compared.append(f"{kind(name)} {ratios[-1]:.2f}×: {both}")
    ratio = limit.worst(ratios)
    return Verdict(
        threshold, "holds" if limit.holds(ratio) else "FAILS", ratio, "; ".join(compared)
    )


def judge_own(threshold: OwnThreshold, medians: Mapping[str, Figures]) -> Verdict:
    """Look at our figure alone."""
    figure = medians.get(OURS, {}).get(threshold.figure)
    if figure is None:
        return Verdict(threshold, "NOT JUDGED", None, "no valid figure")
    holds = threshold.limit.holds(figure)
    return Verdict(threshold, "holds" if holds else "FAILS", figure, threshold.figure)


def judge_mean(threshold: MeanThreshold, medians: Medians) -> Verdict:
    """Compare over all rows; one that is missing is not left out quietly."""
    ratios, missing = [], []
    for key, name in threshold.rows:
        ours = medians[key].get(OURS, {}).get(name)
        rival = medians[key].get(threshold.rival, {}).get(name)
        if ours and rival:
            ratios.append(threshold.limit.ratio(ours, rival))
        else:
            missing.append(f"{key} ({name})")
    if missing:
        return Verdict(threshold, "NOT JUDGED", None, f"no valid figures in {listed(missing)}")
    mean = geometric_mean(ratios)
    return Verdict(
        threshold,
        "holds" if threshold.limit.holds(mean) else "FAILS",
        mean,
        f"from {min(ratios):.2f}× to {max(ratios):.2f}×",
    )


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return ", ".join(names)
