"""The workloads whose server is an echo program on each of the loops."""

import resource
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench.compare import answers, load
from bench.compare.contenders import EchoCommand, echo_servers
from bench.compare.endpoints import Endpoint, Kind, endpoint
from bench.compare.faults import NotMeasured
from bench.compare.figures import Figures
from bench.compare.measurement import Setting, measured_server
from bench.compare.of_servers import OfServers
from bench.compare.process import free_port

ECHO_CONNECTIONS = 50
ECHO_BYTES = 1024
# What an idle WebSocket has sent and taken back.
MESSAGE_BYTES = 64
IDLE_CONNECTIONS = 10_000
# Beside its connections a program has a few other files open.
SPARE_FILES = 100


@dataclass(frozen=True)
class EchoWorkload(OfServers):
    """The echo load against one echo program on each of the loops."""

    key: str
    title: str
    interface: str
    servers: Sequence[tuple[str, EchoCommand]]
    kind: Kind = "tcp"
    size: int = ECHO_BYTES
    most_rounds: int | None = None

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """One row: what a message costs."""
        return {self.title: ("cpu_us", "wall_us")}

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, check its echo, warm it up, load it, end it."""
        over = socket.SOCK_DGRAM if self.kind == "udp" else socket.SOCK_STREAM
        with endpoint(self.kind, free_port(over)) as where:

            def put_load(seconds: int) -> load.Load:
                return load.echo(
                    setting.programs.plain_hyper,
                    where,
                    connections=ECHO_CONNECTIONS,
                    size=self.size,
                    seconds=seconds,
                    cores=setting.cores.load,
                )

            return measured_server(
                dict(self.servers)[contender](setting.programs, self.interface, where),
                where,
                setting,
                check=lambda: answers.check_echo(where, self.size),
                put_load=put_load,
            )


@dataclass(frozen=True)
class IdleWorkload(OfServers):
    """Many open connections that say nothing: the memory that each one holds."""

    key: str
    title: str
    servers: Sequence[tuple[str, EchoCommand]] = echo_servers("tcp", limit=False)
    connections: int = IDLE_CONNECTIONS
    talk: load.Talk = "echo"
    settling: float = 0.0
    """Seconds of silence before memory is looked at."""
    most_rounds: int | None = None

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """One row: the memory of a connection; of a server it says more than its loop does."""
        return {self.title: ("kib_each",)} if self.talk == "echo" else {}

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, look at its memory, open the connections, look again."""
        first = self.connections // 10
        refuse_without_files(first + self.connections)
        with endpoint("tcp", free_port()) as where:
            command = dict(self.servers)[contender](setting.programs, "protocol", where)
            with setting.start(command) as server:
                server.wait_until_listening(where)
                try:
                    # These fill what the program has in stock, of freed memory above all: they
                    # would look cheaper than those behind them.
                    with self._hold_open(where, first, setting):
                        time.sleep(self.settling)
                        memory, cpu = server.memory(), server.cpu_seconds()
                        with self._hold_open(where, self.connections, setting) as seconds:
                            cpu = server.cpu_seconds() - cpu
                            # Idle is what has been so for a while: servers tidy up by and by.
                            time.sleep(self.settling)
                            held = server.memory() - memory
                            server.raise_if_ended()
                            return {
                                "kib_each": held / 1024 / self.connections,
                                "cpu_us": cpu / self.connections * 1e6,
                                "wall_us": seconds / self.connections * 1e6,
                                "peak_mib": server.peak_memory() / 1024**2,
                            }
                except NotMeasured as fault:
                    raise NotMeasured(f"{fault}{server.last_words()}") from fault

    def _hold_open(
        self, where: Endpoint, connections: int, setting: Setting
    ) -> AbstractContextManager[float]:
        """Hold so many connections open that have had one right answer."""
        return load.held_open(
            setting.programs.plain_hyper,
            where,
            connections=connections,
            size=ECHO_BYTES if self.talk == "echo" else MESSAGE_BYTES,
            cores=setting.cores.load,
            talk=self.talk,
        )


def refuse_without_files(connections: int) -> None:
    """NotMeasured where a process may not have so many connections."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < connections + SPARE_FILES:
        raise NotMeasured(
            f"a process may open {most} files here, too few for {connections} connections "
            "(`ulimit -Hn` shows it)"
        )
