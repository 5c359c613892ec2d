"""Proxies: where they are, who we are to them, and which URLs go through which."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from hoopsnake._client._request import HeaderTypes
from hoopsnake._native import URL, Headers

# What the environment says of proxies; REQUEST_METHOD is there where a web server runs a CGI.
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
OTHERS = ("REQUEST_METHOD",)


class Proxy:
    """A proxy, for `proxy=` and `proxies=` of a client.

    `http://` is sent requests whole, or asked for a tunnel by CONNECT where there is TLS;
    `https://` is the same inside TLS; `socks5://` resolves names itself. Name and password may be
    in the URL, or in `auth`; `headers` are for the proxy alone.
    """

    __slots__ = ("auth", "headers", "url")

    def __init__(
        self,
        url: URL | str,
        *,
        auth: tuple[str, str] | None = None,
        headers: HeaderTypes | None = None,
    ) -> None:
        self.url = str(url)
        self.auth = auth
        self.headers = Headers(headers)

    def __repr__(self) -> str:
        scheme, slashes, rest = self.url.rpartition("://")
        return f"<Proxy({scheme}{slashes}{rest.rpartition('@')[2]})>"


ProxyTypes = Proxy | URL | str


@dataclasses.dataclass(frozen=True, slots=True)
class ProxySettings:
    """What the engine reads of them."""

    rules: list[tuple[str, Proxy | None]]
    environment: dict[str, str] | None


def for_engine(
    proxy: ProxyTypes | None,
    proxies: Mapping[str, ProxyTypes | None] | None,
    unix_socket: object,
    trust_env: bool,
) -> ProxySettings:
    """Put what is said of proxies into the form that the engine reads."""
    if unix_socket is not None:
        if proxy is not None or proxies:
            raise ValueError(
                "all connections go to the Unix socket `uds`: there is no proxy on the way"
            )
        return ProxySettings([], None)
    rules = [(pattern, as_proxy(given)) for pattern, given in (proxies or {}).items()]
    if proxy is not None:
        rules.append(("all://", as_proxy(proxy)))
    environment = None
    if trust_env and proxy is None:
        names = [*VARIABLES, *(name.upper() for name in VARIABLES), *OTHERS]
        environment = {name: os.environ[name] for name in names if name in os.environ}
    return ProxySettings(rules, environment)


def as_proxy(given: ProxyTypes | None) -> Proxy | None:
    """Read what may be given for a proxy."""
    return given if given is None or isinstance(given, Proxy) else Proxy(given)
