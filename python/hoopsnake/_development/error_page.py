"""The page that a developer sees instead of a 500: frames, source and request."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Any

from hoopsnake._development.frames import Failure, Frame, Relation, failures

__all__ = ["error_page", "error_text"]

# What is nobody's business, not even over a developer's shoulder.
_SECRET = ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-csrf-token")

_RELATIONS: dict[Relation, str] = {
    "": "",
    "cause": "It was caused by",
    "context": "It came up while this was handled",
    "member": "One of the group",
}

_FOOT = "Shown by <code>hoop dev</code>. <code>hoop serve</code> answers with a bare 500 instead."


def error_text(error: BaseException) -> str:
    """Write an exception for a client that does not read HTML: Python's own traceback."""
    return "".join(traceback.format_exception(error))


def error_page(error: BaseException, scope: dict[str, Any]) -> str:
    """Write the page for an exception that a request's application has raised."""
    told = list(failures(error))
    style = files("hoopsnake._development").joinpath("style.css").read_text("utf-8")
    title = escape(f"{told[0].kind}: {told[0].message}" if told[0].message else told[0].kind)
    request = f"{scope.get('method', '')} {_target(scope)}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title[:200]}</title><style>{style}</style></head><body>"
        f'<header><p class="request">{escape(request)}</p>{_heading(told[0])}</header><main>'
        + "".join(_section(each, is_first=not number) for number, each in enumerate(told))
        + _request(scope)
        + f"<details><summary>As text</summary><pre>{escape(error_text(error))}</pre></details>"
        + f"</main><footer>{_FOOT}</footer></body></html>\n"
    )


def _heading(failure: Failure) -> str:
    message = f'<p class="message">{escape(failure.message)}</p>' if failure.message else ""
    notes = "".join(f'<p class="note">{escape(each)}</p>' for each in failure.notes)
    return f"<h1>{escape(failure.kind)}</h1>{message}{notes}"


def _section(failure: Failure, *, is_first: bool) -> str:
    heading = ""
    if not is_first:
        heading = f'<p class="relation">{_RELATIONS[failure.relation]}</p>{_heading(failure)}'
        heading = heading.replace("h1>", "h2>")
    return f"<section>{heading}{''.join(_gathered(failure.frames))}</section>"


def _gathered(frames: tuple[Frame, ...]) -> Iterable[str]:
    """Show the application's frames, the innermost first; those of libraries between are folded."""
    has_own = any(each.is_own for each in frames)
    folded: list[Frame] = []
    shown_open = False
    for each in reversed(frames):
        if has_own and not each.is_own:
            folded.append(each)
            continue
        yield from _folded(folded)
        folded = []
        yield _frame(each, is_open=not shown_open or each.is_own)
        shown_open = True
    yield from _folded(folded)


def _folded(frames: list[Frame]) -> Iterable[str]:
    if frames:
        count = f"{len(frames)} frame{'s' if len(frames) > 1 else ''} of libraries"
        inner = "".join(_frame(each, is_open=False) for each in frames)
        yield f'<details class="folded"><summary>{count}</summary>{inner}</details>'


def _frame(frame: Frame, *, is_open: bool) -> str:
    lines = "".join(
        f'<span class="line{" at-work" if each.is_at_work else ""}">'
        f"<i>{each.number}</i>{escape(each.text)}\n</span>"
        for each in frame.lines
    )
    source = f"<pre>{lines}</pre>" if lines else '<p class="note">Its source is not to be had.</p>'
    return (
        f'<details class="frame"{" open" if is_open else ""}>'
        f"<summary><b>{escape(frame.function)}</b> "
        f"<span>{escape(frame.path)}:{frame.number}</span></summary>{source}</details>"
    )


def _request(scope: dict[str, Any]) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    client = scope.get("client")
    rows = [
        ("method", str(scope.get("method", ""))),
        ("path", str(scope.get("path", ""))),
        ("query", query),
        ("client", client[0] if client else ""),
        ("HTTP", str(scope.get("http_version", ""))),
    ]
    rows += [
        (name.decode("latin-1"), _shown(name.decode("latin-1"), value.decode("latin-1")))
        for name, value in scope.get("headers", ())
    ]
    cells = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows if text
    )
    return f"<section><h2>The request</h2><dl>{cells}</dl></section>"


def _shown(name: str, value: str) -> str:
    return f"({len(value)} characters, hidden)" if name.lower() in _SECRET else value


def _target(scope: dict[str, Any]) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    return str(scope.get("path", "")) + (f"?{query}" if query else "")
