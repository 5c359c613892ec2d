"""What the `hoop` command accepts and how it explains itself (argparse)."""

from __future__ import annotations

import argparse
from typing import Any

from hoopsnake._cli.limit_arguments import add_limit_arguments, seconds

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "command_parser", "run_parser"]

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")

_DESCRIPTION = "Runs asyncio programs and ASGI applications on hoopsnake's event loop."

_EXAMPLES = """\
examples:
  hoop run crawl.py --depth 3           any asyncio program, unchanged
  hoop run -m shop.worker               the same for a module
  hoop serve shop.web:app               an ASGI application on http://127.0.0.1:8000
  hoop serve shop.web:create_app --factory --host 0.0.0.0 --port 80

`hoop run --help` and `hoop serve --help` tell more."""

_RUN_USAGE = """\
hoop run script.py [argument ...]
       hoop run -m module [argument ...]
       hoop run - [argument ...]"""

_RUN_DESCRIPTION = """\
Runs an asyncio program, unchanged, on hoopsnake's event loop: every `asyncio.run` in it uses
that loop. All else is as `python script.py` or `python -m module` would have it: the program is
`__main__`, and whatever follows its name belongs to the program."""

_RUN_EXAMPLES = """\
examples:
  hoop run crawl.py --depth 3           crawl.py gets `--depth 3`
  hoop run -m shop.worker --once        shop.worker gets `--once`
  echo 'print("hi")' | hoop run -       the program comes from standard input

exit status: the program's own; 2 if the command is wrong or the script cannot be opened."""

_SERVE_DESCRIPTION = """\
Serves an ASGI application: HTTP/1.1, HTTP/2, WebSocket and TLS on one Rust thread. Ctrl-C or
SIGTERM stops it: no new connections, then up to --graceful-timeout seconds for the requests under
way."""

_SERVE_EXAMPLES = """\
examples:
  hoop serve shop.web                   the attribute `app` of the module shop.web
  hoop serve shop.web:api.v2            a dotted attribute
  hoop serve shop.web:create_app --factory
  hoop serve app:app --app-dir src --port 0 --access-log
  hoop serve app:app --uds /run/shop.sock --root-path /shop
  hoop serve app:app --ssl-certfile chain.pem --ssl-keyfile key.pem

exit status: 0 after a stop that was asked for; 1 if the application or the server failed; 2 if the
command is wrong or names no application; 130 if Ctrl-C came while it was still imported."""


