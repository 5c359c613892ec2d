"""`hoop run`: any asyncio program, unchanged, on hoopsnake's loop."""

from __future__ import annotations

from typing import NoReturn

import hoopsnake
from hoopsnake._cli.complaint import complain
from hoopsnake._cli.program import Program, ProgramError, module_program, script_program
from hoopsnake._cli.tracebacks import leave_with_own_frames

__all__ = ["run_command"]


def run_command(arguments: list[str]) -> int:
    """Run the program that `arguments` name; they begin after the word `run`."""
    kind, name, rest = _split(arguments)
    # Before the program is looked for: finding a module imports the packages around it, and they
    # may make a loop already.
    hoopsnake.install()
    try:
        program = _load(kind, name, rest)
        program.run()
    except ProgramError as error:
        return complain(str(error), exit_status=error.exit_status)
    except BaseException as error:
        leave_with_own_frames(error)
    return 0


def _load(kind: str, name: str, arguments: list[str]) -> Program:
    if kind == "module":
        return module_program(name, arguments)
    return script_program(name, arguments)


def _split(arguments: list[str]) -> tuple[str, str, list[str]]:
    """Part our own arguments from the program's: which kind, its name, and what it is given."""
    first, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if first == "-m" and rest:
        return "module", rest[0], rest[1:]
    if first.startswith("-m") and len(first) > 2:
        return "module", first[2:], rest
    if first == "--" and rest:
        return "script", rest[0], rest[1:]
    if first == "-" or (first and not first.startswith("-")):
        return "script", first, rest
    _explain(first)


def _explain(first: str) -> NoReturn:
    """Print the help that was asked for, or what is wrong with a command that names no program."""
    from hoopsnake._cli.arguments import run_parser

    parser = run_parser()
    if first in ("-h", "--help"):
        parser.print_help()
        parser.exit()
    if first == "-m":
        parser.error("-m wants the name of a module")
    if first in ("", "--"):
        parser.error("name the script or the module to run")
    parser.error(f"unknown option {first} (the program's own options come after its name)")
