"""The `hoop` command: picks the subcommand, and imports no more than that one needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

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

    from hoopsnake._cli.arguments import command_parser

    parser = command_parser()
    chosen = parser.parse_args(given)
    if chosen.command == "serve":
        from hoopsnake._cli.serve import serve_command

        return serve_command(chosen)
    parser.print_help(sys.stderr)
    return 2
