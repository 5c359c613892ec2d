"""The bench counts right, judges right, and ends what it starts."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.compare import __main__ as command
from bench.compare import (
    answers,
    echo_workloads,
    environment,
    figures,
    load,
    loop_workloads,
    machine,
    measurement,
    must_hold,
    proc_files,
    process,
    report,
    servers,
    thresholds,
    workloads,
)
from bench.compare.contenders import OURS, Programs
from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured
from bench.compare.rounds import Row, Run, run_rounds

needs_wrk = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="wrk is missing: it makes the load of the server workloads"
)

# Answers `BODY` for ever, or with status 500 from the third request on where FAIL is set; it needs
# neither a peer nor the engine.
SERVER = """
import asyncio, os, sys

class Answer(asyncio.Protocol):
    answered = 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        body = os.environ["BODY"].encode()
        for _ in range(data.count(b"\\r\\n\\r\\n")):
            Answer.answered += 1
            fails = "FAIL" in os.environ and Answer.answered > 2
            status = b"500 Broken" if fails else b"200 OK"
            head = b"HTTP/1.1 %b\\r\\ncontent-length: %d\\r\\n\\r\\n" % (status, len(body))
            self.transport.write(head + body)

async def main():
    await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", int(sys.argv[1]))
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""

SETTING = measurement.Setting(
    programs=Programs(python=Path(sys.executable), plain_hyper=Path("not-built")),
    cores=machine.Cores(server=None, load=None),
    seconds=1,
    loop_scale=0.02,
)


def tiny_server(
    _programs: Programs, _application: str, port: int, _offer: servers.Offer = servers.PLAIN
) -> list[str]:
    return [sys.executable, "-c", SERVER, str(port)]


TINY = workloads.HttpWorkload(
    key="http-hello",
    title="A tiny server",
    application="",
    path="/",
    is_right=answers.exactly(b"good"),
    servers=((OURS, tiny_server),),
)


def verdict_of(ours: float | None, **peers: float) -> thresholds.Verdict:
    medians: dict[str, dict[str, float]] = {name: {"cpu_us": cpu} for name, cpu in peers.items()}
    medians[OURS] = {} if ours is None else {"cpu_us": ours}
    threshold = thresholds.Threshold(
        workload="http-hello",
        figures=("cpu_us",),
        rivals=("uvicorn", "granian"),
        limit=thresholds.Limit("at most", 0.7),
        says="CPU",
    )
    return thresholds.judge(threshold, medians)


class TestFigures:
    def test_medians_are_taken_over_the_rounds_that_have_the_figure(self) -> None:
        rounds = [{"cpu_us": 9.0, "p50_us": 1.0}, {"cpu_us": 2.0}, {"cpu_us": 4.0, "p50_us": 3.0}]
        assert figures.medians(rounds) == {"cpu_us": 4.0, "p50_us": 2.0}
        assert figures.medians([]) == {}

    def test_spread_is_the_lowest_and_the_highest(self) -> None:
        assert figures.spread([{"a": 3.0}, {"a": 1.0}, {"b": 9.0}], "a") == (1.0, 3.0)
        assert figures.spread([{"b": 9.0}], "a") is None

    @pytest.mark.parametrize(
        ("figure", "reference", "expected"),
        [(3.0, 2.0, 1.5), (0.0, 2.0, 0.0), (3.0, 0.0, None), (None, 2.0, None), (3.0, None, None)],
    )
    def test_ratio(
        self, figure: float | None, reference: float | None, expected: float | None
    ) -> None:
        assert figures.ratio(figure, reference) == expected

    def test_every_contender_begins_once(self) -> None:
        names = ["a", "b", "c"]
        turns = [figures.rotated(names, turn) for turn in range(4)]
        assert turns == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
        assert figures.rotated([], 1) == []

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "–"),
            (0.456, "0.46"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.96, "100"),
            (9994.0, "9994"),
            (12_345.0, "12.3k"),
            (123_456.0, "123k"),
        ],
    )
    def test_three_digits(self, value: float | None, text: str) -> None:
        assert figures.short(value) == text

    def test_ratio_stands_behind_its_figure(self) -> None:
        assert figures.with_ratio(30.0, 20.0) == "30.0 (1.50×)"
        assert figures.with_ratio(30.0, None) == "30.0"

    def test_table_columns_are_aligned(self) -> None:
        assert figures.table([["loop", "ns"], ["asyncio", "5"], ["a", "12"]]).splitlines() == [
            "| loop    | ns |",
            "| ------- | -: |",
            "| asyncio |  5 |",
            "| a       | 12 |",
        ]


