"""The command line of the bench: ``python -m bench.compare``."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any, NoReturn

from bench.compare import environment, load, machine, report
from bench.compare.contenders import OURS
from bench.compare.faults import SetupFault
from bench.compare.measurement import ROOT, Setting, Workload
from bench.compare.must_hold import judge_all
from bench.compare.rounds import Run, run_rounds
from bench.compare.thresholds import Verdict
from bench.compare.workloads import QUICK, WORKLOADS, Http2Workload, HttpWorkload, chosen

RESULTS = ROOT / "bench" / "results"
DESCRIPTION = """\
Measures hoopsnake beside other servers and event loops, on this machine and in turn: requests per
second, server CPU per request, latencies and peak memory, as medians over the rounds. Everything
stays on 127.0.0.1. The first run installs the peers into .venv-bench."""
EPILOG = """\
examples:
  python -m bench.compare                       everything: about half an hour
  python -m bench.compare --quick               a first impression: less than a minute
  python -m bench.compare --only http           the workloads whose names begin with http
  python -m bench.compare --only tcp --only loop --rounds 5
  python -m bench.compare --only tcp-streams    this workload, and not tcp-streams-10k
  python -m bench.compare --list                the workloads and who is compared

A full run writes comparison.json and comparison.md, one with --quick or --only partial.json and
partial.md, so that it does not replace the full one.

exit status: 0 when all that must hold does; 1 when something that must hold does not, or could not
be judged, or hoopsnake has an invalid row; 2 when the bench cannot start here."""


def arguments_from(line: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--python",
        metavar="PATH",
        default=sys.executable,
        help="interpreter to measure with; hoopsnake must be built for it (default: this one)",
    )
    parser.add_argument("--rounds", type=positive, metavar="N", help="how many rounds (default: 3)")
    parser.add_argument(
        "--seconds", type=positive, metavar="N", help="how long each load lasts (default: 3)"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="measure the workload of this name, or those that begin so; may be given again",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=RESULTS, help="default: bench/results"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"one round of one second: {', '.join(QUICK)}"
    )
    parser.add_argument("--list", action="store_true", help="show the workloads, measure nothing")
    arguments = parser.parse_args(line)
    arguments.partial = bool(arguments.only or arguments.quick)
    arguments.only = arguments.only or (QUICK if arguments.quick else [])
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 3)
    unknown = [name for name in arguments.only if not chosen([name])]
    if unknown:
        parser.error(f"no workload is named or begins with {unknown[0]}: --list shows them")
    return arguments


def positive(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 up")
    return int(text)


def tell(line: str) -> None:
    """Progress, apart from the report on standard output."""
    print(line, file=sys.stderr, flush=True)


def measure(arguments: argparse.Namespace, workloads: Sequence[Workload]) -> report.Results:
    """Prepare, run all rounds, judge."""
    if any(isinstance(workload, HttpWorkload) for workload in workloads):
        load.find_wrk()
    if any(isinstance(workload, Http2Workload) for workload in workloads):
        load.find_h2load()
    programs = environment.prepare(arguments.python, tell)
    versions = environment.versions(programs.python)
    setting = Setting(
        programs=programs,
        cores=machine.choose_cores(pin=True),
        seconds=arguments.seconds,
        loop_scale=0.2 if arguments.quick else 1.0,
    )
    about: dict[str, Any] = {
        **machine.facts(),
        **machine.moment(),
        "rounds": arguments.rounds,
        "seconds_each": arguments.seconds,
        "placement": placement(setting.cores),
        **versions,
        "hoopsnake_build": environment.build_profile(),
    }
    began = time.monotonic()
    run = run_rounds(workloads, setting, arguments.rounds, tell)
    about["minutes"] = round((time.monotonic() - began) / 60, 1)
    about["processors_busy_for_others"] = busy_for_others(run)
    if run.was_disturbed():
        tell(report.DISTURBED)
    return report.Results(about, workloads, run, judge_all(workloads, run.medians()))


def placement(cores: machine.Cores) -> str:
    """Where the server and its load ran."""
    if cores.server is None:
        return "server and load wherever the kernel put them"
    return f"server on core {cores.server[0]}, load on core {cores.load[0] if cores.load else '?'}"


def busy_for_others(run: Run) -> str:
    """How much the rest of the machine disturbed the measurements."""
    others = run.others()
    if not others:
        return "unknown"
    return f"{median(others):.2f} (median of all measurements), {max(others):.2f} at worst"


def write(results: report.Results, folder: Path, name: str) -> str:
    """Write both files, and return the page."""
    page = report.as_markdown(results)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_json(results), indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    return page


def shortcomings(verdicts: Sequence[Verdict], run: Run) -> list[str]:
    """Why this run is no success, a sentence each; nothing where all is well."""
    said = []
    for verdict in verdicts:
        measured = "" if verdict.ratio is None else f" is {verdict.ratio:.2f}×,"
        limit = f"{measured} {verdict.threshold.limit} must hold"
        if verdict.status != "holds":
            said.append(f"{verdict.status}: {verdict.threshold.says}:{limit} ({verdict.reason})")
    for key, rows in run.rows.items():
        if OURS in rows and rows[OURS].faults:
            said.append(f"INVALID: {OURS} under {key}: {rows[OURS].faults[0]}")
    return said


def list_workloads() -> None:
    """Print what could be measured."""
    for workload in WORKLOADS:
        print(f"{workload.key:17} {workload.title}\n{'':17} {', '.join(workload.contenders)}")


def end_on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    """Leave by an exception, so that the server under way is ended."""
    raise SystemExit(128 + number)


def main(line: Sequence[str] | None = None) -> int:
    """Run the bench; the exit status is explained in --help."""
    arguments = arguments_from(sys.argv[1:] if line is None else line)
    if arguments.list:
        list_workloads()
        return 0
    try:
        results = measure(arguments, chosen(arguments.only))
    except SetupFault as fault:
        tell(f"bench.compare: {fault}")
        return 2
    name = "partial" if arguments.partial else "comparison"
    print(write(results, arguments.out, name))
    tell(f"written: {arguments.out / name}.json and .md")
    said = shortcomings(results.verdicts, results.run)
    for sentence in said:
        tell(sentence)
    if results.verdicts and not said:
        disturbed = results.run.was_disturbed()
        tell("all that must hold does" + (", if figures of a busy machine count" * disturbed))
    return 1 if said else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end_on_signal)
    signal.signal(signal.SIGINT, end_on_signal)
    sys.exit(main())
