"""The OpenAPI document, and the pages that show it: /openapi.json, /docs and /redoc.

All that they load comes from here (`assets/`, which scripts/fetch-docs-assets writes), and their
Content-Security-Policy lets them load nothing else.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hoopsnake.web._errors import HTTPException
from hoopsnake.web._request import Request
from hoopsnake.web._responses import HTMLResponse, Response
from hoopsnake.web._routing import Route

if TYPE_CHECKING:
    from hoopsnake.web._app import App

__all__ = ["Pages"]

_JAVASCRIPT, _CSS = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
_ASSETS = {
    "swagger-ui-bundle.js": _JAVASCRIPT,
    "swagger-ui.css": _CSS,
    "swagger-start.js": _JAVASCRIPT,
    "oauth2-redirect.js": _JAVASCRIPT,
    "redoc.standalone.js": _JAVASCRIPT,
    "redoc-start.js": _JAVASCRIPT,
}

# A year, which is as long as is sensible (RFC 2616 section 14.21 said so).
_FOREVER = "public, max-age=31536000, immutable"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
{head}
</head>
<body>
{body}
</body>
</html>
"""


@dataclass(slots=True)
class Pages:
    """Which pages an application has (None: not that one), and how they start."""

    openapi_url: str | None
    docs_url: str | None
    redoc_url: str | None
    oauth2_redirect_url: str | None
    swagger_parameters: Mapping[str, Any] = field(default_factory=dict)
    swagger_oauth: Mapping[str, Any] | None = None

    def routes(self, app: App, taken: Iterable[str]) -> list[Route]:
        """Make the routes of the pages, but for those that the application has itself."""
        if self.openapi_url is None:
            return []
        document = _Document(app)
        handlers: dict[str, Any] = {self.openapi_url: document.answer}
        if self.docs_url is not None:
            handlers[self.docs_url] = self._docs(app, document)
            handlers[f"{self.docs_url}/assets/{{name}}"] = _answer_asset
            if self.oauth2_redirect_url is not None:
                handlers[self.oauth2_redirect_url] = self._oauth2_redirect()
        if self.redoc_url is not None:
            handlers[self.redoc_url] = self._redoc(app, document)
            handlers[f"{self.redoc_url}/assets/{{name}}"] = _answer_asset
        known = set(taken)
        return [
            Route(
                path=path,
                methods=("GET", "HEAD"),
                handler=handler,
                name=f"openapi page {path}",
                include_in_schema=False,
            )
            for path, handler in handlers.items()
            if path not in known
        ]

    def _docs(self, app: App, document: _Document) -> Any:
        async def docs(request: Request) -> Response:
            root = request.scope.get("root_path", "")
            data = {
                "document": f"{root}{self.openapi_url}",
                "options": json.dumps({"deepLinking": True, **self.swagger_parameters}),
            }
            if self.oauth2_redirect_url is not None:
                data["redirect"] = f"{root}{self.oauth2_redirect_url}"
            if self.swagger_oauth is not None:
                data["oauth"] = json.dumps(dict(self.swagger_oauth))
            base = f"{root}{self.docs_url}"
            page = _PAGE.format(
                title=escape(f"{app.title} - Swagger UI"),
                head=_style(base, "swagger-ui.css"),
                body=_place("swagger-ui", data)
                + _script(base, "swagger-ui-bundle.js")
                + _script(base, "swagger-start.js"),
            )
            return _page(request, page, document.origins())

        return docs

    def _redoc(self, app: App, document: _Document) -> Any:
        async def redoc(request: Request) -> Response:
            root = request.scope.get("root_path", "")
            # Its own type is the reader's: the one that it would take is on another host.
            fonts = {"fontFamily": "system-ui, sans-serif"}
            theme = {"typography": {**fonts, "headings": fonts}}
            data = {
                "document": f"{root}{self.openapi_url}",
                "options": json.dumps({"theme": theme}),
            }
            base = f"{root}{self.redoc_url}"
            page = _PAGE.format(
                title=escape(f"{app.title} - ReDoc"),
                head="<style>body { margin: 0 }</style>",
                body=_place("redoc", data)
                + _script(base, "redoc.standalone.js")
                + _script(base, "redoc-start.js"),
            )
            return _page(request, page, ())

        return redoc

    def _oauth2_redirect(self) -> Any:
        async def oauth2_redirect(request: Request) -> Response:
            base = f"{request.scope.get('root_path', '')}{self.docs_url}"
            body = _script(base, "oauth2-redirect.js")
            return _page(request, _PAGE.format(title="OAuth2", head="", body=body), ())

        return oauth2_redirect