class TestParsing:
    WRK = (
        "Running 1s test @ http://127.0.0.1:9/\n  1 threads and 64 connections\n"
        "Requests/sec:  46077.10\n\n"
        '{"requests": %d, "microseconds": 2000000, "p50_us": 812.0, "p99_us": 2100.5,'
        ' "bad_status": %d, "broken": %d}\n'
    )

    def test_wrk(self) -> None:
        assert load.parse_wrk(self.WRK % (5000, 0, 0)) == load.Load(5000, 2500.0, 812.0, 2100.5)

    @pytest.mark.parametrize(
        ("counts", "message"),
        [
            ((5000, 1, 0), "1 answers had a bad status"),
            ((5000, 0, 2), "2 requests broke off"),
            ((0, 0, 0), "no request was answered"),
        ],
    )
    def test_one_failed_request_leaves_no_figure(
        self, counts: tuple[int, int, int], message: str
    ) -> None:
        with pytest.raises(NotMeasured, match=message):
            load.parse_wrk(self.WRK % counts)

    @pytest.mark.parametrize("printed", ["", "unable to connect\n"])
    def test_a_load_without_figures(self, printed: str) -> None:
        with pytest.raises(NotMeasured, match="printed no figures"):
            load.parse_wrk(printed)

    def test_echo(self) -> None:
        line = (
            '{"messages": 30, "seconds": 2.0, "per_second": 15.0, "p50_us": 900, "p99_us": 1800}\n'
        )
        assert load.parse_echo(line) == load.Load(30, 15.0, 900, 1800)
        with pytest.raises(NotMeasured, match="no message"):
            load.parse_echo(line.replace("30", "0"))

    def test_stat_counts_behind_the_name(self) -> None:
        behind = "S 1 22 33 0 -1 4194560 812 0 0 0 100 20 3 4 20 0 1 0 5000 1 2"
        expected = proc_files.Stat(session=33, ticks=127)
        assert proc_files.parse_stat(f"44 (a) R 9 (b)) {behind}\n") == expected

    def test_stat_of_this_process(self) -> None:
        stat = proc_files.parse_stat(Path("/proc/self/stat").read_text())
        used = os.times()
        seconds = stat.ticks / os.sysconf("SC_CLK_TCK")
        assert stat.session == os.getsid(0)
        assert seconds == pytest.approx(sum(used[:4]), abs=0.1)

    def test_peak_memory(self) -> None:
        status = "Name:\tpython\nVmPeak:\t  9999 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n"
        assert proc_files.peak_resident_bytes(status) == 2 * 1024**2
        assert proc_files.resident_bytes(status) == 1024**2
        assert proc_files.peak_resident_bytes("Name:\tpython\nState:\tZ (zombie)\n") == 0

    def test_busy_time_leaves_out_idle_and_stolen(self) -> None:
        assert proc_files.busy_ticks("cpu  1 2 4 1000 1000 8 16 1000 1000 0\ncpu0 7\n") == 31


class TestThresholds:
    def test_the_best_rival_counts(self) -> None:
        verdict = verdict_of(7.0, uvicorn=20.0, granian=10.0)
        assert (verdict.status, verdict.ratio) == ("holds", 0.7)
        assert verdict.reason == "CPU 0.70×: hoopsnake 7.00 µs, granian 10.0 µs"

    def test_above_the_limit_fails(self) -> None:
        assert verdict_of(7.1, uvicorn=20.0, granian=10.0).status == "FAILS"

    def test_a_missing_figure_is_no_pass(self) -> None:
        verdict = verdict_of(1.0, uvicorn=20.0)
        assert (verdict.status, verdict.ratio) == ("NOT JUDGED", None)
        assert "granian" in verdict.reason
        assert verdict_of(None, uvicorn=20.0, granian=10.0).status == "NOT JUDGED"

    def test_only_what_was_measured_is_judged(self) -> None:
        assert must_hold.judge_all([], {"http-json": {}}) == []
        judged = must_hold.judge_all([], {"tcp-protocol": {OURS: {"cpu_us": 17.0}}})
        assert [verdict.threshold.workload for verdict in judged] == ["tcp-protocol"]

    def test_each_names_a_workload_and_contenders_that_exist(self) -> None:
        for threshold in must_hold.MUST_HOLD:
            (workload,) = workloads.chosen([threshold.workload])
            rivals = getattr(threshold, "rivals", ())
            assert {OURS, *rivals} <= set(workload.contenders)
        judged = {threshold.workload for threshold in must_hold.MUST_HOLD}
        assert {"http-hello", "tcp-protocol"} <= judged & set(workloads.QUICK)


