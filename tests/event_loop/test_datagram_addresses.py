"""Where datagrams come from and go to: IPv4, IPv6 and Unix addresses, names, and wrong ones."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import socket
from pathlib import Path
from typing import Any

import pytest
from loop_under_test import Reports, Run
from recording_datagrams import Endpoint, endpoint, endpoint_on


def unix_socket(name: str | bytes | None = None) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    if name is not None:
        made.bind(name)
    return made


def ipv6_socket(host: str = "::1", *, ipv4_too: bool = False) -> socket.socket:
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not ipv4_too)
    try:
        made.bind((host, 0))
    except OSError as error:
        made.close()
        pytest.skip(f"no IPv6 here: {error}")
    return made


def test_a_connected_endpoint_sends_to_nobody_else(run: Run) -> None:
    async def main() -> None:
        server, other = await endpoint(), await endpoint()
        client = await endpoint(server.address)
        with pytest.raises(ValueError, match="Invalid address: must be None or ") as refused:
            client.transport.sendto(b"x", other.address)
        assert str(refused.value).endswith(f" {server.address}")
        with pytest.raises(ValueError, match="Invalid address"):
            client.transport.sendto(b"x", ("localhost", server.address[1]))
        client.transport.sendto(b"one", None)
        client.transport.sendto(b"two", server.address)
        client.transport.sendto(b"three", addr=(*server.address,))
        for data in (b"one", b"two", b"three"):
            assert await server.received.get() == (data, client.address)
        for each in (client, server, other):
            await each.close()

    run(main())


def test_a_name_is_resolved(run: Run) -> None:
    async def main() -> None:
        server, client = await endpoint(), await endpoint()
        client.transport.sendto(b"hello", ("localhost", server.address[1]))
        assert await server.received.get() == (b"hello", client.address)
        await client.close()
        await server.close()

    run(main())


def test_a_name_that_nobody_has_is_an_error_received(run: Run) -> None:
    async def main() -> None:
        client = await endpoint()
        # Never a host's (RFC 6761 section 6.4), and no numeric address.
        client.transport.sendto(b"x", ("no such.invalid", 9))
        assert isinstance(await client.errors.get(), socket.gaierror)
        await client.close()

    run(main())


WRONG = [
    (None, TypeError),
    (("127.0.0.1",), TypeError),
    (("127.0.0.1", 1, 2), TypeError),
    (("127.0.0.1", 65_536), OverflowError),
    (("127.0.0.1", -1), OverflowError),
    (("127.0.0.1", "80"), TypeError),
    ((127, 80), TypeError),
    ("127.0.0.1:80", TypeError),
]


@pytest.mark.parametrize(("address", "kind"), WRONG)
def test_a_wrong_address_ends_the_endpoint(
    run: Run, reports: Reports, address: Any, kind: type[Exception]
) -> None:
    async def main() -> None:
        client = await endpoint()
        client.transport.sendto(b"x", address)
        assert client.transport.is_closing()
        assert isinstance(await client.lost, kind)
        report = reports.pop()
        assert report["message"] == "Fatal write error on datagram transport"
        assert report["transport"] is client.transport
        assert report["protocol"] is client
        assert isinstance(report["exception"], kind)

    run(main())


def test_a_broadcast_needs_leave(run: Run) -> None:
    async def main() -> None:
        silent = await endpoint()
        silent.transport.sendto(b"all", ("255.255.255.255", 9))
        assert isinstance(await silent.errors.get(), PermissionError)
        await silent.close()

        loop = asyncio.get_running_loop()
        _, server = await loop.create_datagram_endpoint(Endpoint, local_addr=("0.0.0.0", 0))
        loud = await endpoint(allow_broadcast=True)
        sock = loud.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)
        loud.transport.sendto(b"all", ("127.255.255.255", server.address[1]))
        assert await server.received.get() == (b"all", loud.address)
        await loud.close()
        await server.close()

    run(main())


def test_ipv6_addresses_have_four_parts(run: Run) -> None:
    async def main() -> None:
        server, client = await endpoint_on(ipv6_socket()), await endpoint_on(ipv6_socket())
        port = server.address[1]
        assert server.address == ("::1", port, 0, 0)
        for address in (("::1", port), ("::1", port, 0), ("0:0:0:0:0:0:0:1", port, 0, 0)):
            client.transport.sendto(b"hello", address)
            assert await server.received.get() == (b"hello", client.address)
        # A flow label is allowed; the sender's is not told.
        client.transport.sendto(b"flow", ("::1", port, 0xFFFFF, 0))
        assert await server.received.get() == (b"flow", client.address)
        server.transport.sendto(b"answer", client.address)
        assert await client.received.get() == (b"answer", server.address)
        await client.close()
        await server.close()

    run(main())


def test_a_remote_ipv6_address_is_the_one_with_four_parts(run: Run) -> None:
    async def main() -> None:
        server = await endpoint_on(ipv6_socket())
        _, client = await asyncio.get_running_loop().create_datagram_endpoint(
            Endpoint, remote_addr=server.address[:2]
        )
        client.transport.sendto(b"one")
        client.transport.sendto(b"two", server.address)
        with pytest.raises(ValueError, match="Invalid address"):
            client.transport.sendto(b"x", server.address[:2])
        assert (await server.received.get())[0] == b"one"
        assert (await server.received.get())[0] == b"two"
        await client.close()
        await server.close()

    run(main())


def test_ipv4_shows_through_ipv6(run: Run) -> None:
    async def main() -> None:
        server, client = await endpoint_on(ipv6_socket("::", ipv4_too=True)), await endpoint()
        client.transport.sendto(b"hello", ("127.0.0.1", server.address[1]))
        mapped = ("::ffff:127.0.0.1", client.address[1], 0, 0)
        assert await server.received.get() == (b"hello", mapped)
        server.transport.sendto(b"answer", mapped)
        assert (await client.received.get())[0] == b"answer"
        await client.close()
        await server.close()

    run(main())


def link_local() -> tuple[str, int] | None:
    """A link-local address of this machine, and the number of its interface."""
    table = Path("/proc/net/if_inet6")
    for line in table.read_text().splitlines() if table.exists() else ():
        digits, index, *_ = line.split()
        if digits.startswith("fe80"):
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)), int(index, 16)
    return None


def test_a_link_local_address_has_its_interface(run: Run) -> None:
    found = link_local()
    if found is None:
        pytest.skip("no interface here has a link-local address")
    host, scope = found

    async def main() -> None:
        ends = []
        for _ in range(2):
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            sock.bind((host, 0, 0, scope))
            ends.append(await endpoint_on(sock))
        client, server = ends
        assert server.address == (host, server.address[1], 0, scope)
        client.transport.sendto(b"number", server.address)
        assert await server.received.get() == (b"number", client.address)
        name = socket.if_indextoname(scope)
        client.transport.sendto(b"name", (f"{host}%{name}", server.address[1]))
        assert await server.received.get() == (b"name", client.address)
        await client.close()
        await server.close()

    run(main())


@pytest.mark.parametrize("address", [("::1", 9, 0x100000, 0), ("::1", 9, -1, 0)])
def test_ipv6_flow_information_that_does_not_fit(run: Run, reports: Reports, address: Any) -> None:
    async def main() -> None:
        client = await endpoint_on(ipv6_socket())
        client.transport.sendto(b"x", address)
        assert isinstance(await client.lost, OverflowError)
        assert isinstance(reports.pop()["exception"], OverflowError)

    run(main())


def test_ipv6_sockets_do_not_know_ipv4_addresses(run: Run) -> None:
    async def main() -> None:
        client = await endpoint_on(ipv6_socket())
        client.transport.sendto(b"x", ("127.0.0.1", 9))
        assert isinstance(await client.errors.get(), OSError)
        await client.close()

    run(main())


def test_unix_sockets_with_paths(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        paths = [str(tmp_path / name) for name in ("first", "second ünïcødé")]
        first, second = [await endpoint_on(unix_socket(path)) for path in paths]
        for destination in (paths[1], os.fsencode(paths[1])):
            first.transport.sendto(b"hello", destination)
            assert await second.received.get() == (b"hello", paths[0])
        second.transport.sendto(b"answer", paths[0])
        assert await first.received.get() == (b"answer", paths[1])
        await first.close()
        await second.close()

    run(main())


def test_unix_sockets_with_abstract_names(run: Run) -> None:
    async def main() -> None:
        # The kernel chooses a name where it is given none (unix(7), "Autobind feature").
        first, second = [await endpoint_on(unix_socket("")) for _ in range(2)]
        assert first.address[:1] == b"\0"
        first.transport.sendto(b"hello", second.address)
        assert await second.received.get() == (b"hello", first.address)
        second.transport.sendto(b"answer", first.address.decode())
        assert await first.received.get() == (b"answer", second.address)
        await first.close()
        await second.close()

    run(main())


def test_a_unix_socket_without_a_name_is_nobody(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "server")
        server = await endpoint_on(unix_socket(path))
        client = await endpoint_on(unix_socket())
        client.transport.sendto(b"hello", path)
        assert await server.received.get() == (b"hello", None)
        await client.close()
        await server.close()

    run(main())


def test_a_unix_endpoint_by_its_addresses(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
        server = await endpoint_on(unix_socket(theirs))
        _, client = await loop.create_datagram_endpoint(
            Endpoint, local_addr=ours, remote_addr=theirs, family=socket.AF_UNIX
        )
        client.transport.sendto(b"one")
        client.transport.sendto(b"two", theirs)
        assert await server.received.get() == (b"one", ours)
        assert await server.received.get() == (b"two", ours)
        with pytest.raises(ValueError, match="Invalid address"):
            client.transport.sendto(b"x", ours)
        await client.close()
        await server.close()

    run(main())


def test_a_path_that_nobody_listens_on_is_an_error_received(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        client = await endpoint_on(unix_socket())
        client.transport.sendto(b"x", str(tmp_path / "nobody"))
        assert isinstance(await client.errors.get(), FileNotFoundError)
        client.transport.sendto(b"x", str(tmp_path / ("long" * 40)))
        assert "too long" in str(await client.errors.get())
        await client.close()

    run(main())


def test_a_path_that_fills_its_field_is_told_whole(run: Run, tmp_path: Path) -> None:
    # Python itself binds to no path of 108 bytes, but others may (unix(7), "BUGS").
    path = str(tmp_path / "sender")
    path += "x" * (108 - len(path))

    async def main() -> None:
        server_path = str(tmp_path / "server")
        server = await endpoint_on(unix_socket(server_path))
        with unix_socket() as sender:
            raw = socket.AF_UNIX.to_bytes(2, "little") + path.encode()
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.bind(sender.fileno(), raw, len(raw)) == 0, os.strerror(ctypes.get_errno())
            sender.sendto(b"hello", server_path)
        assert await server.received.get() == (b"hello", path)
        await server.close()

    run(main())


@pytest.mark.ours
def test_a_pair_of_unix_sockets_needs_no_address(run: Run) -> None:
    # asyncio takes a peer without a name for none, and ends the endpoint with a TypeError.
    async def main() -> None:
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        first, second = await endpoint_on(left), await endpoint_on(right)
        first.transport.sendto(b"hello")
        assert await second.received.get() == (b"hello", None)
        second.transport.sendto(b"x" * 100_000)
        assert await first.received.get() == (b"x" * 100_000, None)
        await first.close()
        await second.close()

    run(main())


@pytest.mark.ours
def test_a_datagram_of_a_unix_socket_may_be_larger_than_any_of_udp(run: Run) -> None:
    async def main() -> None:
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ends = [await endpoint_on(sock) for sock in (left, right)]
        # Less than what Linux gives a socket's buffer by default.
        payload = random.Random(7).randbytes(200_000)
        ends[0].transport.sendto(payload)
        data, _ = await ends[1].received.get()
        assert data == payload
        for end in ends:
            await end.close()

    run(main())
