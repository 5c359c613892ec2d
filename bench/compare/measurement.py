"""What every measurement has in common: the setting, what a workload is, and a server's life."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.compare import load, machine
from bench.compare.contenders import Programs
from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured
from bench.compare.figures import Figures
from bench.compare.process import Process

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Setting:
    """What is the same for every measurement of a run."""

    programs: Programs
    cores: machine.Cores
    seconds: int
    """How long each load lasts, after one second to warm up."""
    loop_scale: float
    """How many operations the loop workloads do, as a share of the usual number."""

    @property
    def environment(self) -> dict[str, str]:
        """What every contender finds: hoopsnake, and the applications in bench/."""
        return {"PYTHONPATH": f"{ROOT / 'python'}:{ROOT}"}

    def start(self, command: Sequence[str]) -> Process:
        """Start a contender on the server's core."""
        return Process(
            command, directory=ROOT, cores=self.cores.server, environment=self.environment
        )


class Workload(Protocol):
    """One table of the report."""

    @property
    def key(self) -> str:
        """The name on the command line."""

    @property
    def title(self) -> str:
        """What is done, for a reader."""

    @property
    def contenders(self) -> Sequence[str]:
        """Who is measured."""

    @property
    def most_rounds(self) -> int | None:
        """In how many rounds it is measured at most, where figures hardly differ; None: in all."""

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """The rows by which event loops are judged: the figures that count, each less is better."""

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Measure once, or raise NotMeasured."""


def measured_server(
    command: Sequence[str],
    endpoint: Endpoint,
    setting: Setting,
    *,
    check: Callable[[], None],
    put_load: Callable[[int], load.Load],
) -> Figures:
    """One server from start to end: its figures under load."""
    with setting.start(command) as server:
        server.wait_until_listening(endpoint)
        try:
            check()
            put_load(1)
            before = server.cpu_seconds()
            counted = put_load(setting.seconds)
        except NotMeasured as fault:
            raise NotMeasured(f"{fault}{server.last_words()}") from fault
        cpu = server.cpu_seconds() - before
        server.raise_if_ended()
        return figures_of(counted, cpu, server)


def figures_of(counted: load.Load, cpu: float, server: Process) -> Figures:
    """What a load counted and what it cost the server, as the report has it."""
    return {
        "per_second": counted.per_second,
        "wall_us": 1e6 / counted.per_second,
        "cpu_us": cpu / counted.answers * 1e6,
        "p50_us": counted.p50_us,
        "p99_us": counted.p99_us,
        "peak_mib": server.peak_memory() / 1024**2,
    }
