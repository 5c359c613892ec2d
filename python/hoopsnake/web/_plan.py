"""A handler and all that it depends on, as one list of calls, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hoopsnake.web._background import BackgroundTasks
from hoopsnake.web._composed import Call, Composed, Result, composed
from hoopsnake.web._errors import RequestValidationError, WebError
from hoopsnake.web._form_plan import FormField, FormPlan
from hoopsnake.web._forms import FormData
from hoopsnake.web._parameters import (
    ABSENT,
    Body,
    Declared,
    Depends,
    Form,
    Marker,
    SecurityScopes,
)
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import Response
from hoopsnake.web._security_scheme import SecurityScheme
from hoopsnake.web._signature import Parameter, declared, named, read_signature
from hoopsnake.web._steps import BodyField, Injected, Source, Step, Taken, kind_of, run_steps
from hoopsnake.web._validation import Invalid, Validator, validator

__all__ = ["Described", "Plan"]

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]
Asked = list[tuple[SecurityScheme, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Described:
    """A parameter that the engine reads, as it was declared and as the engine was told."""

    parameter: Parameter
    marker: Marker
    told: Declared
    metadata: tuple[Any, ...]


class Plan:
    """The calls for a route, the last of which is the handler.

    `described` are the parameters that the engine reads; the arguments that it makes of them come
    first in a request's list of arguments, those of the `bodies` or of the `form` follow.
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
        self.form = FormPlan()
        self.steps: list[Step] = []
        self._path_names = path_names
        self._overrides = overrides
        self.security: Asked = []
        """What clients authenticate with, and the scopes that are asked for."""
        self.has_handler_scope = False
        """Whether a dependency ends when the handler has returned."""
        self.needs_request = False
        self._known: dict[tuple[Callable[..., Any], tuple[str, ...]], int] = {}
        self._scopes: tuple[str, ...] = ()
        self._security_below: dict[Callable[..., Any], Asked] = {}
        self._asking_for_scopes: set[Callable[..., Any]] = set()
        self._is_asked_for_scopes = False
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

    @property
    def has_exits(self) -> bool:
        """Whether something follows the response: what is behind the `yield` of dependencies."""
        return any("generator" in each.kind for each in self.steps)

    @property
    def has_checks(self) -> bool:
        """Whether something is left to check beside what the engine reads and the body."""
        return bool(self._checks)

    def plain(self) -> Composed | None:
        """Return all calls as one, with the arguments that it takes.

        None if one of them waits for a thread or for its turn, ends later, or is given something
        that is no argument; or if arguments have to be checked first.
        """
        if self._checks or self.is_embedded:
            return None
        calls = []
        for step in self.steps:
            if step.kind not in ("async", "inline") or step.turnstile is not None:
                return None
            if len(step.taken) != len(step.sources):
                return None
            given = {
                name: each.index if isinstance(each, BodyField) else each
                for name, each in step.taken.items()
            }
            calls.append(Call(step.call, step.kind == "async", given))
        return composed(calls, named(calls[-1].call))

    # Working it out.

    def _add(self, call: Callable[..., Any], depends: Depends | None = None) -> Any:
        """Add a call behind those that it depends on; return what it says that it returns."""
        signature = read_signature(call, self._path_names)
        taken: dict[str, Taken] = {}
        sources = {each.name: self._source(call, each, taken) for each in signature.parameters}
        step = Step(call, kind_of(call), sources, taken)
        if depends is not None:
            _check_scopes(depends, step, signature.parameters)
            step.turnstile = depends.turnstile
            step.is_of_handler = depends.scope == "function" and "generator" in step.kind
            self.has_handler_scope |= step.is_of_handler
        self.steps.append(step)
        return signature.returns

    def _depend(self, depends: Depends, annotation: Any) -> int:
        """Return the place of a dependency's result; it is called once, however many ask for it."""
        call = depends.dependency if depends.dependency is not None else annotation
        if not callable(call):
            raise WebError(f"Depends({call!r}) cannot be called")
        above, is_asked_above = self._scopes, self._is_asked_for_scopes
        self._scopes = (*above, *getattr(depends, "scopes", ()))
        self._is_asked_for_scopes = False
        scheme: Any = call
        if isinstance(scheme, SecurityScheme):
            self.security.append((scheme, self._scopes))
        try:
            return self._place_of(self._overrides.get(call, call), depends)
        finally:
            self._scopes = above
            self._is_asked_for_scopes |= is_asked_above

    def _place_of(self, call: Callable[..., Any], depends: Depends) -> int:
        # Whoever looks at the scopes has a result for each set of them.
        is_asked = call in self._asking_for_scopes
        known = self._known.get((call, self._scopes if is_asked else ()))
        if depends.use_cache and known is not None:
            self._is_asked_for_scopes = is_asked
            below = self._security_below.get(call, ())
            self.security += [(each, (*self._scopes, *more)) for each, more in below]
            return known
        before = len(self.security)
        self._add(call, depends)
        self._security_below[call] = [
            (scheme, scopes[len(self._scopes) :]) for scheme, scopes in self.security[before:]
        ]
        if self._is_asked_for_scopes:
            self._asking_for_scopes.add(call)
        place = len(self.steps) - 1
        if depends.use_cache:
            self._known[call, self._scopes if self._is_asked_for_scopes else ()] = place
        return place

    def _source(
        self, call: Callable[..., Any], parameter: Parameter, taken: dict[str, Taken]
    ) -> Source:
        marker = parameter.marker
        if isinstance(marker, Depends):
            place = self._depend(marker, parameter.annotation)
            taken[parameter.name] = Result(place)
            return lambda arguments, injected, results: results[place]
        if marker is None:
            if issubclass(parameter.annotation, SecurityScopes):
                self._is_asked_for_scopes = True
                scopes = self._scopes
                return lambda arguments, injected, results: SecurityScopes(list(scopes))
            self.needs_request |= issubclass(parameter.annotation, HTTPConnection)
            return _injected(call, parameter)
        if isinstance(marker, Form):
            return self._form_field(parameter, marker)
        if isinstance(marker, Body):
            body = taken[parameter.name] = self._body(parameter)
            return lambda arguments, injected, results: arguments[body.index]
        told, rest = declared(parameter, marker)
        index = taken[parameter.name] = self._declare(told, rest, parameter, marker)
        return lambda arguments, injected, results: arguments[index]

    def _declare(self, told: Declared, rest: Any, parameter: Parameter, marker: Marker) -> int:
        index = len(self.described)
        metadata = (*_constraints(marker), *parameter.metadata)
        self.described.append(Described(parameter, marker, told, metadata))
        if rest is not ABSENT:
            self._checks.append((index, told, validator(rest, metadata)))
        return index

    def _body(self, parameter: Parameter) -> BodyField:
        assert isinstance(parameter.marker, Marker)
        metadata = (*_constraints(parameter.marker), *parameter.metadata)
        check = validator(parameter.annotation, metadata)
        name = parameter.marker.alias or parameter.name
        body = BodyField(name, 0, parameter, check, metadata)
        self.bodies.append(body)
        return body

    def _form_field(self, parameter: Parameter, marker: Form) -> Source:
        metadata = (*_constraints(marker), *parameter.metadata)
        field = self.form.add(parameter, metadata)
        # It is read as it arrives.
        self.needs_request = True
        return lambda arguments, injected, results: arguments[field.index]

    def _number_bodies(self) -> None:
        if self.bodies and self.form.fields:
            raise WebError(
                f"{self.bodies[0].name} is taken from a JSON body, and {self.form.fields[0].name} "
                "from a form: a request has one body"
            )
        fields: list[BodyField | FormField] = [*self.bodies, *self.form.fields]
        for number, body in enumerate(fields):
            body.index = len(self.described) + number

    # Doing it.

    def check(
        self,
        arguments: list[Any],
        wrong: list[tuple[int, dict[str, Any]]] | None,
        body: bytes | FormData | None,
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
                if isinstance(body, FormData):
                    arguments += self.form.read(body)
                else:
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
        return await run_steps(self.steps, arguments, injected)


def _check_scopes(depends: Depends, step: Step, parameters: Sequence[Parameter]) -> None:
    """Raise WebError where what lasts as long as the request wants what ends with the handler."""
    if depends.scope == "function" or (depends.scope is None and "generator" not in step.kind):
        return
    for each in parameters:
        if isinstance(each.marker, Depends) and each.marker.scope == "function":
            raise WebError(
                f"{named(step.call)} lasts as long as the request, and its parameter "
                f"{each.name!r} ends with the handler: it cannot have scope='function'"
            )


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
