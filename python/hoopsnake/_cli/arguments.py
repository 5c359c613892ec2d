"""What the `hoop` command accepts and how it explains itself (argparse)."""

from __future__ import annotations

import argparse
from typing import Any

from hoopsnake._cli.application import add_application_arguments
from hoopsnake._cli.argument_reader import argument_reader
from hoopsnake._cli.options import GROUPS, Group, Option
from hoopsnake._cli.settings import CONFIG_VARIABLE

__all__ = ["command_parser", "fetch_parser", "run_parser"]

_DESCRIPTION = """\
Runs asyncio programs and web applications on hoopsnake's event loop, and fetches what others
serve."""

_EXAMPLES = """\
examples:
  hoop run crawl.py --depth 3           any asyncio program, unchanged
  hoop run -m shop.worker               the same for a module
  hoop serve shop.web:app               an application on http://127.0.0.1:8000
  hoop serve shop.web:create_app --factory --host 0.0.0.0 --port 80
  hoop new shop                         a small project, to begin with
  hoop dev shop.web:app                 served anew on changes, its errors shown
  hoop fetch - < urls.txt               many URLs at once, a line of JSON for each

`hoop COMMAND --help` tells more."""

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
Serves an ASGI or WSGI application: HTTP/1.1, HTTP/2, WebSocket and TLS on one Rust thread. Ctrl-C
or SIGTERM stops it: no new connections, then up to --graceful-timeout seconds for the requests
under way."""

_SERVE_EXAMPLES = """\
examples:
  hoop serve shop.web                   the attribute `app` of the module shop.web
  hoop serve shop.web:api.v2            a dotted attribute
  hoop serve shop.web:create_app --factory
  hoop serve app:app --app-dir src --port 0 --access-log
  hoop serve app:app --uds /run/shop.sock --root-path /shop
  hoop serve app:app --bind 0.0.0.0:80 --bind '[::]:80' --workers 4
  hoop serve app:app --reload
  hoop serve app:app --ssl-certfile chain.pem --ssl-keyfile key.pem
  hoop serve --config hoop.toml --print-config

exit status: 0 after a stop that was asked for; 1 if the application or the server failed; 2 if the
command is wrong or names no application; 130 if Ctrl-C came while it was still imported."""

_DEV_DESCRIPTION = """\
Serves an application while it is written, as `hoop serve --reload` does, and answers a request that
fails with a page that shows where: the frames, the source and the request. It is for the
developer's own machine. All options are those of `hoop serve`."""

_DEV_EXAMPLES = """\
examples:
  hoop dev shop.web                     on http://127.0.0.1:8000, anew after each change
  hoop dev shop.web:app --port 9000 --reload-include '*.html' --reload-include '*.py'
  hoop dev shop.web:app --no-reload     with its page, but never anew

exit status: as of `hoop serve`."""

_NEW_DESCRIPTION = """\
Makes a folder with a small web application on hoopsnake.web, its tests, a pyproject.toml, a README
and a Dockerfile. A folder that is there already is left alone."""

_OPENAPI_DESCRIPTION = """\
Prints the OpenAPI document of an application, the same for the same routes: for a client that is
made of it, or to see what a change has changed."""

_ROUTES_DESCRIPTION = """\
Prints the routes of a hoopsnake.web application, in the order in which they are tried: methods,
path, name, handler, and what is called before it."""


def command_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command."""
    parser = _Parser("hoop", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, help="print hoopsnake's version and exit"
    )
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=_Parser)
    # These are here for the help alone: see hoopsnake._cli.main.
    commands.add_parser("run", help="run an asyncio program", add_help=False)
    commands.add_parser("fetch", help="fetch many URLs, a line of JSON for each", add_help=False)
    _add_serve_arguments(
        commands.add_parser(
            "serve",
            help="serve an ASGI or WSGI application",
            usage="hoop serve [option ...] [APP]",
            description=_SERVE_DESCRIPTION,
            epilog=_SERVE_EXAMPLES,
        )
    )
    _add_serve_arguments(
        commands.add_parser(
            "dev",
            help="serve an application while it is written",
            usage="hoop dev [option ...] [APP]",
            description=_DEV_DESCRIPTION,
            epilog=_DEV_EXAMPLES,
        )
    )
    _add_lesser_commands(commands)
    return parser


def _add_lesser_commands(commands: argparse._SubParsersAction[_Parser]) -> None:
    new = commands.add_parser("new", help="make a small project", description=_NEW_DESCRIPTION)
    new.add_argument(
        "name", metavar="NAME", help="of the project and its folder, such as corner-shop"
    )
    openapi = commands.add_parser(
        "openapi", help="print an application's OpenAPI", description=_OPENAPI_DESCRIPTION
    )
    add_application_arguments(openapi)
    openapi.add_argument("--output", metavar="PATH", help="write it there, not to standard output")
    routes = commands.add_parser(
        "routes", help="print an application's routes", description=_ROUTES_DESCRIPTION
    )
    add_application_arguments(routes)
    routes.add_argument("--json", action="store_true", help="print JSON")


def run_parser() -> argparse.ArgumentParser:
    """Build what explains `hoop run`, whose arguments `hoopsnake._cli.run` splits by itself."""
    return _Parser("hoop run", usage=_RUN_USAGE, description=_RUN_DESCRIPTION, epilog=_RUN_EXAMPLES)


def fetch_parser() -> argparse.ArgumentParser:
    """Build the parser of `hoop fetch`, whose URLs may stand between its options."""
    from hoopsnake._fetch.options import DESCRIPTION, EXAMPLES, add_fetch_arguments

    usage = "hoop fetch [option ...] URL ..."
    parser = _Parser("hoop fetch", usage=usage, description=DESCRIPTION, epilog=EXAMPLES)
    add_fetch_arguments(parser)
    return parser


def _add_serve_arguments(parser: argparse.ArgumentParser) -> None:
    for group in GROUPS:
        section = parser.add_argument_group(group.title, group.description)
        for option in group.options:
            _add_option(section, group, option)
    settings = parser.add_argument_group("settings")
    settings.add_argument(
        "--config",
        metavar="PATH",
        default=argparse.SUPPRESS,
        help='a TOML file with settings: `body_size = "10M"` in its table [serve] is --body-size '
        "10M; so is HOOP_BODY_SIZE=10M in the environment. The command line counts before the "
        f"environment, that before the file (default: {CONFIG_VARIABLE}, if it is set)",
    )
    settings.add_argument(
        "--print-config",
        action="store_true",
        help="print all settings as such a file, and who said what, and exit",
    )


def _add_option(section: argparse._ArgumentGroup, group: Group, option: Option) -> None:
    """Add an option that leaves no trace where it is not given: other sources may have it."""
    kind = option.kind
    taken: dict[str, Any] = {"default": argparse.SUPPRESS, "help": _explanation(group, option)}
    if kind.is_flag:
        # A switch that is off by itself needs no second name to stay so, but a file may say "on".
        section.add_argument(option.flag, action=argparse.BooleanOptionalAction, **taken)
        return
    taken |= {"metavar": kind.metavar, "type": argument_reader(kind)}
    if kind.is_list:
        taken["action"] = "extend"
    if option.name == "app":
        section.add_argument(option.name, nargs="?", **taken)
    else:
        section.add_argument(option.flag, **taken)


def _explanation(group: Group, option: Option) -> str:
    default = group.default(option)
    if default in (None, "", ()) or "(default:" in option.help:
        return option.help
    return f"{option.help} (default: {option.kind.write(default)})".replace("%", "%%")


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
