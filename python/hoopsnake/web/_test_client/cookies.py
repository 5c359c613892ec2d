"""The cookies that a client keeps, as a mapping over the standard library's jar."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from email.message import Message
from http.cookiejar import Cookie, CookieJar
from urllib.request import Request as JarRequest

__all__ = ["Cookies"]


class Cookies(MutableMapping[str, str]):
    """Values of cookies by their names; what servers say of domain, path and time is kept to."""

    def __init__(self, given: MutableMapping[str, str] | None = None) -> None:
        self.jar = CookieJar()
        self.update(given or {})

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Keep a cookie; without a domain it is sent to every host."""
        self.jar.set_cookie(
            Cookie(
                version=0,
                name=name,
                value=value,
                port=None,
                port_specified=False,
                domain=domain,
                domain_specified=bool(domain),
                domain_initial_dot=domain.startswith("."),
                path=path,
                path_specified=True,
                secure=False,
                expires=None,
                discard=True,
                comment=None,
                comment_url=None,
                rest={},
            )
        )

    def take(self, url: str, set_cookies: list[str]) -> None:
        """Take what a response sets."""
        if set_cookies:
            message = Message()
            for each in set_cookies:
                message["set-cookie"] = each
            self.jar.extract_cookies(_Answer(message), JarRequest(url))  # type: ignore[arg-type]

    def header(self, url: str) -> str | None:
        """Return the header that goes with a request, if any does."""
        if not len(self.jar):
            return None
        request = JarRequest(url)
        self.jar.add_cookie_header(request)
        kept = request.get_header("Cookie")
        sent = kept.split("; ") if kept else []
        names = {each.partition("=")[0] for each in sent}
        # What a test has set without a domain goes everywhere; the jar knows no such thing.
        for each in self.jar:
            if not each.domain and each.name not in names:
                sent.append(f"{each.name}={each.value}")
        return "; ".join(sent) or None

    def __getitem__(self, name: str) -> str:
        for each in self.jar:
            if each.name == name:
                return each.value or ""
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        found = [each for each in self.jar if each.name == name]
        if not found:
            raise KeyError(name)
        for each in found:
            self.jar.clear(each.domain, each.path, each.name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(each.name for each in self.jar))

    def __len__(self) -> int:
        return len({each.name for each in self.jar})


class _Answer:
    """What the jar wants to see of a response."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def info(self) -> Message:
        return self._message
