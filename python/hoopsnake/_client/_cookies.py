"""The cookies of a client, as a mapping of names to values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, cast

from hoopsnake._client._errors import CookieConflict
from hoopsnake._native import CookieJar

if TYPE_CHECKING:
    from hoopsnake._client._request import Request
    from hoopsnake._native import URL, Response

CookieTypes = Mapping[str, str] | Iterable[tuple[str, str]]


class Cookies(MutableMapping[str, str]):
    """Cookies by their names; behind it is a jar by RFC 6265, which knows whom each is for.

    What a server sets is kept for that server, or for its domain if that is no public suffix, and
    sent where it belongs. What the program sets without a domain goes to whomever it asks. Several
    domains may have a cookie of one name: then `get()`, `set()` and `delete()` take `domain` and
    `path`, and asking by the name alone raises CookieConflict.
    """

    def __init__(self, cookies: CookieTypes | None = None) -> None:
        """Make a jar with these, which may be another `Cookies`."""
        self._jar = CookieJar()
        self.update(cookies)

    def set(self, name: str, value: str, domain: str = "", path: str = "/") -> None:
        """Set one, for `domain` and all below it, or for all. Raises ValueError if it cannot be."""
        self._jar.put(name, value, domain, path)

    def get(  # type: ignore[override]
        self,
        name: str,
        default: str | None = None,
        domain: str | None = None,
        path: str | None = None,
    ) -> str | None:
        """Tell a cookie's value. Raises CookieConflict if several are meant."""
        domain = own_form(domain)
        found = [
            value
            for own, value, of_domain, of_path in self._jar.cookies()
            if own == name and domain in (None, of_domain) and path in (None, of_path)
        ]
        if len(found) > 1:
            raise CookieConflict(
                f"{len(found)} cookies have the name {name!r}: say which `domain` or `path`"
            )
        return found[0] if found else default

    def delete(self, name: str, domain: str | None = None, path: str | None = None) -> None:
        """Take out what has this name, domain and path. Raises KeyError if nothing has."""
        if not self._jar.remove(name, own_form(domain), path):
            raise KeyError(name)

    def clear(self, domain: str | None = None, path: str | None = None) -> None:
        """Take out all, or all of a domain, or all of a path."""
        self._jar.remove(None, own_form(domain), path)

    def update(self, cookies: CookieTypes | None = None) -> None:  # type: ignore[override]
        """Set all of these; those of another `Cookies` stay for whom they are."""
        if isinstance(cookies, Cookies):
            self._jar.merge(cookies._jar)
        elif cookies is not None:
            pairs = cookies.items() if isinstance(cookies, Mapping) else cookies
            # A mapping may be iterated too, which is not what is meant.
            for name, value in cast("Iterable[tuple[str, str]]", pairs):
                self.set(name, value)

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, *_ in self._jar.cookies())

    def __len__(self) -> int:
        return len(self._jar.cookies())

    def __repr__(self) -> str:
        # A cookie's value is as good as a password.
        shown = (f"{name} for {domain}{path}" for name, _, domain, path in self._jar.cookies())
        return f"<Cookies[{', '.join(shown)}]>"


def own_form(domain: str | None) -> str | None:
    """Write a domain as the jar has it, which `set()` may have been given in another form."""
    return None if domain is None else domain.lstrip(".").lower()


def of_response(response: Response) -> Cookies:
    """Read what a response sets."""
    cookies = Cookies()
    cookies._jar.store(response.url, response.headers)
    return cookies


def attach(cookies: Cookies, request: Request) -> None:
    """Give a request the cookies that are for it now; a Cookie of its own stays as it is."""
    if not cookies._jar and not request._cookies and request._made_cookie is None:
        return
    if request.headers.get("cookie") != request._made_cookie:
        return
    own = {name for name, _ in request._cookies}
    known = cookies._jar.pairs(request.url, not request._has_left)
    pairs = [pair for pair in known if pair[0] not in own]
    pairs += request._cookies
    if pairs:
        # RFC 6265 section 5.4: a sequence of octets, in no encoding; text would change some.
        value = b"; ".join(name + b"=" + value if name else value for name, value in pairs)
        request.headers["cookie"] = value
        request._made_cookie = request.headers["cookie"]
    elif request._made_cookie is not None:
        request.headers.pop("cookie", None)
        request._made_cookie = None


def checked(cookies: CookieTypes | None, url: URL) -> Sequence[tuple[bytes, bytes]]:
    """Read the cookies of a single request, by name and value: of a jar those for its URL.

    Raises ValueError for what no Cookie can hold.
    """
    if not cookies:
        return ()
    given = cookies if isinstance(cookies, Cookies) else Cookies(cookies)
    return given._jar.pairs(url, True)
