"""Python code that raises anywhere never ends the process: it is reported, and the loop goes on."""

from __future__ import annotations

import textwrap

import pytest
from failing_callbacks import CALLBACKS, HEAD
from failing_connections import CONNECTIONS
from parked_programs import StartProgram, finish

PROGRAMS = {**CALLBACKS, **CONNECTIONS}
ERRORS = {
    "an error": ("LookupError('on purpose')", 0),
    "an odd one": ("Odd()", 0),
    "an exit": ("SystemExit(3)", 3),
}
# A server whose protocol fails once, in one method, and a client that makes it call all of them.
SERVER = """
METHOD, ERROR = {method!r}, lambda: {error}
armed = True

def maybe_fail(method):
    global armed
    if armed and method == METHOD:
        armed = False
        raise ERROR()

class Ends:
    def connection_made(self, transport):
        self.transport = transport
        if armed:
            # More than the client reads at once: writing is paused, and resumed later.
            transport.write(b"x" * 32_000_000)
        maybe_fail("connection_made")

    def eof_received(self):
        maybe_fail("eof_received")

    def connection_lost(self, error):
        maybe_fail("connection_lost")

    def pause_writing(self):
        maybe_fail("pause_writing")

    def resume_writing(self):
        maybe_fail("resume_writing")

class Plain(Ends, asyncio.Protocol):
    def data_received(self, data):
        self.transport.write(data)
        maybe_fail("data_received")

class Buffered(Ends, asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        maybe_fail("get_buffer")
        self.buffer = bytearray(100)
        return self.buffer

    def buffer_updated(self, count):
        self.transport.write(bytes(self.buffer[:count]))
        maybe_fail("buffer_updated")

def factory():
    maybe_fail("factory")
    return Buffered() if METHOD in ("get_buffer", "buffer_updated") else Plain()

def provoke(address):
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(b"data")
        if METHOD == "factory":
            return
        client.shutdown(socket.SHUT_WR)
        try:
            while client.recv(1_000_000):
                pass
        except ConnectionError:
            pass

def talk(address):
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(b"data")
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read()

async def main():
    server = await loop.create_server(factory, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    # A daemon: it may wait for an answer when the program has left the loop for good.
    threading.Thread(target=provoke, args=(address,), daemon=True).start()
    while armed:
        await asyncio.sleep(0.001)
    assert await asyncio.to_thread(talk, address) == b"data"
    server.close()

loop.run_until_complete(main())
"""
METHODS = (
    *("factory", "connection_made", "data_received", "eof_received", "connection_lost"),
    *("pause_writing", "resume_writing", "get_buffer", "buffer_updated"),
)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", METHODS)
def test_a_protocol_that_raises_costs_no_more_than_its_connection(
    start_program: StartProgram, method: str, error: str
) -> None:
    raised, status = ERRORS[error]
    server = SERVER.format(method=method, error=raised)
    process = start_program(HEAD + server + 'print("went on")')
    code, out, err = finish(process)
    assert (code, out) == (status, "" if status else "went on\n"), err


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_goes_on_after(start_program: StartProgram, name: str) -> None:
    process = start_program(HEAD + textwrap.dedent(PROGRAMS[name]) + '\nprint("went on")')
    code, out, err = finish(process)
    assert (code, out) == (0, "went on\n"), err
