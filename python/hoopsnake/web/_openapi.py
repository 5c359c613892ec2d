"""OpenAPI 3.1 of an application: what its routes take and answer (spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from hoopsnake.web._compiled import CompiledRoute
from hoopsnake.web._form_plan import FormField
from hoopsnake.web._openapi_forms import form_body, schema_generator
from hoopsnake.web._parameters import ABSENT
from hoopsnake.web._plan import Described
from hoopsnake.web._problems import MEDIA_TYPE, PROBLEM_SCHEMAS
from hoopsnake.web._responses import JSONResponse, Response
from hoopsnake.web._steps import BodyField

__all__ = ["openapi"]

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"

# The shape of our 422 answers, by the names that FastAPI's clients know.
_VALIDATION_SCHEMAS: dict[str, Schema] = {
    "HTTPValidationError": {
        "title": "HTTPValidationError",
        "type": "object",
        "properties": {
            "detail": {
                "title": "Detail",
                "type": "array",
                "items": {"$ref": _REFERENCE.format(model="ValidationError")},
            }
        },
    },
    "ValidationError": {
        "title": "ValidationError",
        "type": "object",
        "properties": {
            "loc": {
                "title": "Location",
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            },
            "msg": {"title": "Message", "type": "string"},
            "type": {"title": "Error Type", "type": "string"},
            "input": {"title": "Input"},
            "ctx": {"title": "Context", "type": "object"},
        },
        "required": ["loc", "msg", "type"],
    },
}


def openapi(
    routes: Iterable[CompiledRoute],
    *,
    title: str,
    version: str,
    description: str | None = None,
    errors: str = "detail",
) -> Schema:
    """Describe these routes. Operations have the ids that FastAPI would give them.

    `errors` is how an application says what is wrong (`App`).
    """
    shown = [each for each in routes if each.route.include_in_schema]
    schemas = Schemas(shown)
    schemas.has_problems = errors == "problem"
    paths: dict[str, dict[str, Any]] = {}
    for each in shown:
        path = re.sub(r"{(\w+):\w+}", r"{\1}", each.route.path)
        for method in each.route.methods:
            # What answers GET answers HEAD by itself.
            if method != "HEAD" or "GET" not in each.route.methods:
                paths.setdefault(path, {})[method.lower()] = _operation(each, method, path, schemas)
    info = {"title": title, "version": version}
    if description is not None:
        info["description"] = description
    document: Schema = {"openapi": "3.1.0", "info": info, "paths": paths}
    if schemas.components:
        document["components"] = {"schemas": dict(sorted(schemas.components.items()))}
    schemes = {
        scheme.scheme_name: scheme.model for each in shown for scheme, _ in each.plan.security
    }
    if schemes:
        document.setdefault("components", {})["securitySchemes"] = schemes
    return document


def _security(compiled: CompiledRoute) -> list[dict[str, list[str]]]:
    """What an operation asks of its client: all of these, each with the scopes of all who ask."""
    asked: dict[str, dict[str, None]] = {}
    for scheme, scopes in compiled.plan.security:
        asked.setdefault(scheme.scheme_name, {}).update(dict.fromkeys(scopes))
    return [{name: list(scopes)} for name, scopes in asked.items()]


def _operation(compiled: CompiledRoute, method: str, path: str, schemas: Schemas) -> Schema:
    route, plan = compiled.route, compiled.plan
    number = id(compiled)
    operation: Schema = {
        "summary": route.summary or route.name.replace("_", " ").title(),
        "operationId": _operation_id(compiled, method, path),
        "responses": _responses(compiled, method, path, schemas),
    }
    if route.tags:
        operation["tags"] = list(route.tags)
    description = route.description or inspect.getdoc(route.handler)
    if description:
        operation["description"] = description
    if route.deprecated:
        operation["deprecated"] = True
    if compiled.plan.security:
        operation["security"] = _security(compiled)
    parameters = [
        _parameter(each, schemas.of((number, place)))
        for place, each in enumerate(plan.described)
        if each.marker.include_in_schema
    ]
    if parameters:
        order = ("path", "query", "header", "cookie")
        # Several may ask for one and the same; the document names it once.
        once = {(each["in"], each["name"]): each for each in reversed(parameters)}
        first = list(reversed(once.values()))
        operation["parameters"] = sorted(first, key=lambda each: order.index(each["in"]))
    if plan.form.fields:
        operation["requestBody"] = form_body(
            compiled, _operation_id(compiled, method, path), schemas
        )
    elif plan.bodies:
        operation["requestBody"] = _request_body(compiled, method, path, schemas)
    _overlay(operation, route.openapi_extra or {})
    return operation


def _overlay(below: Schema, above: Mapping[str, Any]) -> None:
    """Put one description over another, within objects that both have too."""
    for name, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(name), dict):
            _overlay(below[name], value)
        else:
            below[name] = value


def _operation_id(compiled: CompiledRoute, method: str, path: str) -> str:
    route = compiled.route
    if route.operation_id is not None:
        return route.operation_id
    return re.sub(r"\W", "_", f"{route.name}{path}") + f"_{method.lower()}"


def _parameter(described: Described, schema: Schema) -> Schema:
    told = described.told
    parameter: Schema = {
        "name": told.name,
        "in": told.place,
        "required": told.required or told.place == "path",
        "schema": _titled(schema, told.name),
    }
    if described.marker.title is not None:
        parameter["schema"]["title"] = described.marker.title
    default = described.parameter.default
    if default is not ABSENT and default is not None:
        parameter["schema"]["default"] = _as_json(described, default)
    for name in ("description", "deprecated", "examples"):
        value = getattr(described.marker, name)
        if value is not None:
            parameter["schema"][name] = value
            if name != "examples":
                parameter[name] = value
    return parameter


def _as_json(described: Described, default: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(described.parameter.annotation).dump_python(default, mode="json")


def _titled(schema: Schema, name: str) -> Schema:
    if "$ref" in schema:
        return dict(schema)
    return {**schema, "title": name.title().replace("_", " ")}


def _request_body(compiled: CompiledRoute, method: str, path: str, schemas: Schemas) -> Schema:
    plan, number = compiled.plan, id(compiled)
    if not plan.is_embedded:
        (only,) = plan.bodies
        content = _of_body(only, schemas.of((number, only.name)))
    else:
        name = f"Body_{_operation_id(compiled, method, path)}"
        properties = {
            each.name: _of_body(each, schemas.of((number, each.name))) for each in plan.bodies
        }
        schemas.components[name] = {"title": name, "type": "object", "properties": properties}
        required = [each.name for each in plan.bodies if each.parameter.is_required]
        if required:
            schemas.components[name]["required"] = required
        content = {"$ref": _REFERENCE.format(model=name)}
    body: Schema = {"content": {"application/json": {"schema": content}}}
    if any(each.parameter.is_required for each in plan.bodies):
        body["required"] = True
    return body


def _of_body(body: BodyField, schema: Schema) -> Schema:
    return _titled(schema, body.name)


def _responses(compiled: CompiledRoute, method: str, path: str, schemas: Schemas) -> Schema:
    route, plan = compiled.route, compiled.plan
    status = route.status_code or 200
    response: Schema = {"description": route.response_description}
    kind = route.response_class or JSONResponse
    # A kind without a media type may be anything, or nothing at all, such as a redirect.
    if status not in (204, 304) and kind.media_type is not None:
        schema: Schema = {"type": "string"}
        if issubclass(kind, JSONResponse):
            schema = schemas.of((id(compiled), "returns"))
            if compiled.model not in (ABSENT, None) and "$ref" not in schema:
                schema = {**schema, "title": _response_title(compiled, method, path)}
        response["content"] = {kind.media_type: {"schema": schema}}
    responses: Schema = {str(status): response}
    if plan.described or plan.bodies or plan.form.fields:
        responses[str(HTTPStatus.UNPROCESSABLE_ENTITY.value)] = _refusal(schemas)
    for key, given in route.responses.items():
        declared = responses.setdefault(str(key), {})
        _overlay(declared, {name: value for name, value in given.items() if name != "model"})
        if "model" in given:
            media_type = kind.media_type or "application/json"
            content = declared.setdefault("content", {}).setdefault(media_type, {})
            content["schema"] = schemas.of((id(compiled), f"response {key}"))
        declared.setdefault("description", _phrase(str(key)))
    return dict(sorted(responses.items()))


def _phrase(status: str) -> str:
    if status.isdigit() and int(status) in HTTPStatus._value2member_map_:
        return HTTPStatus(int(status)).phrase
    return "Additional Response"


def _refusal(schemas: Schemas) -> Schema:
    """Describe the answer to what is not what a handler takes."""
    media_type, model = "application/json", "HTTPValidationError"
    schemas.components.update(_VALIDATION_SCHEMAS)
    if schemas.has_problems:
        media_type, model = MEDIA_TYPE, "Problem"
        schemas.components.update(PROBLEM_SCHEMAS)
        del schemas.components["HTTPValidationError"]
    schema = {"$ref": _REFERENCE.format(model=model)}
    return {"description": "Validation Error", "content": {media_type: {"schema": schema}}}


def _response_title(compiled: CompiledRoute, method: str, path: str) -> str:
    operation = _operation_id(compiled, method, path)
    return f"Response {operation}".replace("_", " ").title()


class Schemas:
    """The JSON schemas of all that the routes take and answer, made together."""

    def __init__(self, routes: list[CompiledRoute]) -> None:
        from pydantic import TypeAdapter

        self.components: dict[str, Schema] = {}
        self.has_problems = False
        self._found: dict[Any, Schema] = {}
        wanted: list[tuple[Any, Any, Any]] = []
        for each in routes:
            number = id(each)
            for place, described in enumerate(each.plan.described):
                adapter = TypeAdapter(
                    _annotated(described.parameter.annotation, described.metadata)
                )
                wanted.append(((number, place), "validation", adapter))
            fields: list[BodyField | FormField] = [*each.plan.bodies, *each.plan.form.fields]
            for body in fields:
                adapter = TypeAdapter(_annotated(body.parameter.annotation, body.metadata))
                wanted.append(((number, body.name), "validation", adapter))
            if each.model not in (ABSENT, None) and not _is_response(each.model):
                wanted.append(((number, "returns"), "serialization", TypeAdapter(each.model)))
            for key, given in each.route.responses.items():
                if "model" in given:
                    adapter = TypeAdapter(given["model"])
                    wanted.append(((number, f"response {key}"), "serialization", adapter))
        if wanted:
            found, definitions = TypeAdapter.json_schemas(
                wanted, ref_template=_REFERENCE, schema_generator=schema_generator()
            )
            self._found = {key: schema for (key, _), schema in found.items()}
            self.components.update(definitions.get("$defs", {}))

    def of(self, key: Any) -> Schema:
        """Return the schema of a parameter, a body or a return type; of anything, an empty one."""
        return self._found.get(key, {})


def _annotated(annotation: Any, metadata: tuple[Any, ...]) -> Any:
    for each in metadata:
        annotation = Annotated[annotation, each]
    return annotation


def _is_response(model: Any) -> bool:
    return inspect.isclass(model) and issubclass(model, Response)
