"""The workloads at a rate, calm and far too high, and the time that a server takes to start."""

import http.client
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.compare import load
from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured
from bench.compare.figures import Figures
from bench.compare.measurement import ROOT, Setting
from bench.compare.of_servers import OfServers
from bench.compare.process import Process, free_port
from bench.compare.servers import HttpCommand, Offer

# The share of what a server can do at best.
CALM = 0.7
CALM_CONNECTIONS = 64
OVERLOAD = 10
PEAK_CONNECTIONS = 16
# Whoever asks gives up after so long.
DEADLINE = 0.25
PROBE_SECONDS = 0.05
PROBE_PATIENCE = 1.0
# Good answers in a row with which a server has recovered, and how long that is waited for.
RECOVERED = 5
RECOVERY_SECONDS = 10.0
# How the first answer begins; nobody sends less than that at once.
GOOD = b"HTTP/1.1 200"


@dataclass(frozen=True)
class CalmWorkload(OfServers):
    """Requests at 70 % of what the server was measured to answer at best, evenly spread."""

    key: str
    title: str
    application: str
    servers: Sequence[tuple[str, HttpCommand]]
    most_rounds: int | None = None

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Find out what it can do, then ask for less."""
        where = Endpoint(port=free_port())
        command = dict(self.servers)[contender](
            setting.programs, self.application, where.port, Offer()
        )
        with setting.start(command) as server:
            server.wait_until_listening(where)
            try:
                best = peak(where, setting, CALM_CONNECTIONS)
                cpu = server.cpu_seconds()
                answered = load.at_rate(
                    setting.programs.plain_hyper,
                    where,
                    rate=best * CALM,
                    connections=CALM_CONNECTIONS,
                    seconds=setting.seconds,
                    deadline=PROBE_PATIENCE,
                    cores=setting.cores.load,
                )
            except NotMeasured as fault:
                raise NotMeasured(f"{fault}{server.last_words()}") from fault
            cpu = server.cpu_seconds() - cpu
            server.raise_if_ended()
            missed = answered.refused + answered.late + answered.broken
            if missed or not answered.good:
                raise NotMeasured(f"{missed} requests were not answered well at a calm rate")
            return {
                "per_second": answered.good / setting.seconds,
                "cpu_us": cpu / answered.good * 1e6,
                "p50_us": answered.p50_us,
                "p99_us": answered.p99_us,
                "peak_mib": server.peak_memory() / 1024**2,
            }


def peak(where: Endpoint, setting: Setting, connections: int) -> float:
    """Answers a second of clients that never rest: after a second to warm up, of one more."""
    measured = [
        load.echo(
            setting.programs.plain_hyper,
            where,
            connections=connections,
            size=1,
            seconds=1,
            cores=setting.cores.load,
            talk="http",
        )
        for _ in range(2)
    ]
    return measured[-1].per_second


@dataclass(frozen=True)
class OverloadedServer:
    """A contender of the overload: how it is started, and where a probe asks for its health."""

    command: HttpCommand
    options: Sequence[str]
    admin_option: str | None = None
    """How it is told of a second address, where there is such a thing."""
    health: str = "/health"


@dataclass(frozen=True)
class OverloadWorkload(OfServers):
    """Ten times the requests that the application can answer, by clients who give up in time."""

    key: str
    title: str
    application: str
    servers: Mapping[str, OverloadedServer]
    most_rounds: int | None = None

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Find out what it can do, ask for ten times as much, and see how it comes back."""
        contending = self.servers[contender]
        where = Endpoint(port=free_port())
        command = contending.command(setting.programs, self.application, where.port, Offer())
        health = where
        if contending.admin_option is not None:
            health = Endpoint(port=free_port())
            command += [contending.admin_option, f"127.0.0.1:{health.port}"]
        with setting.start([*command, *contending.options]) as server:
            server.wait_until_listening(where)
            try:
                return self._measure(where, health, contending.health, server, setting)
            except NotMeasured as fault:
                raise NotMeasured(f"{fault}{server.last_words()}") from fault

    def _measure(
        self, where: Endpoint, health: Endpoint, path: str, server: Process, setting: Setting
    ) -> Figures:
        best = peak(where, setting, PEAK_CONNECTIONS)
        rate = best * OVERLOAD
        seconds = max(setting.seconds, 2)
        with Probe(health, path) as probe:
            answered = load.at_rate(
                setting.programs.plain_hyper,
                where,
                rate=rate,
                # So many that each request finds one, although all the others wait to the last.
                connections=int(rate * DEADLINE),
                seconds=seconds,
                deadline=DEADLINE,
                cores=setting.cores.load,
            )
            ended = time.monotonic()
        recovery = recovered(where) - ended
        server.raise_if_ended()
        return {
            "best_per_second": best,
            "good_per_second": answered.good / seconds,
            "goodput_share": answered.good / seconds / best,
            "p99_us": answered.p99_us,
            "refused_per_second": answered.refused / seconds,
            "probes_answered_share": probe.answered_share(),
            "probe_worst_ms": probe.worst * 1000,
            "recovery_seconds": recovery,
        }


