"""The options of `hoop serve`: one table for the command line, the environment and hoop.toml."""

from __future__ import annotations

import re
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, NamedTuple

from hoopsnake._bind import parse_bind
from hoopsnake._cli.option_kinds import (
    AMOUNT,
    COUNT,
    FLAG,
    PATH,
    PORT,
    SECONDS,
    SIZE,
    TEXT,
    Kind,
    choice,
    list_of,
    optional,
    translated,
)
from hoopsnake._server_config import ServerConfig
from hoopsnake._server_limits import ServerLimits
from hoopsnake._workers.config import WorkerConfig

__all__ = ["GROUPS", "ApplicationSource", "Group", "Option", "all_options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSource:
    """Where the application is found, and what its process is prepared with."""

    app: str | None = None
    """Its import string, `module:attribute`."""
    factory: bool = False
    """Whether that is a function that makes the application."""
    app_dir: str = "."
    """Where modules are looked for first."""
    gc_threshold: int = 10_000
    """New objects after which Python looks for cycles that are garbage; 0 leaves it alone."""


class Option(NamedTuple):
    """A setting: `--name` with dashes, HOOP_NAME in capitals, `name` in a file's table `serve`."""

    name: str
    """The field of its owner."""
    kind: Kind
    """What its value may be."""
    help: str
    """What it is for, in a few words; the default is added."""

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"HOOP_{self.name.upper()}"


class Group(NamedTuple):
    """Options that belong together."""

    title: str
    owner: type[Any]
    """The dataclass that has their defaults, and takes what was chosen."""
    options: tuple[Option, ...]
    description: str | None = None

    def default(self, option: Option) -> Any:
        """Look up what holds where nobody says anything."""
        field: Field[Any] = next(each for each in fields(self.owner) if each.name == option.name)
        return field.default_factory() if field.default_factory is not MISSING else field.default


def _root_path(text: str) -> str:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} must begin with a slash")
    return text.rstrip("/")


def _cert_reqs(text: str) -> str:
    names = ("none", "optional", "required")
    if text in names:
        return text
    if text in ("0", "1", "2"):
        return names[int(text)]
    raise ValueError(f"{text!r} is not none, optional or required")


def _bind(text: str) -> str:
    parse_bind(text)
    return text


def _mode(text: str) -> int:
    if not re.fullmatch("(0o?)?[0-7]{1,3}", text):
        raise ValueError(f"{text!r} is no access mode in octal, such as 660")
    return int(text.removeprefix("0o"), 8)


def _threshold(text: str) -> int:
    count: int = AMOUNT.read(text)
    if count >= 2**31:
        raise ValueError(f"{text} is more than Python's collector can count")
    return count


_MODE = Kind("MODE", _mode, "{:o}".format, is_octal=True)


def _mount(text: str) -> tuple[str, str]:
    prefix, _, folder = text.partition("=")
    # With its slash a prefix stays what it is where the paths of a settings file are made absolute.
    if not (prefix.startswith("/") and folder):
        raise ValueError(f"{text!r} is not a prefix and a folder, such as /assets=dist")
    return prefix, folder


_LEVELS = choice("critical", "error", "warning", "info", "debug")

_APPLICATION = (
    # `app` is the one that has no dashes: it stands by itself on the command line.
    Option(
        "app",
        Kind("APP", str),
        "where the application is: `module:attribute`, the attribute may be dotted; without one "
        "it is `app`",
    ),
    Option(
        "factory", FLAG, "APP is a function that takes no arguments and returns the application"
    ),
    Option("app_dir", PATH, "where to look for the module first"),
    Option(
        "gc_threshold",
        AMOUNT._replace(read=_threshold),
        "new objects after which Python looks for cyclic garbage, unless the application sets "
        "that; 0 leaves its collector alone",
    ),
)

_LISTENING = (
    Option("host", TEXT, "address or name to listen on"),
    Option("port", PORT, "port to listen on; 0 picks a free one"),
    Option("uds", PATH, "listen on this Unix domain socket, not on a port"),
    Option(
        "bind",
        list_of(Kind("WHERE", _bind, is_place=True)),
        "listen there, not at --host and --port: HOST:PORT, [::1]:PORT, unix:PATH, or fd:NUMBER "
        "for an inherited socket; may be repeated",
    ),
    Option(
        "uds_permissions",
        _MODE,
        "access mode of the files of Unix sockets, in octal, such as 660",
    ),
    Option("reuse_port", FLAG, "let other processes listen on the same ports (SO_REUSEPORT)"),
    Option("backlog", COUNT, "connections that the system may keep waiting to be accepted"),
)

