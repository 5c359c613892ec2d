"""The results as JSON for programs and as Markdown for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.compare import figures
from bench.compare.client_workloads import ClientWorkload
from bench.compare.contenders import OURS
from bench.compare.echo_workloads import IdleWorkload
from bench.compare.measurement import Workload
from bench.compare.rate_workloads import OverloadWorkload, StartWorkload
from bench.compare.rounds import Row, Run
from bench.compare.thresholds import Verdict
from bench.compare.workloads import LoopWorkload

# What a server's row says, with the name of the figure in the JSON file.
COLUMNS = (
    ("per_second", "requests/s"),
    ("cpu_us", "server CPU µs each"),
    ("p50_us", "p50 µs"),
    ("p99_us", "p99 µs"),
    ("peak_mib", "peak memory MiB"),
)
IDLE_COLUMNS = (
    ("kib_each", "resident KiB each"),
    ("cpu_us", "server CPU µs to accept and answer once"),
    ("peak_mib", "peak memory MiB"),
)
OVERLOAD_COLUMNS = (
    ("best_per_second", "best requests/s"),
    ("good_per_second", "good/s at ten times that"),
    ("goodput_share", "share of the best"),
    ("refused_per_second", "refused/s"),
    ("p99_us", "p99 µs of the good"),
    ("probes_answered_share", "probes answered"),
    ("probe_worst_ms", "slowest probe ms"),
    ("recovery_seconds", "recovery s"),
)
START_COLUMNS = (("first_byte_ms", "first byte ms"),)
CREATE_COLUMNS = (("create_ms", "a client ms"),)
LIMITS = """\
At most: ours as a share of the best rival's figure. At least: how many times ours the rival's is;
where a row has CPU and wall, the worse of the two. Less is better for every figure that is judged,
and a ratio is judged as it stands here, by two decimals.
"""
EXPLANATION = """\
Medians over the rounds. In brackets: how many times ours it is; for requests/s more than 1× is
better than ours, for everything else less than 1× is. CPU is user and system time of the whole
process tree, from /proc, divided by the requests of the same time span; inside one loop it is the
process's own clock, with that of its subprocesses. Peak memory is VmHWM, summed over the server's
processes: pages that they share count in each. A contender with one wrong or broken answer in any
round has no figures.
"""
DISTURBED = """\
The machine was busy with other programs: neither figures nor verdicts are to be trusted. Measure
again when it is idle."""


@dataclass(frozen=True)
class Results:
    """A run and what it was measured on and with."""

    about: Mapping[str, Any]
    workloads: Sequence[Workload]
    run: Run
    verdicts: Sequence[Verdict]


def as_json(results: Results) -> dict[str, Any]:
    """Everything: each round, the medians, and their ratios to ours."""
    medians = results.run.medians()
    return {
        "about": dict(results.about),
        "must_hold": [
            {
                "says": verdict.threshold.says,
                "limit": str(verdict.threshold.limit),
                "ratio": verdict.ratio,
                "status": verdict.status,
                "reason": verdict.reason,
            }
            for verdict in results.verdicts
        ],
        "workloads": {
            workload.key: {
                "title": workload.title,
                "contenders": {
                    name: row_as_json(row, medians[workload.key].get(OURS, {}))
                    for name, row in results.run.rows[workload.key].items()
                },
            }
            for workload in results.workloads
        },
    }


def row_as_json(row: Row, ours: figures.Figures) -> dict[str, Any]:
    """One contender; the ratios are to our medians."""
    medians = row.medians()
    return {
        "valid": not row.faults,
        "faults": row.faults,
        "processors_for_others": row.others,
        "medians": medians,
        "ratio_to_ours": {
            name: figures.ratio(value, ours.get(name)) for name, value in medians.items()
        },
        "rounds": [dict(each) for each in row.rounds],
    }


def as_markdown(results: Results) -> str:
    """The page that is committed."""
    parts = ["# hoopsnake beside its peers", "Measured on and with:", about_lines(results.about)]
    if results.run.was_disturbed():
        parts.append(f"**{DISTURBED}**")
    if results.verdicts:
        parts += ["## Must hold", LIMITS.strip(), verdict_table(results.verdicts)]
    parts += ["## Figures", EXPLANATION.strip()]
    for workload in results.workloads:
        rows = results.run.rows[workload.key]
        parts += [f"### {workload.title}", *tables(workload, rows), *fault_lines(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def about_lines(about: Mapping[str, Any]) -> str:
    """Machine, versions and settings."""
    lines = [f"- {name.replace('_', ' ')}: {value}" for name, value in about.items()]
    return "\n".join(lines)


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """The thresholds and whether they hold."""
    head = ["what must hold", "limit", "measured", "from", "verdict"]
    return figures.table(
        [
            head,
            *(
                [
                    verdict.threshold.says,
                    str(verdict.threshold.limit),
                    "–" if verdict.ratio is None else f"{verdict.ratio:.2f}×",
                    verdict.reason,
                    verdict.status,
                ]
                for verdict in verdicts
            ),
        ]
    )


def tables(workload: Workload, rows: Mapping[str, Row]) -> list[str]:
    """What was measured of one workload."""
    if isinstance(workload, LoopWorkload):
        return [loop_table(rows, "CPU"), loop_table(rows, "wall")]
    if isinstance(workload, OverloadWorkload):
        return [server_table(rows, OVERLOAD_COLUMNS, "goodput_share", "share, lowest to highest")]
    if isinstance(workload, StartWorkload):
        return [server_table(rows, START_COLUMNS, "first_byte_ms", "ms, lowest to highest")]
    if isinstance(workload, IdleWorkload):
        return [server_table(rows, IDLE_COLUMNS, "kib_each", "KiB each, lowest to highest")]
    if isinstance(workload, ClientWorkload) and workload.creates:
        return [server_table(rows, CREATE_COLUMNS, "create_ms", "ms, lowest to highest")]
    return [server_table(rows, COLUMNS, "cpu_us", "CPU, lowest to highest")]


def server_table(
    rows: Mapping[str, Row], columns: Sequence[tuple[str, str]], spread: str, spread_title: str
) -> str:
    """A row for each contender, a column for each figure, and how far one of them spreads."""
    ours = rows[OURS].medians() if OURS in rows else {}
    lines = [["", *(title for _, title in columns), spread_title]]
    for name, row in rows.items():
        medians = row.medians()
        cells = [
            figures.short(medians.get(figure))
            if name == OURS
            else figures.with_ratio(medians.get(figure), ours.get(figure))
            for figure, _ in columns
        ]
        lines.append([name, *cells, spread_cell(row, spread)])
    return figures.table(lines)


def spread_cell(row: Row, figure: str) -> str:
    """Between which figures the rounds lay: how much to trust the median."""
    spread = None if row.faults else figures.spread(row.rounds, figure)
    return "invalid" if spread is None else " – ".join(map(figures.short, spread))


def loop_table(rows: Mapping[str, Row], clock: str) -> str:
    """A row for each operation, a column for each loop: nanoseconds of CPU or by the wall clock."""
    medians = {name: row.medians() for name, row in rows.items()}
    ours = medians.get(OURS, {})
    operations = dict.fromkeys(
        figure for found in medians.values() for figure in found if figure.endswith(f", {clock}")
    )
    lines = [[f"{clock} ns per operation", *medians]]
    for operation in operations:
        cells = [
            figures.short(found.get(operation))
            if name == OURS
            else figures.with_ratio(found.get(operation), ours.get(operation))
            for name, found in medians.items()
        ]
        lines.append([operation.removesuffix(f", {clock}"), *cells])
    return figures.table(lines)


def fault_lines(rows: Mapping[str, Row]) -> list[str]:
    """Why a row has no figures, in a sentence each."""
    return [
        f"**{name} is invalid**, {len(row.faults)} of "
        f"{len(row.faults) + len(row.rounds)} rounds failed: {row.faults[0]}"
        for name, row in rows.items()
        if row.faults
    ]
