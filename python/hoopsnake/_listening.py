"""Opens what a server listens on, sockets that systemd passes among it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, MutableMapping

from hoopsnake._bind import Bind, parse_bind
from hoopsnake._errors import ListenError
from hoopsnake._native import ListenSockets
from hoopsnake._server_config import ServerConfig

__all__ = ["addresses_of", "open_sockets"]

# The number of the first socket that is passed (sd_listen_fds(3)).
_FIRST_PASSED = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def open_sockets(config: ServerConfig) -> ListenSockets:
    """Open all that `config` says; where it says nothing, take what systemd has passed.

    A descriptor that is named (`fd:3`) or passed is taken over: it is closed once it was
    duplicated, and left as it was if anything fails. Raises ListenError.
    """
    passed = _passed_sockets(os.environ) if _says_nothing(config) else []
    binds = passed or _binds(config)
    sockets = ListenSockets(
        binds,
        backlog=config.backlog,
        reuse_port=config.reuse_port,
        unix_mode=config.uds_permissions,
    )
    for number in {each.descriptor for each in binds if each.descriptor is not None}:
        os.close(number)
    return sockets


def addresses_of(sockets: ListenSockets, config: ServerConfig) -> tuple[str, ...]:
    """Tell where clients find these sockets: URLs, or `unix:` and a path."""
    return tuple(sockets.addresses("http" if config.ssl_certfile is None else "https"))


def _binds(config: ServerConfig) -> list[Bind]:
    if config.bind:
        return [parse_bind(each) for each in config.bind]
    if config.uds is not None:
        return [Bind(path=os.fsdecode(config.uds))]
    return [Bind(host=config.host, port=config.port)]


def _says_nothing(config: ServerConfig) -> bool:
    nothing = ServerConfig()
    return (config.bind, config.uds, config.host, config.port) == (
        *(nothing.bind, nothing.uds, nothing.host, nothing.port),
    )


def _passed_sockets(environment: MutableMapping[str, str]) -> list[Bind]:
    """Take the sockets that systemd has passed to this process, and forget that it has.

    Children must not believe that they were meant (sd_listen_fds(3), `unset_environment`).
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environment.get("LISTEN_FDS", "")
    for name in _VARIABLES:
        environment.pop(name, None)
    if not (count.isascii() and count.isdigit() and len(count) < 6):
        raise ListenError(f"LISTEN_FDS is {count!r}, which is no number of passed sockets")
    numbers = range(_FIRST_PASSED, _FIRST_PASSED + int(count))
    _close_on_exec(numbers)
    return [Bind(descriptor=number) for number in numbers]


def _close_on_exec(numbers: Iterable[int]) -> None:
    for number in numbers:
        try:
            fcntl.fcntl(number, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        except OSError:
            # Whoever opens it says what is wrong.
            return
