"""The environ of a request, from its ASGI scope (PEP 3333, "environ Variables")."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote_to_bytes

import hoopsnake
from hoopsnake._wsgi.file_wrapper import FileWrapper

__all__ = ["Environs"]

Environ = dict[str, Any]
# Names that clients make up are not remembered without end.
_NAMES_REMEMBERED = 512


class Environs:
    """Makes environs; they begin as copies of one that has what is the same for all."""

    def __init__(self, root_path: str, threads: int, has_peers: bool) -> None:
        self._root_path = root_path
        self._names: dict[bytes, str] = {}
        self._template: Environ = {
            "REQUEST_METHOD": "",
            # PEP 3333: bytes that pass for text, each a character.
            "SCRIPT_NAME": _bytes_as_text(root_path),
            "PATH_INFO": "",
            "QUERY_STRING": "",
            "REQUEST_URI": "",
            "REMOTE_ADDR": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": f"hoopsnake/{hoopsnake.__version__}",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": threads > 1,
            "wsgi.multiprocess": has_peers,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            # The input ends by itself: a body of unknown length may be read to its end.
            "wsgi.input_terminated": True,
        }

    def of(self, scope: dict[str, Any], body: Any) -> Environ:
        """Make the environ of a request whose body is the file `body`."""
        environ = self._template.copy()
        environ["wsgi.input"] = body
        environ["REQUEST_METHOD"] = scope["method"]
        target = scope["raw_path"].decode("latin-1")
        path: str = scope["path"]
        root_path: str = scope["root_path"]
        if root_path != self._root_path:
            # A proxy has said that it mounts the application there.
            environ["SCRIPT_NAME"] = _bytes_as_text(root_path)
        # ASGI has the mount's prefix in `path` too. Bytes of the path that are no ASCII pass for
        # text, each a character.
        environ["PATH_INFO"] = (
            path[len(root_path) :] if path.isascii() else unquote_to_bytes(target).decode("latin-1")
        )
        if scope["query_string"]:
            query = environ["QUERY_STRING"] = scope["query_string"].decode("latin-1")
            target = f"{target}?{query}"
        environ["REQUEST_URI"] = target
        if scope["http_version"] != "1.1":
            environ["SERVER_PROTOCOL"] = f"HTTP/{scope['http_version']}"
        names = self._names
        for name, value in scope["headers"]:
            key = names.get(name)
            if key is None:
                key = self._variable(name)
            if key in environ:
                # RFC 9110 section 5.3; of cookies RFC 9113 section 8.2.3.
                comma = "; " if key == "HTTP_COOKIE" else ","
                environ[key] = f"{environ[key]}{comma}{value.decode('latin-1')}"
            elif key:
                environ[key] = value.decode("latin-1")
        _add_ends(environ, scope)
        return environ

    def _variable(self, name: bytes) -> str:
        """Find the variable of a header; empty for one that would pass for another header."""
        variable = name.decode("latin-1").upper().replace("-", "_")
        if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            variable = f"HTTP_{variable}"
        if b"_" in name:
            # X_Real_IP is not X-Real-IP, for which a proxy vouches, but its variable is the same.
            variable = ""
        if len(self._names) < _NAMES_REMEMBERED:
            self._names[name] = variable
        return variable


def _bytes_as_text(text: str) -> str:
    return text.encode().decode("latin-1")


def _add_ends(environ: Environ, scope: dict[str, Any]) -> None:
    secure = scope["scheme"] == "https"
    if secure:
        environ["wsgi.url_scheme"] = "https"
        environ["HTTPS"] = "on"
    client, server = scope["client"], scope["server"]
    if client is not None and client[1] is not None:
        environ["REMOTE_ADDR"] = client[0]
        environ["REMOTE_PORT"] = str(client[1])
    if server is not None and server[1] is not None:
        environ["SERVER_NAME"] = server[0]
        environ["SERVER_PORT"] = str(server[1])
    elif secure:
        environ["SERVER_PORT"] = "443"