class TestReport:
    def results(self) -> report.Results:
        ours = Row(rounds=[{"per_second": 200.0, "cpu_us": cpu} for cpu in (9.0, 10.0, 12.0)])
        peer = Row(rounds=[{"per_second": 100.0, "cpu_us": 25.0}])
        broken = Row(rounds=[{"per_second": 1e9, "cpu_us": 0.1}], faults=["answered 500"])
        run = Run(rows={TINY.key: {OURS: ours, "uvicorn": peer, "granian": broken}})
        return report.Results(
            {"rounds": 3},
            [TINY],
            run,
            must_hold.judge_all([TINY], run.medians()),
        )

    def test_json_has_rounds_medians_and_ratios(self) -> None:
        page = json.loads(json.dumps(report.as_json(self.results())))
        contenders = page["workloads"]["http-hello"]["contenders"]
        assert contenders[OURS]["medians"] == {"per_second": 200.0, "cpu_us": 10.0}
        assert contenders["uvicorn"]["ratio_to_ours"] == {"per_second": 0.5, "cpu_us": 2.5}
        assert len(contenders[OURS]["rounds"]) == 3
        assert page["must_hold"][0]["status"] == "NOT JUDGED"

    def test_a_contender_with_a_fault_has_no_figures(self) -> None:
        page = report.as_json(self.results())
        granian = page["workloads"]["http-hello"]["contenders"]["granian"]
        assert (granian["valid"], granian["medians"]) == (False, {})
        assert "**granian is invalid**, 1 of 2 rounds failed: answered 500" in report.as_markdown(
            self.results()
        )

    def test_markdown_shows_each_figure_beside_ours(self) -> None:
        rows = {
            cells[1].strip(): [cell.strip() for cell in cells[2:-1]]
            for line in report.as_markdown(self.results()).splitlines()
            if len(cells := line.split("|")) > 5
        }
        assert rows[OURS] == ["200", "10.0", "–", "–", "–", "9.00 – 12.0"]
        assert rows["uvicorn"][:2] == ["100 (0.50×)", "25.0 (2.50×)"]
        assert rows["granian"] == ["–", "–", "–", "–", "–", "invalid"]

    @pytest.mark.parametrize(("others", "disturbed"), [([0.0, 0.05, 1.0], False), ([0.2], True)])
    def test_a_busy_machine_is_told(self, others: list[float], disturbed: bool) -> None:
        results = self.results()
        results.run.rows[TINY.key][OURS].others.extend(others)
        assert (report.DISTURBED in report.as_markdown(results)) is disturbed

    def test_loop_figures_are_turned(self) -> None:
        rows = {
            OURS: Row(rounds=[{"chain, CPU": 300.0, "chain, wall": 400.0}]),
            "asyncio": Row(rounds=[{"chain, CPU": 3000.0, "chain, wall": 6000.0}]),
        }
        assert report.loop_table(rows, "CPU").splitlines()[2].split("|")[1:4] == [
            " chain                ",
            "       300 ",
            " 3000 (10.00×) ",
        ]
        assert " 6000 (15.00×) " in report.loop_table(rows, "wall")

    def test_idle_connections_show_their_memory(self) -> None:
        idle = echo_workloads.IdleWorkload(key="idle", title="")
        row = Row(rounds=[{"kib_each": each, "cpu_us": 50.0} for each in (2.0, 1.0, 4.0)])
        (table,) = report.tables(idle, {OURS: row})
        cells = [cell.strip() for cell in table.splitlines()[2].split("|")[1:-1]]
        assert cells == [OURS, "2.00", "50.0", "–", "1.00 – 4.00"]


class TestCommandLine:
    def test_quick_is_partial_and_short(self) -> None:
        chosen = command.arguments_from(["--quick"])
        assert (chosen.rounds, chosen.seconds, chosen.partial) == (1, 1, True)
        assert [w.key for w in workloads.chosen(chosen.only)] == list(workloads.QUICK)

    def test_all_workloads_in_three_rounds_otherwise(self) -> None:
        chosen = command.arguments_from([])
        assert (chosen.rounds, chosen.partial) == (3, False)
        assert workloads.chosen(chosen.only) == list(workloads.WORKLOADS)

    def test_only_takes_beginnings(self) -> None:
        keys = [w.key for w in workloads.chosen(["tcp-p", "loop"])]
        assert keys == ["tcp-protocol", "tcp-protocol-10k", "tcp-protocol-100k", "loop"]

    def test_only_takes_a_whole_name_by_its_word(self) -> None:
        assert [w.key for w in workloads.chosen(["tcp-streams"])] == ["tcp-streams"]

    @pytest.mark.parametrize("line", [["--only", "smtp"], ["--rounds", "0"], ["--seconds", "x"]])
    def test_nonsense_is_refused(self, line: list[str]) -> None:
        with pytest.raises(SystemExit) as ending:
            command.arguments_from(line)
        assert ending.value.code == 2

    def test_without_wrk_it_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(shutil, "which", lambda _name: None)
        assert command.main(["--only", "http-hello"]) == 2
        assert "apt-get install wrk" in capsys.readouterr().err


