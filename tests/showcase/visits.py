"""Visitors of the showcase, and what the consoles of their pages had to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from showcase_server import Showcase

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

# How the browser reports, of itself, that a connection failed. Some tests break connections.
NETWORK_FAILURES = ("Failed to load resource", "WebSocket connection to")


class Visits:
    """The pages that a test has open, and what their consoles had to say."""

    def __init__(self, browser: Browser, showcase: Showcase) -> None:
        self._browser = browser
        self._showcase = showcase
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    async def __call__(
        self, url: str = "", breaks_connections: bool = False, **options: Any
    ) -> Page:
        """Open the page as a new visitor. `options` are those of a browser context."""
        origin = url or self._showcase.url
        context = await self._browser.new_context(**options)
        self._contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(30_000)

        def hear(message: ConsoleMessage) -> None:
            expected = breaks_connections and message.text.startswith(NETWORK_FAILURES)
            if message.type in ("error", "warning") and not expected:
                self.complaints.append(f"console: {message.text}")

        def see_request(address: str) -> None:
            if not address.startswith((origin, "data:", "blob:")):
                self.complaints.append(f"a request to elsewhere: {address}")

        page.on("console", hear)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: see_request(request.url))
        await page.goto(origin)
        return page

    async def leave(self) -> None:
        for context in self._contexts:
            await context.close()
