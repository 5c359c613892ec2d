"""The echo programs echo, wherever they listen, and idle connections are counted right."""

from __future__ import annotations

import asyncio
import resource
import shutil
import socket
import ssl
import sys
from pathlib import Path

import pytest

from bench.compare import answers, load, machine, measurement, process
from bench.compare.contenders import ECHO_SERVERS, OURS, Programs, echo_servers
from bench.compare.echo_workloads import ECHO_BYTES, IdleWorkload
from bench.compare.endpoints import Endpoint, Kind, endpoint
from bench.compare.faults import NotMeasured

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is missing: it makes the certificate"
)
KINDS = ["tcp", pytest.param("tls", marks=needs_openssl), "unix"]

# What `plain-hyper --idle-load` does, without Rust: it holds connections that have echoed once.
IDLE_LOAD = """#!{python}
import argparse, json, socket, sys

parser = argparse.ArgumentParser()
parser.add_argument("--idle-load", action="store_true")
parser.add_argument("--talk", choices=["echo"])
for name in ("--port", "--connections", "--size"):
    parser.add_argument(name, type=int)
asked = parser.parse_args()
held = []
for _ in range(asked.connections):
    connection = socket.create_connection(("127.0.0.1", asked.port), timeout=10)
    connection.sendall(b"x" * asked.size)
    assert connection.makefile("rb").read(asked.size) == b"x" * asked.size
    held.append(connection)
print(json.dumps({{"connections": len(held), "seconds": 0.5}}), flush=True)
sys.stdin.read()
"""
# An echo that keeps 100 KiB for each connection, so that the measured memory has a known size.
HOARDER = """
import asyncio, sys

class Hoarder(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.hoard = b"h" * 102_400

    def data_received(self, data):
        self.transport.write(data)

async def main():
    await asyncio.get_running_loop().create_server(Hoarder, "127.0.0.1", int(sys.argv[1]))
    await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


def setting_with(plain_hyper: Path) -> measurement.Setting:
    return measurement.Setting(
        programs=Programs(python=Path(sys.executable), plain_hyper=plain_hyper),
        cores=machine.Cores(server=None, load=None),
        seconds=1,
        loop_scale=0.02,
    )


def hoarder(_programs: Programs, _interface: str, where: Endpoint) -> list[str]:
    return [sys.executable, "-c", HOARDER, str(where.port)]


@pytest.fixture
def idle_load(tmp_path: Path) -> Path:
    program = tmp_path / "idle-load"
    program.write_text(IDLE_LOAD.format(python=sys.executable))
    program.chmod(0o700)
    return program


class TestEchoPrograms:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("interface", ["protocol", "streams", "buffered"])
    def test_large_messages_come_back_whole(self, kind: Kind, interface: str) -> None:
        setting = setting_with(Path("not-built"))
        with endpoint(kind, process.free_port()) as where:
            command = ECHO_SERVERS["asyncio"](setting.programs, interface, where)
            with setting.start(command) as server:
                server.wait_until_listening(where)
                answers.check_echo(where, 100 * 1024)

    def test_datagrams_come_back(self) -> None:
        setting = setting_with(Path("not-built"))
        with endpoint("udp", process.free_port(socket.SOCK_DGRAM)) as where:
            with pytest.raises(NotMeasured, match="no echo: ConnectionRefusedError"):
                answers.check_echo(where, ECHO_BYTES)
            command = ECHO_SERVERS["asyncio"](setting.programs, "protocol", where)
            with setting.start(command) as server:
                server.wait_until_listening(where)
                answers.check_echo(where, ECHO_BYTES)

    def test_a_wrong_echo_is_not_measured(self, idle_load: Path) -> None:
        async def deaf_server() -> None:
            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                data = await reader.readexactly(ECHO_BYTES)
                writer.write(data[::-1])
                await writer.drain()
                writer.close()
                await writer.wait_closed()

            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            where = Endpoint(port=server.sockets[0].getsockname()[1])
            with pytest.raises(NotMeasured, match="echoed 1024 wrong bytes"):
                await asyncio.to_thread(answers.check_echo, where, ECHO_BYTES)
            server.close()

        asyncio.run(deaf_server())


class TestEndpoints:
    @needs_openssl
    def test_tls_trusts_its_own_certificate_alone(self) -> None:
        with endpoint("tls", process.free_port()) as one, endpoint("tls", one.port) as other:
            setting = setting_with(Path("not-built"))
            command = ECHO_SERVERS["asyncio"](setting.programs, "protocol", one)
            with setting.start(command) as server:
                server.wait_until_listening(one)
                with one.connect_to_talk() as connection:
                    assert isinstance(connection, ssl.SSLSocket)
                with pytest.raises(NotMeasured, match="certificate verify failed"):
                    answers.check_echo(other, ECHO_BYTES)

    @pytest.mark.parametrize("kind", [*KINDS, "udp"])
    def test_nothing_is_left_behind(self, kind: Kind) -> None:
        with endpoint(kind, 80) as where:
            folders = [where.path and where.path.parent, where.certificate]
            assert all(folder.is_dir() for folder in folders if folder)
        assert not any(folder.exists() for folder in folders if folder)

    def test_servers_and_load_are_told_the_same(self) -> None:
        assert Endpoint(port=9).arguments() == ["--port", "9"]
        assert Endpoint(port=9, certificate=Path("c")).arguments() == ["--port", "9", "--tls", "c"]
        assert Endpoint(port=9, udp=True).arguments() == ["--port", "9", "--udp"]
        assert Endpoint(path=Path("p")).arguments() == ["--unix", "p"]

    def test_rloop_is_measured_where_it_can_be(self) -> None:
        takes_part = {
            kind: "rloop" in dict(echo_servers(kind, limit=True))
            for kind in ("tcp", "tls", "udp", "unix")
        }
        assert takes_part == {"tcp": True, "tls": False, "udp": True, "unix": False}


class TestIdleConnections:
    def test_memory_is_that_of_the_connections(self, idle_load: Path) -> None:
        workload = IdleWorkload(key="idle", title="", servers=((OURS, hoarder),), connections=100)
        figures = workload.measure(OURS, setting_with(idle_load))
        assert 100 < figures["kib_each"] < 150
        assert figures["wall_us"] == pytest.approx(5000)
        # 110 hoards of 100 KiB, and a Python program.
        assert figures["peak_mib"] > 11

    def test_a_load_that_fails_is_quoted(self) -> None:
        workload = IdleWorkload(key="idle", title="", servers=((OURS, hoarder),), connections=10)
        with pytest.raises(NotMeasured, match="the load failed"):
            workload.measure(OURS, setting_with(Path(shutil.which("false") or "false")))

    def test_a_load_is_ended_with_its_block(self, idle_load: Path) -> None:
        port = process.free_port()
        setting = setting_with(idle_load)
        with setting.start([sys.executable, "-c", HOARDER, str(port)]) as server:
            server.wait_until_listening(Endpoint(port=port))
            before = established(port)
            with load.held_open(idle_load, Endpoint(port=port), connections=7, size=10, cores=None):
                assert established(port) - before == 7
            assert established(port) == before

    def test_too_few_files_are_a_reason(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        workload = IdleWorkload(
            key="idle", title="", servers=((OURS, hoarder),), connections=hard + 1
        )
        if hard == resource.RLIM_INFINITY:
            pytest.skip("this machine allows any number of files")
        with pytest.raises(NotMeasured, match=f"may open {hard} files here"):
            workload.measure(OURS, setting_with(Path("not-built")))
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


def established(port: int) -> int:
    """How many connections the kernel has to this port, seen from their clients."""
    remote = f"0100007F:{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(fields[2] == remote and fields[3] == "01" for fields in map(str.split, lines))