def is_answered(where: Endpoint, path: str, patience: float) -> bool:
    """Whether a new client gets a 200 in time."""
    client = http.client.HTTPConnection("127.0.0.1", where.port, timeout=patience)
    try:
        client.request("GET", path)
        return client.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def recovered(where: Endpoint) -> float:
    """When the first of several good answers in a row had come, each in time."""
    began = time.monotonic()
    in_a_row: list[float] = []
    while len(in_a_row) < RECOVERED:
        if time.monotonic() - began > RECOVERY_SECONDS:
            raise NotMeasured(f"did not recover within {RECOVERY_SECONDS:.0f} s")
        good = is_answered(where, "/", DEADLINE)
        in_a_row = [*in_a_row, time.monotonic()] if good else []
    return in_a_row[0]


class Probe:
    """Asks for a server's health again and again while the load is on."""

    def __init__(self, where: Endpoint, path: str) -> None:
        self._where, self._path = where, path
        self._ending = threading.Event()
        self._outcomes: list[bool] = []
        self._took: list[float] = []
        self._thread = threading.Thread(target=self._ask, name="probe", daemon=True)

    def __enter__(self) -> "Probe":
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self._ending.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._ending.wait(PROBE_SECONDS):
            began = time.monotonic()
            self._outcomes.append(is_answered(self._where, self._path, PROBE_PATIENCE))
            self._took.append(time.monotonic() - began)

    def answered_share(self) -> float:
        """How many of its requests got a 200 in time."""
        return sum(self._outcomes) / len(self._outcomes) if self._outcomes else 0.0

    @property
    def worst(self) -> float:
        """The longest that one took, in seconds."""
        return max(self._took, default=0.0)


@dataclass(frozen=True)
class StartWorkload(OfServers):
    """From the start of the program to the first byte of its first answer."""

    key: str
    title: str
    application: str
    servers: Sequence[tuple[str, HttpCommand]]
    path: str = "/"
    starts: int = 5
    most_rounds: int | None = None

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start it several times; the files have been read before and are in memory.

        pip compiles the modules that it installs, the peers' among them. Ours and the applications
        are run from their folders, where an environment with PYTHONDONTWRITEBYTECODE would leave
        them as they are.
        """
        compiler = [str(setting.programs.python), "-m", "compileall", "-q"]
        folders = [str(ROOT / "python" / "hoopsnake"), str(ROOT / "bench" / "compare" / "apps")]
        subprocess.run([*compiler, *folders], check=True)
        took = [self._start(contender, setting) for _ in range(1 + self.starts)]
        return {"first_byte_ms": median(took[1:]) * 1000}

    def _start(self, contender: str, setting: Setting) -> float:
        where = Endpoint(port=free_port())
        command = dict(self.servers)[contender](
            setting.programs, self.application, where.port, Offer()
        )
        began = time.monotonic()
        with setting.start(command) as server:
            while not self._has_answered(where):
                if time.monotonic() - began > RECOVERY_SECONDS:
                    raise NotMeasured(f"no answer after its start{server.last_words()}")
                server.raise_if_ended()
                time.sleep(0.001)
            return time.monotonic() - began

    def _has_answered(self, where: Endpoint) -> bool:
        try:
            with where.connect() as client:
                client.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % self.path.encode())
                return client.recv(len(GOOD)) == GOOD
        except OSError:
            return False
