"""`hoop serve` loads `ssl` when somebody looks into it; then it is the module as it always was."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import sys
from hoopsnake._cli.late_modules import put_off_ssl
put_off_ssl()
loaded = lambda: "_ssl" in sys.modules
import asyncio, hoopsnake, ssl
from asyncio import base_events, sslproto
assert hoopsnake.serve and not loaded()
"""


def run(program: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize(
    "looks",
    [
        "ssl.SSLContext",
        "from ssl import SSLContext, create_default_context",
        "from ssl import *; SSLContext",
        "from asyncio.sslproto import SSLProtocol; SSLProtocol",
        "assert issubclass(ssl.SSLError, OSError)",
        "assert 'SSLContext' in dir(ssl)",
        "assert 'SSLContext' in vars(ssl)",
        "assert not hasattr(ssl, 'no_such_name')",
        "ssl.SSLContext = None; assert ssl.SSLContext is None",
        "del ssl.SSLContext; assert not hasattr(ssl, 'SSLContext')",
        "import importlib; assert importlib.reload(ssl) is ssl and ssl.SSLContext",
        "import unittest.mock as m\nwith m.patch('ssl.SSLContext'): pass",
        "import pickle; assert pickle.loads(pickle.dumps(ssl.TLSVersion.TLSv1_3)) is "
        "ssl.TLSVersion.TLSv1_3",
        "import http.client; http.client.HTTPSConnection('localhost')",
    ],
)
def test_the_first_look_loads_it(looks: str) -> None:
    after = """
assert loaded()
assert type(ssl) is type(sys) and sys.modules["ssl"] is ssl is base_events.ssl
assert asyncio.sslproto is sslproto is sys.modules["asyncio.sslproto"]
assert ssl.__spec__.name == "ssl" and ssl.__file__ == ssl.__spec__.origin
assert ssl.OPENSSL_VERSION and sslproto.SSLProtocol
assert type(sslproto) is type(sys)
"""
    run(BEGIN + looks + after)


def test_what_it_is_called_is_no_look() -> None:
    run(
        BEGIN + "assert ssl.__name__ == 'ssl' and ssl.__spec__ and ssl.__file__; repr(ssl)\n"
        "assert sslproto.__package__ == 'asyncio' and not loaded()"
    )


def test_threads_that_look_at_once_find_all_of_it() -> None:
    program = """
import threading
start, found = threading.Barrier(8), []
def look(name):
    start.wait()
    # One that its code makes first, and one that it makes last.
    found.append((getattr(ssl, name), sslproto.SSLProtocol, ssl.get_server_certificate))
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=look, args=(name,)) for name in ("SSLContext", "RAND_bytes") * 4]
for each in threads: each.start()
for each in threads: each.join()
print(len(found))
"""
    assert run(BEGIN + program) == "8"


def test_a_connection_over_tls_is_one_of_asyncios() -> None:
    program = """
async def main():
    try:
        await asyncio.open_connection("127.0.0.1", 1, ssl=True)
    except OSError as error:
        assert not isinstance(error, ssl.SSLError)
    left, right = __import__("socket").socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    connecting = asyncio.open_connection(sock=left, ssl=context, server_hostname="x")
    attempt = asyncio.create_task(connecting)
    right.setblocking(False)
    hello = await asyncio.get_running_loop().sock_recv(right, 1)
    right.close()
    try:
        await attempt
    except (ConnectionError, ssl.SSLError):
        print(hello[0])
hoopsnake.run(main())
"""
    # A TLS record of the handshake.
    assert run(BEGIN + program) == "22"


def test_it_stays_what_it_is_where_it_was_loaded_before() -> None:
    program = """
import ssl, sys
before = ssl.SSLContext
from hoopsnake._cli.late_modules import put_off_ssl
put_off_ssl()
assert ssl.SSLContext is before and type(ssl) is type(sys)
"""
    run(program)


def test_importing_hoopsnake_puts_nothing_off() -> None:
    run("import sys, hoopsnake; hoopsnake.serve; assert '_ssl' in sys.modules")


def test_a_python_without_ssl_is_told_so_as_ever() -> None:
    program = """
import sys
sys.modules["_ssl"] = None
from hoopsnake._cli import late_modules
find = late_modules.PathFinder.find_spec
late_modules.PathFinder = type("Finder", (), {
    "find_spec": staticmethod(lambda name, *path: None if name == "_ssl" else find(name, *path))})
late_modules.put_off_ssl()
from asyncio import base_events, sslproto
assert base_events.ssl is None and sslproto.ssl is None
"""
    run(program)