def command_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command."""
    parser = _Parser("hoop", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, help="print hoopsnake's version and exit"
    )
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=_Parser)
    # `run` is here for the help alone: see hoopsnake._cli.main.
    commands.add_parser("run", help="run an asyncio program", add_help=False)
    _add_serve_arguments(
        commands.add_parser(
            "serve",
            help="serve an ASGI application",
            description=_SERVE_DESCRIPTION,
            epilog=_SERVE_EXAMPLES,
        )
    )
    return parser


def run_parser() -> argparse.ArgumentParser:
    """Build what explains `hoop run`, whose arguments `hoopsnake._cli.run` splits by itself."""
    return _Parser("hoop run", usage=_RUN_USAGE, description=_RUN_DESCRIPTION, epilog=_RUN_EXAMPLES)


def _add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "application",
        metavar="APP",
        help="where the application is: `module:attribute`, the attribute may be dotted; "
        "without one it is `app`",
    )
    parser.add_argument(
        "--factory",
        action="store_true",
        help="APP is a function that takes no arguments and returns the application",
    )
    parser.add_argument(
        "--app-dir",
        metavar="DIR",
        default=".",
        help="where to look for the module first (default: the current directory)",
    )

    where = parser.add_argument_group("where to listen")
    where.add_argument("--host", help=f"address or name to listen on (default: {DEFAULT_HOST})")
    where.add_argument(
        "--port",
        type=_port,
        help=f"port to listen on; 0 picks a free one (default: {DEFAULT_PORT})",
    )
    where.add_argument(
        "--uds", metavar="PATH", help="listen on this Unix domain socket, not on a port"
    )

    _add_tls_arguments(parser.add_argument_group("TLS and HTTP/2"))
    _add_websocket_arguments(parser.add_argument_group("WebSockets"))

    how = parser.add_argument_group("how to serve")
    how.add_argument(
        "--root-path",
        metavar="PREFIX",
        type=_root_path,
        default="",
        help="path under which a proxy mounts the application, such as /shop",
    )
    how.add_argument(
        "--lifespan",
        choices=("auto", "on", "off"),
        default="auto",
        help="the application's start-up and shutdown events: required (on), never sent (off), "
        "or sent and left out if it knows none (default: auto)",
    )
    how.add_argument(
        "--graceful-timeout",
        metavar="SECONDS",
        type=seconds,
        default=10.0,
        help="how long requests under way may take after a stop was asked for (default: 10)",
    )
    how.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default="info",
        help="how much to log on standard error (default: info)",
    )
    how.add_argument(
        "--access-log",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="log a line for each request (default: off)",
    )
    add_limit_arguments(parser)


def _add_tls_arguments(tls: argparse._ArgumentGroup) -> None:
    tls.add_argument(
        "--ssl-certfile",
        metavar="PATH",
        help="serve https and wss with the certificate in this PEM file; it is read again when it "
        "changes, and on SIGHUP",
    )
    tls.add_argument(
        "--ssl-keyfile",
        metavar="PATH",
        help="PEM file with the certificate's private key (default: it is in --ssl-certfile)",
    )
    tls.add_argument(
        "--ssl-ca-certs",
        metavar="PATH",
        help="PEM file with the certificates of those who vouch for clients",
    )
    tls.add_argument(
        "--ssl-cert-reqs",
        metavar="WHETHER",
        type=_cert_reqs,
        help="whether clients must show a certificate: none, optional or required; or 0, 1, 2 as "
        "Python's ssl module numbers them (default: required with --ssl-ca-certs)",
    )
    tls.add_argument(
        "--handshake-timeout",
        metavar="SECONDS",
        type=seconds,
        default=10.0,
        help="how long a client may take for its TLS handshake or its first bytes (default: 10)",
    )
    tls.add_argument(
        "--http2",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="speak HTTP/2 with clients that do, with and without TLS (default: on)",
    )
    tls.add_argument(
        "--h2-max-concurrent-streams",
        metavar="COUNT",
        type=_count,
        default=128,
        help="how many requests one HTTP/2 connection may have under way (default: 128)",
    )
    tls.add_argument(
        "--h2-ping-interval",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="how long an HTTP/2 client may be silent before it is sent a ping; 0 sends none "
        "(default: 30)",
    )
    tls.add_argument(
        "--h2-ping-timeout",
        metavar="SECONDS",
        type=seconds,
        default=20.0,
        help="how long it has to answer before its connection is closed (default: 20)",
    )


def _add_websocket_arguments(websockets: argparse._ArgumentGroup) -> None:
    websockets.add_argument(
        "--ws-max-size",
        metavar="BYTES",
        type=_count,
        default=16 * 1024 * 1024,
        help="largest message that is taken, inflated (default: 16777216)",
    )
    websockets.add_argument(
        "--ws-per-message-deflate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compress messages for clients that offer it (default: on)",
    )
    websockets.add_argument(
        "--ws-ping-interval",
        metavar="SECONDS",
        type=seconds,
        default=20.0,
        help="how long a client may be silent before it is sent a ping; 0 sends none (default: 20)",
    )
    websockets.add_argument(
        "--ws-ping-timeout",
        metavar="SECONDS",
        type=seconds,
        default=20.0,
        help="how long it may stay silent then; 0 never gives it up (default: 20)",
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _cert_reqs(text: str) -> str:
    names = ("none", "optional", "required")
    if text in names:
        return text
    if text in ("0", "1", "2"):
        return names[int(text)]
    raise argparse.ArgumentTypeError(f"{text!r} is not none, optional or required")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


def _root_path(text: str) -> str:
    if text and not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} must begin with a slash")
    return text.rstrip("/")


class _Parser(argparse.ArgumentParser):
    """A parser that keeps our line breaks and takes no abbreviated options."""

    def __init__(self, prog: str | None = None, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog, allow_abbrev=False, **options)


class _PrintVersion(argparse.Action):
    """Prints the version, looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import platform

        import hoopsnake

        python = f"{platform.python_implementation()} {platform.python_version()}"
        print(f"hoop {hoopsnake.__version__} ({python})")
        parser.exit()
