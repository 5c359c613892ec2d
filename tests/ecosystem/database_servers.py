"""A PostgreSQL and a Redis server of the tests' own: in a folder and on a port of their own."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

SECONDS_TO_START = 30.0
SECONDS_TO_STOP = 10.0
ATTEMPTS = 3
USER = "hoop"


class Missing(Exception):
    """What a server needs is not on this machine; the text says what."""


class Server(NamedTuple):
    """Where a server listens: on a port of 127.0.0.1, and on a Unix socket in a folder."""

    port: int
    folder: Path


class Account(NamedTuple):
    """Who runs a server, as options of `subprocess.run` and of `setpriv`."""

    popen: dict[str, int | list[int]]
    setpriv: list[str]


@contextlib.contextmanager
def postgresql(certificate: tuple[str, str]) -> Iterator[Server]:
    """Run a PostgreSQL that trusts everybody who reaches it, TLS or not."""
    programs = _newest_postgresql()
    account = _account_for_postgresql()
    with _folder(account) as folder:
        for source, name in zip(certificate, ("chain.pem", "key.pem"), strict=True):
            shutil.copyfile(source, folder / name)
            (folder / name).chmod(0o600)
            _give(folder / name, account)
        data = folder / "data"
        initdb = [programs / "initdb", "--pgdata", data, "--auth", "trust", "--username", USER]
        initdb += ["--no-sync", "--encoding", "UTF8", "--locale", "C"]
        made = subprocess.run(
            initdb, cwd=folder, capture_output=True, text=True, timeout=60, **account.popen
        )
        assert made.returncode == 0, made.stderr
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": folder,
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": folder / "chain.pem",
            "ssl_key_file": folder / "key.pem",
        }
        command = [programs / "postgres", "-D", data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with _running(lambda port: [*command, "-p", str(port)], folder, account) as port:
            yield Server(port, folder)


@contextlib.contextmanager
def redis() -> Iterator[Server]:
    """Run a Redis that keeps nothing on disk."""
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("there is no redis-server on PATH (Debian's package redis-server)")
    account = Account({}, [])
    with _folder(account) as folder:
        command = [program, "--bind", "127.0.0.1", "--dir", folder, "--daemonize", "no"]
        command += ["--save", "", "--appendonly", "no", "--unixsocket", folder / "redis.sock"]
        with _running(lambda port: [*command, "--port", str(port)], folder, account) as port:
            yield Server(port, folder)


def _newest_postgresql() -> Path:
    folders = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    found = {int(path.parts[-3]): path.parent for path in folders if path.parts[-3].isdigit()}
    on_path = shutil.which("postgres")
    if found:
        return found[max(found)]
    if on_path is None:
        raise Missing("no PostgreSQL in /usr/lib/postgresql (Debian's package postgresql)")
    return Path(on_path).resolve().parent


def _account_for_postgresql() -> Account:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return Account({}, [])
    try:
        postgres = pwd.getpwnam("postgres")
    except KeyError:
        raise Missing("PostgreSQL refuses to run as root, and there is no user postgres") from None
    user, group = postgres.pw_uid, postgres.pw_gid
    return Account(
        {"user": user, "group": group, "extra_groups": []},
        [f"--reuid={user}", f"--regid={group}", "--clear-groups"],
    )


def _give(path: Path, account: Account) -> None:
    if account.popen:
        os.chown(path, account.popen["user"], account.popen["group"])  # type: ignore[arg-type]


@contextlib.contextmanager
def _folder(account: Account) -> Iterator[Path]:
    # Not pytest's own folder: another user may not enter that, and its path is too long for the
    # name of a Unix socket.
    with tempfile.TemporaryDirectory(prefix="hoopsnake-") as name:
        _give(Path(name), account)
        yield Path(name)


@contextlib.contextmanager
def _running(
    command_on: Callable[[int], Sequence[object]], folder: Path, account: Account
) -> Iterator[int]:
    """Run a server on a free port until the block ends; yield the port."""
    log = folder / "log"
    for _ in range(ATTEMPTS):
        port = _free_port()
        command = [*_ended_with_us(account), *map(str, command_on(port))]
        with log.open("w") as output:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            if _is_ready(process, log):
                yield port
                return
        finally:
            _end(process)
    raise AssertionError(f"{command} does not come up:\n{log.read_text()}")


def _ended_with_us(account: Account) -> list[str]:
    """Change the account, and let the kernel end the server should pytest die unexpectedly."""
    program = shutil.which("setpriv")
    if program is None:
        raise Missing("there is no setpriv on PATH (part of util-linux)")
    return [program, "--pdeathsig=INT", *account.setpriv]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _is_ready(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait for the server; False if it ends instead, as when its port was taken meanwhile.

    Both servers say so in these words. That they listen is not enough: PostgreSQL turns away who
    comes too early, and another server may listen there.
    """
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        if "eady to accept connections" in log.read_text():
            return True
        time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    # PostgreSQL takes an interrupt as a fast stop: it does not wait for its clients.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
