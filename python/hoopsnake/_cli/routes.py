"""`hoop routes`: what an application answers, as a table or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from hoopsnake._cli.application import loaded
from hoopsnake._cli.complaint import complain
from hoopsnake._import_string import ImportStringError

__all__ = ["routes_command"]


@dataclass(frozen=True, slots=True)
class _Row:
    methods: list[str]
    path: str
    name: str
    handler: str
    dependencies: list[str]


_HEADINGS = ("METHODS", "PATH", "NAME", "HANDLER", "DEPENDENCIES")


def routes_command(chosen: argparse.Namespace) -> int:
    """Print the routes in the order in which they are tried."""
    try:
        application = loaded(chosen)
    except ImportStringError as error:
        return complain(str(error), exit_status=2)
    # Only here: the framework is for those who have it.
    from hoopsnake.web import App, WebError

    if not isinstance(application, App):
        kind = type(application)
        return complain(
            f"'{chosen.app}' is a {kind.__module__}.{kind.__qualname__}, whose routes are not "
            "known: those of a hoopsnake.web.App are",
            exit_status=2,
        )
    try:
        rows = list(_rows(application))
    except WebError as error:
        return complain(str(error), exit_status=1)
    if chosen.json:
        print(json.dumps([asdict(each) for each in rows], ensure_ascii=False, indent=2))
    else:
        print(_table(rows))
    return 0


def _rows(application: object) -> Iterable[_Row]:
    from hoopsnake.web._app import App
    from hoopsnake.web._routing import Mount, Route
    from hoopsnake.web._signature import named

    assert isinstance(application, App)
    for each in application.routes:
        if isinstance(each, Mount):
            kind = f"{type(each.app).__module__}.{type(each.app).__qualname__}"
            yield _Row(["MOUNT"], f"{each.path}/*", each.name, kind, [])
            continue
        methods = list(each.methods) if isinstance(each, Route) else ["WEBSOCKET"]
        dependencies = list(
            dict.fromkeys(_dependencies(each.path, each.handler, each.dependencies))
        )
        yield _Row(methods, each.path, each.name, named(each.handler), dependencies)


def _dependencies(path: str, handler: object, extra: Iterable[object]) -> Iterable[str]:
    """Name what a handler depends on, in the order of the calls."""
    from hoopsnake._native import Routes
    from hoopsnake.web._parameters import Depends
    from hoopsnake.web._signature import named, read_signature

    path_names = Routes.path_names(path)

    def below(call: object) -> Iterable[str]:
        assert callable(call)
        for parameter in read_signature(call, path_names).parameters:
            if isinstance(parameter.marker, Depends):
                yield from named_with_its_own(parameter.marker.dependency or parameter.annotation)

    def named_with_its_own(call: object) -> Iterable[str]:
        assert callable(call)
        yield from below(call)
        yield named(call)

    for each in extra:
        if isinstance(each, Depends) and each.dependency is not None:
            yield from named_with_its_own(each.dependency)
    yield from below(handler)


def _table(rows: Sequence[_Row]) -> str:
    cells = [_HEADINGS] + [
        (",".join(each.methods), each.path, each.name, each.handler, ", ".join(each.dependencies))
        for each in rows
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
