"""Header fields as mappings: names in any case, values as text (Latin-1, RFC 9110 section 5.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Self

__all__ = ["Headers", "MutableHeaders", "RawHeaders"]

RawHeaders = list[tuple[bytes, bytes]]


class Headers(Mapping[str, str]):
    """The headers of a request; of several with one name a mapping shows the first."""

    __slots__ = ("raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw: RawHeaders = list(raw)

    def __getitem__(self, name: str) -> str:
        wanted = name.lower().encode("latin-1")
        for known, value in self.raw:
            if known == wanted:
                return value.decode("latin-1")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.decode("latin-1") for name, _ in self.raw))

    def __len__(self) -> int:
        return len({name for name, _ in self.raw})

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        wanted = name.lower().encode("latin-1")
        return any(known == wanted for known, _ in self.raw)

    def getlist(self, name: str) -> list[str]:
        """Return the values of all headers of a name, in their order."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for known, value in self.raw if known == wanted]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"


class MutableHeaders(Headers):
    """The headers of a response."""

    __slots__ = ()

    @classmethod
    def over(cls, raw: RawHeaders) -> Self:
        """Look at a list of headers, and alter that list."""
        headers = cls()
        headers.raw = raw
        return headers

    def add_vary(self, name: str) -> None:
        """Say that the response is another one for another value of a request's header."""
        known = [each.strip() for line in self.getlist("vary") for each in line.split(",")]
        if "*" not in known and name.lower() not in (each.lower() for each in known):
            self["vary"] = ", ".join([*filter(None, known), name])

    def __setitem__(self, name: str, value: str) -> None:
        """Take the place of all headers of a name."""
        key = name.lower().encode("latin-1")
        places = [place for place, (known, _) in enumerate(self.raw) if known == key]
        if not places:
            self.raw.append((key, value.encode("latin-1")))
            return
        self.raw[places[0]] = (key, value.encode("latin-1"))
        for place in reversed(places[1:]):
            del self.raw[place]

    def __delitem__(self, name: str) -> None:
        """Remove all headers of a name; none is no error."""
        key = name.lower().encode("latin-1")
        self.raw[:] = [pair for pair in self.raw if pair[0] != key]

    def append(self, name: str, value: str) -> None:
        """Add a header beside those of its name."""
        self.raw.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    def setdefault(self, name: str, value: str) -> str:
        """Add a header if there is none of its name; return the one there is."""
        if name not in self:
            self[name] = value
        return self[name]

    def update(self, others: Mapping[str, str]) -> None:
        """Set each of these."""
        for name, value in others.items():
            self[name] = value
