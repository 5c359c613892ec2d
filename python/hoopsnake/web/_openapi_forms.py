"""OpenAPI of forms: their request bodies, as FastAPI describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hoopsnake.web._form_plan import FormField
from hoopsnake.web._parameters import ABSENT

if TYPE_CHECKING:
    from hoopsnake.web._compiled import CompiledRoute
    from hoopsnake.web._openapi import Schemas

__all__ = ["form_body", "schema_generator"]

Schema = dict[str, Any]


def form_body(compiled: CompiledRoute, operation: str, schemas: Schemas) -> Schema:
    """Describe the form that an operation takes."""
    form, number = compiled.plan.form, id(compiled)
    names = {each.name for each in form.fields}
    if len(names) == 1 and form.fields[0].takes is not None:
        content = schemas.of((number, form.fields[0].name))
    else:
        name = f"Body_{operation}"
        schemas.components[name] = _component(name, form.fields, number, schemas)
        content = {"$ref": f"#/components/schemas/{name}"}
    body: Schema = {"content": {form.media_type: {"schema": content}}}
    if any(each.is_required for each in form.fields):
        body["required"] = True
    return body


def schema_generator() -> Any:
    """Return what makes schemas of types: pydantic's, with bytes as OpenAPI 3.1 has them."""
    from pydantic.json_schema import GenerateJsonSchema

    class Generator(GenerateJsonSchema):
        def bytes_schema(self, schema: Any) -> Schema:
            found: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
            self.update_with_validations(found, schema, self.ValidationsMapping.bytes)
            return found

    return Generator


def _component(name: str, fields: list[FormField], number: int, schemas: Schemas) -> Schema:
    component: Schema = {"title": name, "type": "object"}
    properties: dict[str, Schema] = {}
    conditions: list[Schema] = []
    for each in fields:
        schema = schemas.of((number, each.name))
        if each.takes is None:
            properties[each.name] = _property(each, schema)
        else:
            conditions.append(schema)
    if properties:
        component["properties"] = properties
    required = dict.fromkeys(
        each.name for each in fields if each.is_required and each.takes is None
    )
    if required:
        component["required"] = list(required)
    if conditions:
        component["allOf"] = conditions
    return component


def _property(field: FormField, schema: Schema) -> Schema:
    title = field.marker.title or field.name.title().replace("_", " ")
    told = dict(schema) if "$ref" in schema else {**schema, "title": title}
    default = field.parameter.default
    if default is not ABSENT and default is not None:
        from pydantic import TypeAdapter

        told["default"] = TypeAdapter(field.parameter.annotation).dump_python(default, mode="json")
    for name in ("description", "deprecated", "examples"):
        value = getattr(field.marker, name)
        if value is not None:
            told[name] = value
    return told
