"""A handler and all that it depends on, as one list of calls, worked out once."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hoopsnake.web._background import BackgroundTasks
from hoopsnake.web._concurrency import is_async, run_in_thread
from hoopsnake.web._errors import RequestValidationError, WebError
from hoopsnake.web._parameters import ABSENT, Body, Declared, Depends, Marker
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import Response
from hoopsnake.web._signature import Parameter, declared, named, read_signature
from hoopsnake.web._validation import Invalid, Validator, validator

__all__ = ["Injected", "Plan"]

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]
Kind = Literal["async", "sync", "async generator", "generator"]


@dataclass(slots=True)
class Injected:
    """What one request has beside its arguments, for those who ask for it."""

    request: HTTPConnection
    response: Response | None = None
    background: BackgroundTasks | None = None
    exits: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    """What follows the `yield` of dependencies."""


# Gets a value: of the arguments, of what was injected, of the results so far.
Source = Callable[[list[Any], Injected, list[Any]], Any]


@dataclass(slots=True)
class Step:
    """One call, and where its arguments come from."""

    call: Callable[..., Any]
    kind: Kind
    sources: dict[str, Source]


@dataclass(frozen=True, slots=True)
class Described:
    """A parameter that the engine reads, as it was declared and as the engine was told."""

    parameter: Parameter
    marker: Marker
    told: Declared
    metadata: tuple[Any, ...]


@dataclass(slots=True)
class BodyField:
    """A parameter that is the body, or a part of it."""

    name: str
    index: int
    parameter: Parameter
    validator: Validator
    metadata: tuple[Any, ...]


class Plan:
    """The calls for a route, the last of which is the handler.

    `described` are the parameters that the engine reads; the arguments that it makes of them come
    first in a request's list of arguments, those of the `bodies` follow.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        path_names: Sequence[str],
        overrides: Overrides,
        extra: Sequence[Depends] = (),
    ) -> None:
        self.described: list[Described] = []
        self.bodies: list[BodyField] = []
        self.steps: list[Step] = []
        self._path_names = path_names
        self._overrides = overrides
        self._known: dict[Callable[..., Any], int] = {}
        self._checks: list[tuple[int, Declared, Validator]] = []
        for depends in extra:
            self._depend(depends, None)
        signature = self._add(handler)
        self.returns = signature
        self._number_bodies()
        self.is_embedded = len(self.bodies) > 1 or any(
            isinstance(each.parameter.marker, Body) and each.parameter.marker.embed
            for each in self.bodies
        )

    @property
    def declared(self) -> list[Declared]:
        """What the engine is told."""
        return [each.told for each in self.described]

    @property
    def needs_body(self) -> bool:
        """Whether the request's body is to be read."""
        return bool(self.bodies)

    # Working it out.

    def _add(self, call: Callable[..., Any]) -> Any:
        """Add a call behind those that it depends on; return what it says that it returns."""
        signature = read_signature(call, self._path_names)
        sources = {each.name: self._source(call, each) for each in signature.parameters}
        self.steps.append(Step(call, _kind(call), sources))
        return signature.returns

    def _depend(self, depends: Depends, annotation: Any) -> int:
        """Return the place of a dependency's result; it is called once, however many ask for it."""
        call = depends.dependency if depends.dependency is not None else annotation
        if not callable(call):
            raise WebError(f"Depends({call!r}) cannot be called")
        call = self._overrides.get(call, call)
        if depends.use_cache and call in self._known:
            return self._known[call]
        self._add(call)
        place = len(self.steps) - 1
        if depends.use_cache:
            self._known[call] = place
        return place

    def _source(self, call: Callable[..., Any], parameter: Parameter) -> Source:
        marker = parameter.marker
        if isinstance(marker, Depends):
            place = self._depend(marker, parameter.annotation)
            return lambda arguments, injected, results: results[place]
        if marker is None:
            return _injected(call, parameter)
        if isinstance(marker, Body):
            return self._body(parameter)
        told, rest = declared(parameter, marker)
        index = self._declare(told, rest, parameter, marker)
        return lambda arguments, injected, results: arguments[index]

    def _declare(self, told: Declared, rest: Any, parameter: Parameter, marker: Marker) -> int:
        index = len(self.described)
        metadata = (*_constraints(marker), *parameter.metadata)
        self.described.append(Described(parameter, marker, told, metadata))
        if rest is not ABSENT:
            self._checks.append((index, told, validator(rest, metadata)))
        return index

    def _body(self, parameter: Parameter) -> Source:
        assert isinstance(parameter.marker, Marker)
        metadata = (*_constraints(parameter.marker), *parameter.metadata)
        check = validator(parameter.annotation, metadata)
        name = parameter.marker.alias or parameter.name
        body = BodyField(name, 0, parameter, check, metadata)
        self.bodies.append(body)
        return lambda arguments, injected, results: arguments[body.index]

    def _number_bodies(self) -> None:
        for number, body in enumerate(self.bodies):
            body.index = len(self.described) + number

    # Doing it.

    def check(
        self,
        arguments: list[Any],
        wrong: list[tuple[int, dict[str, Any]]] | None,
        body: bytes | None,
    ) -> list[Any]:
        """Check what the engine left, and the body; raises RequestValidationError.

        `wrong` are errors that the engine has found, with the numbers of their parameters.
        """
        found = list(wrong) if wrong else []
        known = {index for index, _ in found}
        for index, told, check in self._checks:
            value = arguments[index]
            if value is told.default or index in known:
                continue
            try:
                arguments[index] = check.of_object(value)
            except Invalid as invalid:
                found += [(index, each) for each in _placed(invalid, (told.place, told.name))]
        # In the order of the parameters, whoever has found them.
        errors = [error for _, error in sorted(found, key=lambda each: each[0])]
        if body is not None:
            try:
                arguments += self._read_bodies(body)
            except Invalid as invalid:
                errors += invalid.errors
        if errors:
            raise RequestValidationError(errors, body=body)
        return arguments

    def _read_bodies(self, body: bytes) -> list[Any]:
        if not self.is_embedded:
            (only,) = self.bodies
            if not body:
                return [_default(only, ("body",))]
            try:
                return [only.validator.of_json(body)]
            except Invalid as invalid:
                raise Invalid(_placed(invalid, ("body",))) from None
        try:
            fields = validator(dict[str, Any]).of_json(body) if body else {}
        except Invalid as invalid:
            raise Invalid(_placed(invalid, ("body",))) from None
        values: list[Any] = []
        errors: list[Any] = []
        for each in self.bodies:
            try:
                if each.name in fields:
                    values.append(each.validator.of_object(fields[each.name]))
                else:
                    values.append(_default(each, ("body", each.name)))
            except Invalid as invalid:
                placed = each.name in fields
                errors += _placed(invalid, ("body", each.name)) if placed else invalid.errors
        if errors:
            raise Invalid(errors)
        return values

    async def run(self, arguments: list[Any], injected: Injected) -> Any:
        """Make all calls; return the handler's result.

        Calls that are not `async` and follow each other go to a thread together.
        """
        results: list[Any] = []
        position = 0
        while position < len(self.steps):
            step = self.steps[position]
            if step.kind in ("async", "async generator"):
                results.append(await self._call(step, arguments, injected, results))
                position += 1
                continue
            end = position + 1
            while end < len(self.steps) and self.steps[end].kind in ("sync", "generator"):
                end += 1
            steps = self.steps[position:end]
            entered = await run_in_thread(_call_all, steps, arguments, injected, results)
            for manager in entered:
                injected.exits.push_async_exit(_exit_in_thread(manager))
            position = end
        return results[-1]

    async def _call(
        self, step: Step, arguments: list[Any], injected: Injected, results: list[Any]
    ) -> Any:
        given = {name: get(arguments, injected, results) for name, get in step.sources.items()}
        if step.kind == "async":
            return await step.call(**given)
        manager = contextlib.asynccontextmanager(step.call)(**given)
        return await injected.exits.enter_async_context(manager)


