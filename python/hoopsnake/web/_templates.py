"""Pages made of Jinja2 templates."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from hoopsnake.web._errors import WebError
from hoopsnake.web._request import Request
from hoopsnake.web._responses import HTMLResponse

__all__ = ["TemplateResponse", "Templates"]

ContextProcessor = Callable[[Request], Mapping[str, Any]]


class TemplateResponse(HTMLResponse):
    """A page, and what it was made of: `template` and `context`, for tests."""

    template: Any
    context: dict[str, Any]


class Templates:
    """Templates of a folder, or of several: the first that has one counts.

    Values are escaped in `.html`, `.htm` and `.xml` templates. Templates know `request`,
    `url_for('route', number=1)`, which is a path without a host, and what the
    `context_processors` return. `options` are those of `jinja2.Environment`; or `env` is one.
    Raises WebError if Jinja2 is not installed.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        *,
        context_processors: Sequence[ContextProcessor] = (),
        env: Any = None,
        **options: Any,
    ) -> None:
        jinja2 = _jinja2()
        if (directory is None) is (env is None):
            raise WebError("templates come from a directory, or from an env: one of the two")
        if env is None:
            options.setdefault("loader", jinja2.FileSystemLoader(directory))
            options.setdefault("autoescape", jinja2.select_autoescape())
            env = jinja2.Environment(**options)
        self.env: Any = env
        self._processors = tuple(context_processors)

        def url_for(context: Mapping[str, Any], name: str, /, **parameters: Any) -> str:
            request: Request = context["request"]
            return request.url_path_for(name, **parameters)

        self.env.globals.setdefault("url_for", jinja2.pass_context(url_for))

    def response(
        self,
        request: Request,
        name: str,
        context: Mapping[str, Any] | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> TemplateResponse:
        """Make a page of a template; raises what Jinja2 raises, such as TemplateNotFound."""
        known: dict[str, Any] = {"request": request}
        for each in self._processors:
            known.update(each(request))
        known.update(context or {})
        template = self.env.get_template(name)
        page = TemplateResponse(
            template.render(known), status_code, headers, media_type, background
        )
        page.template, page.context = template, known
        return page

    TemplateResponse = response


def _jinja2() -> Any:
    try:
        return import_module("jinja2")
    except ImportError:
        raise WebError(
            "templates are made by Jinja2, which is not installed: pip install jinja2"
        ) from None