_TLS = (
    Option(
        "ssl_certfile",
        PATH,
        "serve https and wss with the certificate in this PEM file; it is read again when it "
        "changes, and on SIGHUP",
    ),
    Option(
        "ssl_keyfile",
        PATH,
        "PEM file with the certificate's private key (default: it is in --ssl-certfile)",
    ),
    Option("ssl_ca_certs", PATH, "PEM file with the certificates of those who vouch for clients"),
    Option(
        "ssl_cert_reqs",
        translated("WHETHER", _cert_reqs),
        "whether clients must show a certificate: none, optional or required; or 0, 1, 2 as "
        "Python's ssl module numbers them (default: required with --ssl-ca-certs)",
    ),
    Option(
        "handshake_timeout",
        SECONDS,
        "how long a client may take for its TLS handshake or its first bytes",
    ),
    Option("http2", FLAG, "speak HTTP/2 with clients that do, with and without TLS"),
    Option(
        "h2_max_concurrent_streams",
        COUNT,
        "how many requests one HTTP/2 connection may have under way",
    ),
    Option(
        "h2_ping_interval",
        optional(SECONDS),
        "how long an HTTP/2 client may be silent before it is sent a ping; 0 sends none",
    ),
    Option(
        "h2_ping_timeout",
        SECONDS,
        "how long it has to answer before its connection is closed",
    ),
)

_WEBSOCKETS = (
    Option("ws_max_size", SIZE, "largest message that is taken, inflated"),
    Option("ws_per_message_deflate", FLAG, "compress messages for clients that offer it"),
    Option(
        "ws_ping_interval",
        optional(SECONDS),
        "how long a client may be silent before it is sent a ping; 0 sends none",
    ),
    Option(
        "ws_ping_timeout",
        optional(SECONDS),
        "how long it may stay silent then; 0 never gives it up",
    ),
)

_SERVING = (
    Option(
        "interface",
        choice("auto", "asgi", "wsgi"),
        "what the application speaks; auto: an async callable and one that takes three arguments "
        "is ASGI, one that takes two is WSGI",
    ),
    Option(
        "wsgi_threads",
        optional(AMOUNT),
        "requests that a WSGI application works on at once; 0: four more than there are "
        "processors, 32 at most",
    ),
    Option(
        "root_path",
        translated("PREFIX", _root_path),
        "path under which a proxy mounts the application, such as /shop",
    ),
    Option(
        "lifespan",
        choice("auto", "on", "off"),
        "the application's start-up and shutdown events: required (on), never sent (off), or "
        "sent and left out if it knows none",
    ),
    Option(
        "graceful_timeout",
        SECONDS,
        "how long requests under way may take after a stop was asked for",
    ),
)

_WORKERS = (
    Option(
        "workers",
        optional(AMOUNT),
        "processes that serve, under a supervisor that keeps them; SIGHUP reloads without losing "
        "a request; 0 serves in the command's own process",
    ),
    Option("max_requests", optional(AMOUNT), "requests after which a worker is replaced; 0: never"),
    Option("max_requests_jitter", AMOUNT, "up to so many more, at random"),
    Option("worker_lifetime", optional(SECONDS), "time after which a worker is replaced; 0: never"),
    Option("worker_lifetime_jitter", SECONDS, "up to so much more, at random"),
    Option("worker_memory", optional(SIZE), "resident memory with which a worker is replaced"),
    Option(
        "worker_silence",
        SECONDS,
        "how long a worker's loop may stand still before its stack is logged",
    ),
    Option(
        "worker_stuck_timeout",
        optional(SECONDS),
        "how long it may stand still before the worker is killed; 0: for ever",
    ),
)

_RELOADING = (
    Option("reload", FLAG, "start the application anew when its files change, for development"),
    Option(
        "reload_dir",
        list_of(PATH),
        "folder to watch; may be repeated (default: the one of --app-dir)",
    ),
    Option(
        "reload_include",
        list_of(TEXT),
        "pattern of files to watch, such as *.html; may be repeated",
    ),
    Option(
        "reload_exclude",
        list_of(TEXT),
        "pattern of files and folders not to watch; may be repeated",
    ),
)

_LOGS = (
    Option("log_level", _LEVELS, "how much to log on standard error"),
    Option("log_format", choice("text", "json"), "lines for people, or one JSON object a line"),
    Option("access_log", FLAG, "log a line for each request"),
    Option(
        "request_id_header",
        TEXT,
        "header that has a request's id, such as X-Request-ID: taken over from trusted proxies, "
        "else made, and logged",
    ),
)

