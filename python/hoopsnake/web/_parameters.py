"""What the parameters of a handler stand for: markers, and what the engine is told of them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hoopsnake.web._turnstile import Turnstile

__all__ = [
    "ABSENT",
    "Body",
    "Cookie",
    "Declared",
    "Depends",
    "File",
    "Form",
    "Header",
    "Marker",
    "Path",
    "Query",
    "Security",
    "SecurityScopes",
]


class _Absent(enum.Enum):
    """That there is no value, where None would be one."""

    ABSENT = enum.auto()

    def __bool__(self) -> Literal[False]:
        return False


ABSENT: Final = _Absent.ABSENT

Place = Literal["path", "query", "header", "cookie", "body"]


@dataclass(frozen=True, slots=True)
class Marker:
    """Says where a parameter comes from and what it keeps to; for `Annotated` or as a default.

    Numbers keep to `gt`, `ge`, `lt`, `le` and `multiple_of`; texts have `min_length` to
    `max_length` characters and match `pattern`; lists have so many items. `alias` is the name in
    the request where it differs from the parameter's. What remains is for the documentation.
    """

    default: Any = ABSENT
    alias: str | None = None
    gt: float | None = field(default=None, kw_only=True)
    ge: float | None = field(default=None, kw_only=True)
    lt: float | None = field(default=None, kw_only=True)
    le: float | None = field(default=None, kw_only=True)
    multiple_of: float | None = field(default=None, kw_only=True)
    min_length: int | None = field(default=None, kw_only=True)
    max_length: int | None = field(default=None, kw_only=True)
    pattern: str | None = field(default=None, kw_only=True)
    default_factory: Callable[[], Any] | None = field(default=None, kw_only=True)
    title: str | None = field(default=None, kw_only=True)
    description: str | None = field(default=None, kw_only=True)
    examples: list[Any] | None = field(default=None, kw_only=True)
    deprecated: bool | None = field(default=None, kw_only=True)
    include_in_schema: bool = field(default=True, kw_only=True)

    @property
    def place(self) -> Place:
        """Where in a request it stands."""
        raise NotImplementedError


class Path(Marker):
    """A parameter of the path; a pattern has to name it."""

    __slots__ = ()

    @property
    def place(self) -> Place:
        return "path"


class Query(Marker):
    """A parameter of the query; a list takes every value of that name."""

    __slots__ = ()

    @property
    def place(self) -> Place:
        return "query"


@dataclass(frozen=True, slots=True)
class Header(Marker):
    """A header; underscores of the parameter's name are hyphens in the header's."""

    convert_underscores: bool = field(default=True, kw_only=True)

    @property
    def place(self) -> Place:
        return "header"


class Cookie(Marker):
    """A cookie."""

    __slots__ = ()

    @property
    def place(self) -> Place:
        return "cookie"


@dataclass(frozen=True, slots=True)
class Body(Marker):
    """The request's JSON, or with `embed` (and where there are several) a field of it."""

    embed: bool = field(default=False, kw_only=True)
    media_type: str = field(default="application/json", kw_only=True)

    @property
    def place(self) -> Place:
        return "body"


@dataclass(frozen=True, slots=True)
class Form(Marker):
    """A field of a form; of a pydantic model all of its fields, unless it is `embed`."""

    embed: bool = field(default=False, kw_only=True)
    media_type: str = field(default="application/x-www-form-urlencoded", kw_only=True)

    @property
    def place(self) -> Place:
        return "body"


@dataclass(frozen=True, slots=True)
class File(Form):
    """A file of a form: an `UploadFile`, or `bytes` for all that is in it; or a list of those."""

    media_type: str = field(default="multipart/form-data", kw_only=True)


@dataclass(frozen=True, slots=True)
class Depends:
    """A parameter that is the result of calling `dependency`; None means its annotation.

    The dependency's own parameters are filled as a handler's are. Within one request it is called
    once, however many ask for it, unless `use_cache` is False. What a generator yields is the
    result. What follows its `yield` runs when the response was sent, or with `scope="function"`
    when the handler has returned and its result was encoded.

    With `limit` at most so many requests of one event loop are between its call and its end (for a
    generator: the end of its scope) at once; others wait for their turn. They share the limit where
    they share this object, as those do that are annotated with one alias.
    """

    dependency: Callable[..., Any] | None = None
    use_cache: bool = field(default=True, kw_only=True)
    scope: Literal["function", "request"] | None = field(default=None, kw_only=True)
    limit: int | None = field(default=None, kw_only=True)
    turnstile: Turnstile | None = field(default=None, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.scope not in (None, "function", "request"):
            raise ValueError(f"a scope is 'function' or 'request', not {self.scope!r}")
        if self.limit is not None:
            object.__setattr__(self, "turnstile", Turnstile(self.limit))


@dataclass(frozen=True, slots=True)
class Security(Depends):
    """A dependency that asks for OAuth2 scopes: those below it find them in `SecurityScopes`."""

    scopes: Sequence[str] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        # `super()` without arguments does not know the class that `slots` makes anew.
        Depends.__post_init__(self)
        object.__setattr__(self, "scopes", tuple(self.scopes or ()))


class SecurityScopes:
    """The scopes that the dependants of a dependency ask for; a parameter of this type gets them.

    `scopes` are in their order from the handler down, `scope_str` is the same with spaces between
    (RFC 6749 section 3.3).
    """

    def __init__(self, scopes: list[str] | None = None) -> None:
        self.scopes = scopes or []
        self.scope_str = " ".join(self.scopes)


@dataclass(slots=True)
class Declared:
    """A parameter as the engine is told of it (`hoopsnake._native.Routes.add`)."""

    place: str
    name: str
    kind: str
    many: bool
    required: bool
    default: Any
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    allow_inf_nan: bool = True
    choices: list[tuple[str, Any]] = field(default_factory=list)
    expected: str = ""
    of_enumeration: bool = False
