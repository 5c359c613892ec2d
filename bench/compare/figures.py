"""The arithmetic of the bench: pure functions over numbers, no clock, no process, no file."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import TypeVar

Figures = Mapping[str, float]
Item = TypeVar("Item")
LATENCIES = {"p99_us": "p99", "first_byte_ms": "first byte"}


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of every figure over the rounds that have it, in the order of first sight."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: median(f[name] for f in rounds if name in f) for name in names}


def spread(rounds: Sequence[Figures], name: str) -> tuple[float, float] | None:
    """The smallest and the largest value of one figure, or None where no round has it."""
    values = [figures[name] for figures in rounds if name in figures]
    return (min(values), max(values)) if values else None


def ratio(figure: float | None, reference: float | None) -> float | None:
    """``figure / reference``, or None where one of them was not measured or the reference is 0."""
    if figure is None or not reference:
        return None
    return figure / reference


def rotated(items: Sequence[Item], turn: int) -> list[Item]:
    """The items, begun at another one each turn, so that none always has the same place."""
    if not items:
        return []
    start = turn % len(items)
    return [*items[start:], *items[:start]]


def short(value: float | None) -> str:
    """A number with about three significant digits, as a person reads a table."""
    if value is None:
        return "–"
    if abs(value) >= 99_950:
        return f"{value / 1000:.0f}k"
    if abs(value) >= 9_995:
        return f"{value / 1000:.1f}k"
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}"


def unit(name: str) -> str:
    """What a figure of this name is counted in."""
    if name.endswith("_us"):
        return "µs"
    if name.endswith("_ms"):
        return "ms"
    return "KiB" if name.startswith("kib") else "ns"


def kind(name: str) -> str:
    """Which of its costs a figure of this name is."""
    if name.startswith("kib"):
        return "memory"
    if name in LATENCIES:
        return LATENCIES[name]
    return "wall" if "wall" in name else "CPU"


def with_ratio(value: float | None, reference: float | None) -> str:
    """A number and, in brackets, how many times the reference it is."""
    times = ratio(value, reference)
    return short(value) if times is None else f"{short(value)} ({times:.2f}×)"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of equal columns, readable as plain text too; the first row is the head."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(cells)} |"

    rule = [
        "-" * width if column == 0 else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join([line(rows[0]), line(rule), *map(line, rows[1:])])