def _call_all(
    steps: list[Step], arguments: list[Any], injected: Injected, results: list[Any]
) -> list[contextlib.AbstractContextManager[Any]]:
    """Make calls one after the other; return what is to be left again later."""
    entered: list[contextlib.AbstractContextManager[Any]] = []
    try:
        for step in steps:
            given = {name: get(arguments, injected, results) for name, get in step.sources.items()}
            if step.kind == "sync":
                results.append(step.call(**given))
            else:
                manager = contextlib.contextmanager(step.call)(**given)
                results.append(manager.__enter__())
                entered.append(manager)
    except BaseException as error:
        for manager in reversed(entered):
            if manager.__exit__(type(error), error, error.__traceback__):
                break
        raise
    return entered


def _exit_in_thread(manager: contextlib.AbstractContextManager[Any]) -> Any:
    async def leave(*details: Any) -> bool | None:
        left: bool | None = await run_in_thread(manager.__exit__, *details)
        return left

    return leave


def _kind(call: Callable[..., Any]) -> Kind:
    inner = call if inspect.isroutine(call) or inspect.isclass(call) else call.__call__  # type: ignore[operator]
    if inspect.isasyncgenfunction(inner):
        return "async generator"
    if inspect.isgeneratorfunction(inner):
        return "generator"
    return "async" if is_async(call) else "sync"


def _injected(call: Callable[..., Any], parameter: Parameter) -> Source:
    annotation = parameter.annotation
    if issubclass(annotation, HTTPConnection):
        return lambda arguments, injected, results: injected.request
    if issubclass(annotation, BackgroundTasks):

        def background(arguments: list[Any], injected: Injected, results: list[Any]) -> Any:
            if injected.background is None:
                injected.background = BackgroundTasks()
            return injected.background

        return background
    if issubclass(annotation, Response):

        def response(arguments: list[Any], injected: Injected, results: list[Any]) -> Any:
            if injected.response is None:
                injected.response = Response()
                del injected.response.headers["content-length"]
            return injected.response

        return response
    raise WebError(f"{named(call)}: nothing can be given for {parameter.name}: {annotation!r}")


def _constraints(marker: Marker) -> tuple[Any, ...]:
    names = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
    given = {name: getattr(marker, name) for name in names if getattr(marker, name) is not None}
    if not given:
        return ()
    from pydantic import Field

    return (Field(**given),)


def _placed(invalid: Invalid, place: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{**error, "loc": [*place, *error["loc"]]} for error in invalid.errors]


def _default(body: BodyField, place: tuple[str, ...]) -> Any:
    if body.parameter.is_required:
        raise Invalid(
            [{"type": "missing", "loc": list(place), "msg": "Field required", "input": None}]
        )
    return body.parameter.default
