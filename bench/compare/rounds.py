"""The rounds of a run: every contender in turn, so that a busy moment hits none of them alone."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.compare import machine
from bench.compare.faults import NotMeasured
from bench.compare.figures import Figures, medians, rotated
from bench.compare.measurement import Setting, Workload

# Up to how many processors may work for other programs before figures are not to be trusted.
QUIET = 0.1


@dataclass
class Row:
    """One contender of one workload."""

    rounds: list[Figures] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    """Per round, how many processors worked for programs that are not the bench's."""
    faults: list[str] = field(default_factory=list)

    def medians(self) -> dict[str, float]:
        """The medians over the rounds; none at all if one round failed: the row is invalid then."""
        return {} if self.faults else medians(self.rounds)


@dataclass
class Run:
    """All that was measured."""

    rows: dict[str, dict[str, Row]]
    """By workload and contender."""

    def medians(self) -> dict[str, dict[str, dict[str, float]]]:
        """By workload, contender and figure."""
        return {
            key: {name: row.medians() for name, row in rows.items()}
            for key, rows in self.rows.items()
        }

    def others(self) -> list[float]:
        """Of every measurement, how many processors worked for other programs."""
        return [
            share for rows in self.rows.values() for row in rows.values() for share in row.others
        ]

    def was_disturbed(self) -> bool:
        """Whether other programs ran so much that the figures are not to be trusted."""
        others = self.others()
        return bool(others) and median(others) > QUIET


def run_rounds(
    workloads: Sequence[Workload], setting: Setting, rounds: int, tell: Callable[[str], None]
) -> Run:
    """Measure each workload's contenders one after the other, begun at another one each round."""
    run = Run(rows={w.key: {name: Row() for name in w.contenders} for w in workloads})
    for turn in range(rounds):
        for workload in workloads:
            if workload.most_rounds is not None and turn >= workload.most_rounds:
                continue
            for contender in rotated(workload.contenders, turn):
                row = run.rows[workload.key][contender]
                began, busy, own = time.monotonic(), machine.busy_seconds(), own_seconds()
                try:
                    figures = workload.measure(contender, setting)
                except NotMeasured as fault:
                    row.faults.append(str(fault))
                    said = f"NOT MEASURED: {fault}"
                else:
                    row.rounds.append(figures)
                    said = in_short(figures)
                    elapsed = time.monotonic() - began
                    others = machine.busy_seconds() - busy - (own_seconds() - own)
                    row.others.append(max(others, 0.0) / elapsed)
                tell(f"round {turn + 1}/{rounds}  {workload.key:17} {contender:12} {said}")
    return run


def own_seconds() -> float:
    """CPU time of the bench and of every process it has started and seen end."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def in_short(figures: Figures) -> str:
    """One measurement on one line, for those who watch."""
    if "per_second" in figures:
        return f"{figures['per_second']:8.0f}/s  {figures['cpu_us']:6.1f} µs CPU each"
    if "goodput_share" in figures:
        return f"{figures['goodput_share']:8.2f} of its best {figures['best_per_second']:.0f}/s"
    if "first_byte_ms" in figures:
        return f"{figures['first_byte_ms']:8.0f} ms to the first byte"
    if "kib_each" in figures:
        return f"{figures['kib_each']:8.2f} KiB  {figures['cpu_us']:6.1f} µs CPU each"
    return f"{len(figures)} figures"
