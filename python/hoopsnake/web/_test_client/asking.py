"""What the client for functions and the one for coroutines are made with, and what both show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hoopsnake._server_config import ServerConfig
from hoopsnake.web._test_client.cookies import Cookies
from hoopsnake.web._test_client.exchange import Exchange

__all__ = ["Asking"]


class Asking:
    """An application, and how it is asked."""

    def __init__(
        self,
        app: Callable[..., Any],
        base_url: str = "http://testserver",
        raise_server_exceptions: bool = True,
        root_path: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        follow_redirects: bool = True,
        timeout: float | None = 30.0,
        config: ServerConfig | None = None,
    ) -> None:
        self.app = app
        self.follow_redirects = follow_redirects
        self._exchange = Exchange(
            base_url=base_url,
            root_path=root_path,
            raises=raise_server_exceptions,
            headers=headers,
            cookies=cookies,
            timeout=timeout,
            config=config,
        )
        self._ready()

    def _ready(self) -> None:
        """Make what one of the two needs beside."""

    @property
    def base_url(self) -> str:
        """What the paths of requests are added to."""
        return self._exchange.base_url

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with every request."""
        return self._exchange.headers

    @property
    def cookies(self) -> Cookies:
        """The cookies that go with every request; responses add theirs."""
        return self._exchange.cookies
