"""The `hoop` command: picks the subcommand, and imports no more than that one needs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `hoop` command and return the status that the process should exit with.

    `arguments` are those after the command's name; without them, `sys.argv` has them. What the
    user's program raises, `SystemExit` and `KeyboardInterrupt` included, goes through to the
    interpreter, which ends the process as it would have ended it without us.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)

    # `run` is split by hand, before argparse sees anything: what follows the program's name is the
    # program's own, whatever it looks like, and argparse would take `--help` and `-m` out of it.
    if given[:1] == ["run"]:
        from hoopsnake._cli.run import run_command

        return run_command(given[1:])

    # argparse has no subcommand whose arguments stand between its options.
    if given[:1] == ["fetch"]:
        from hoopsnake._cli.arguments import fetch_parser

        chosen_urls = fetch_parser().parse_intermixed_args(given[1:])
        from hoopsnake._fetch.command import fetch_command

        return fetch_command(chosen_urls)

    if given[:1] == ["serve"]:
        with _uncollected():
            from hoopsnake._cli.late_modules import put_off_ssl

            put_off_ssl()
            from hoopsnake._cli.plain_line import read_plainly
            from hoopsnake._cli.serve import serve_command

        chosen = read_plainly(given[1:])
        if chosen is not None:
            return serve_command(chosen)

    from hoopsnake._cli.arguments import command_parser

    parser = command_parser()
    parsed = parser.parse_args(given)
    if parsed.command == "serve":
        from hoopsnake._cli.serve import serve_command

        return serve_command(vars(parsed))
    if parsed.command == "dev":
        from hoopsnake._cli.dev import dev_command

        return dev_command(vars(parsed))
    if parsed.command == "new":
        from hoopsnake._cli.new import new_command

        return new_command(parsed)
    if parsed.command == "openapi":
        from hoopsnake._cli.openapi import openapi_command

        return openapi_command(parsed)
    if parsed.command == "routes":
        from hoopsnake._cli.routes import routes_command

        return routes_command(parsed)
    parser.print_help(sys.stderr)
    return 2


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector of cycles off modules that are being loaded: there is no garbage there."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()