class _Document:
    """The OpenAPI document of an application, made when it is first asked for."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._content: dict[str, Any] | None = None

    async def answer(self, request: Request) -> Response:
        """Answer with the document; behind a prefix it names that as its server."""
        content = self._known()
        root = request.scope.get("root_path", "")
        if root:
            content = {**content, "servers": [{"url": root}]}
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return _with_etag(request, Response(body, media_type="application/json"), "no-cache")

    def origins(self) -> list[str]:
        """Name other hosts that the document sends its readers to for tokens."""
        found = set()
        schemes = self._known().get("components", {}).get("securitySchemes", {})
        for scheme in schemes.values():
            for flow in scheme.get("flows", {}).values():
                for name in ("tokenUrl", "refreshUrl"):
                    url = urlsplit(flow.get(name, ""))
                    if url.scheme in ("http", "https") and url.netloc:
                        found.add(f"{url.scheme}://{url.netloc}")
        return sorted(found)

    def _known(self) -> dict[str, Any]:
        if self._content is None:
            self._content = self._app.openapi()
        return self._content


async def _answer_asset(request: Request, name: str) -> Response:
    """Answer with a file of the pages: compressed, as it is kept, where the client takes that."""
    if name not in _ASSETS:
        raise HTTPException(404)
    packed, version = _asset(name)
    headers = {"content-type": _ASSETS[name], "vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        response = Response(packed, headers={**headers, "content-encoding": "gzip"})
        version += "-gz"
    else:
        response = Response(gzip.decompress(packed), headers=headers)
    is_versioned = request.query_params.get("v") == version.removesuffix("-gz")
    return _with_etag(request, response, _FOREVER if is_versioned else "no-cache", version)


@cache
def _asset(name: str) -> tuple[bytes, str]:
    """Return a file, compressed, and a name for its content."""
    folder = Path(__file__).with_name("assets")
    try:
        packed = Path(folder, f"{name}.gz").read_bytes()
    except FileNotFoundError:
        packed = gzip.compress(Path(folder, name).read_bytes(), mtime=0)
    return packed, hashlib.sha256(packed).hexdigest()[:16]


def _with_etag(
    request: Request, response: Response, caching: str, version: str | None = None
) -> Response:
    etag = f'"{version or hashlib.sha256(response.body).hexdigest()[:16]}"'
    if etag in request.headers.get("if-none-match", ""):
        kept = {name: response.headers[name] for name in ("vary",) if name in response.headers}
        response = Response(status_code=304, headers=kept)
    response.headers["etag"] = etag
    response.headers["cache-control"] = caching
    response.headers["x-content-type-options"] = "nosniff"
    return response


def _page(request: Request, page: str, origins: Iterable[str]) -> Response:
    response = _with_etag(request, HTMLResponse(page), "no-cache")
    sources = " ".join(("'self'", *origins))
    response.headers["content-security-policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data:; font-src data:; connect-src {sources}; "
        "worker-src blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    response.headers["referrer-policy"] = "no-referrer"
    return response


def _place(name: str, data: Mapping[str, str]) -> str:
    attributes = "".join(f' data-{key}="{escape(value)}"' for key, value in data.items())
    return f'<div id="{name}"{attributes}></div>\n'


def _script(base: str, name: str) -> str:
    return f'<script src="{escape(_url(base, name))}"></script>\n'


def _style(base: str, name: str) -> str:
    return f'<link rel="stylesheet" href="{escape(_url(base, name))}">'


def _url(base: str, name: str) -> str:
    return f"{base}/assets/{name}?v={_asset(name)[1]}"