_PROXIES = (
    Option(
        "forwarded_allow_ips",
        list_of(TEXT),
        "proxies whose word about clients counts: an address, a network, unix, or * for all",
    ),
    Option(
        "forwarded_header",
        choice("x-forwarded-for", "forwarded"),
        "which headers they write; the others are not read",
    ),
    Option(
        "forwarded_parts",
        list_of(choice("for", "proto", "host", "port", "prefix")),
        "what is believed of them",
    ),
)

_OPERATIONS = (
    Option(
        "admin",
        Kind("WHERE", str, is_place=True),
        "HOST:PORT or unix:PATH where /metrics, /health/live and /health/ready are",
    ),
    Option(
        "shutdown_delay",
        SECONDS,
        "how long /health/ready says no before a stop begins",
    ),
)

_CONTENTS = (
    Option(
        "static",
        list_of(Kind("PREFIX=DIR", _mount, "=".join, is_path=True)),
        "answer requests below a path with the files of a folder, without asking the application; "
        "may be repeated",
    ),
    Option("static_cache_control", TEXT, "Cache-Control of those files, such as max-age=3600"),
    Option("static_index", TEXT, 'file that answers for its folder; "" for none'),
    Option("static_hidden", FLAG, "serve files whose names begin with a dot too"),
    Option(
        "static_precompressed",
        FLAG,
        "answer for FILE with FILE.br, FILE.zst or FILE.gz where the client takes it",
    ),
    Option("static_memory", SIZE, "how much of small files may be kept in memory; 0 keeps none"),
    Option(
        "compress",
        list_of(choice("zstd", "br", "gzip")),
        "compress what the application sends, for clients that take it, the best first; read about "
        "secrets in compressed pages before (docs/guide/static-files.md)",
    ),
    Option("compress_min_size", SIZE, "smallest body that is compressed"),
    Option("compress_zstd_level", COUNT, "effort of zstd, 1 to 19"),
    Option("compress_br_level", AMOUNT, "effort of br, 0 to 11"),
    Option("compress_gzip_level", COUNT, "effort of gzip, 1 to 9"),
)

_LIMITS = (
    Option("header_timeout", SECONDS, "time for a request's head to arrive, else 408"),
    Option("keep_alive_timeout", SECONDS, "time from a response to the next request"),
    Option("body_rate", SIZE, "bytes a second at which a body has to arrive, else 408"),
    Option("body_grace", SECONDS, "time before --body-rate is asked for"),
    Option("send_timeout", SECONDS, "time for which a client may take nothing of a response"),
    Option(
        "response_timeout",
        SECONDS,
        "time for the application to begin a response, else 504 and its task is cancelled",
    ),
    Option("body_size", SIZE, "largest body of a request, else 413"),
    Option("head_size", SIZE, "largest head of a request, else 431"),
    Option("header_count", AMOUNT, "most headers of a request, else 431"),
    Option("target_size", SIZE, "longest path and query, else 414"),
    Option(
        "pipelined_requests",
        AMOUNT,
        "requests of one connection that may be there before the first is answered",
    ),
    Option("connections", AMOUNT, "open connections; idle ones make room for new ones"),
    Option("concurrency", AMOUNT, "requests at work in the application, else they wait"),
    Option("queue", AMOUNT, "requests that wait for --concurrency, else 503; 0: none waits"),
)

GROUPS = (
    Group("the application", ApplicationSource, _APPLICATION),
    Group("where to listen", ServerConfig, _LISTENING),
    Group("TLS and HTTP/2", ServerConfig, _TLS),
    Group("WebSockets", ServerConfig, _WEBSOCKETS),
    Group("how to serve", ServerConfig, _SERVING),
    Group("worker processes", WorkerConfig, _WORKERS),
    Group("reloading", WorkerConfig, _RELOADING),
    Group("files and compression", ServerConfig, _CONTENTS),
    Group("logs", ServerConfig, _LOGS),
    Group("proxies in front", ServerConfig, _PROXIES),
    Group("operations", ServerConfig, _OPERATIONS),
    Group("what clients may have", ServerLimits, _LIMITS, "0 takes a limit away."),
)


def all_options() -> dict[str, tuple[Group, Option]]:
    """Return every option by its name, in the order of the help."""
    return {option.name: (group, option) for group in GROUPS for option in group.options}