class TestProcess:
    def test_children_are_counted_and_end_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Deaf to SIGTERM, so that only SIGKILL to the whole group helps; the pipe's end tells that
        # nobody is left.
        monkeypatch.setattr(process, "STOP_SECONDS", 0.2)
        listener = tmp_path / "ready"
        os.mkfifo(listener)
        script = (
            "import os, signal, sys\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "pid = os.fork()\n"
            "pipe = open(sys.argv[1], 'w')\n"
            "print('up', file=pipe, flush=True)\n"
            "signal.pause()\n"
        )
        with process.Process(
            [sys.executable, "-c", script, str(listener)], directory=tmp_path
        ) as started:
            with listener.open() as pipe:
                assert [pipe.readline(), pipe.readline()] == ["up\n", "up\n"]
                one_interpreter = 4 * 1024**2
                assert started.peak_memory() > 2 * one_interpreter
                started.stop()
                assert pipe.read() == ""

    def test_a_program_that_ends_early_is_quoted(self, tmp_path: Path) -> None:
        script = "raise SystemExit('the port is taken')"
        with process.Process([sys.executable, "-c", script], directory=tmp_path) as started:
            with pytest.raises(NotMeasured, match=r"status 1 \(it printed: the port is taken\)"):
                started.wait_until_listening(Endpoint(port=process.free_port()))

    def test_cpu_time_is_that_of_all_its_processes(self, tmp_path: Path) -> None:
        listener = tmp_path / "done"
        os.mkfifo(listener)
        script = (
            "import os, signal, sys, time\n"
            "os.fork()\n"
            "while time.process_time() < 0.3: pass\n"
            "open(sys.argv[1], 'w').write('done\\n')\n"
            "signal.pause()\n"
        )
        with process.Process(
            [sys.executable, "-c", script, str(listener)], directory=tmp_path
        ) as started:
            # Open for both, so that it has no end between the one and the other.
            with os.fdopen(os.open(listener, os.O_RDWR)) as pipe:
                assert [pipe.readline(), pipe.readline()] == ["done\n", "done\n"]
            # Two processes of 0.3 s; the ticks of /proc are 0.01 s.
            assert 0.56 < started.cpu_seconds() < 1.0


class TestRealRun:
    @needs_wrk
    def test_a_tiny_server_is_measured(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("BODY", "good")
        monkeypatch.setattr(workloads, "WORKLOADS", (TINY,))
        monkeypatch.setattr(environment, "prepare", lambda *_: SETTING.programs)
        monkeypatch.setattr(environment, "versions", lambda _: {"python": "the one that tests"})
        line = ["--only", "http-hello", "--rounds", "1", "--seconds", "1", "--out", str(tmp_path)]
        # There is no peer to compare with: what must hold cannot be judged, and that is no success.
        assert command.main(line) == 1
        assert "NOT JUDGED" in capsys.readouterr().err
        page: dict[str, Any] = json.loads((tmp_path / "partial.json").read_text())
        medians = page["workloads"]["http-hello"]["contenders"][OURS]["medians"]
        assert medians["per_second"] > 100
        # One process of one thread cannot use more than a second a second.
        assert 1 < medians["cpu_us"] < 1.1e6 / medians["per_second"]
        assert 0 < medians["p50_us"] <= medians["p99_us"]
        assert medians["peak_mib"] > 4
        assert "A tiny server" in (tmp_path / "partial.md").read_text()

    @needs_wrk
    def test_a_server_that_fails_under_load_is_invalid(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BODY", "good")
        monkeypatch.setenv("FAIL", "1")
        row = run_rounds([TINY], SETTING, 1, print).rows[TINY.key][OURS]
        assert row.medians() == {}
        assert "answers had a bad status" in row.faults[0]

    def test_a_wrong_answer_is_not_measured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BODY", "evil")
        with pytest.raises(NotMeasured, match="wrong answer to GET /: b'evil'"):
            TINY.measure(OURS, SETTING)

    @pytest.mark.parametrize("suite", loop_workloads.SUITES)
    def test_the_loop_workloads_run_on_asyncio(self, suite: loop_workloads.Suite) -> None:
        workload = workloads.LoopWorkload(key="loop", title="", suite=suite)
        found = workload.measure("asyncio", SETTING)
        judged = [figure for figures in workload.loop_rows.values() for figure in figures]
        assert list(found) == judged
        assert all(nanoseconds > 0 for nanoseconds in found.values())
