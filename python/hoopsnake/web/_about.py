"""What an application says of itself in its OpenAPI document, beside its name and version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["About"]


class About(NamedTuple):
    """The parts of the document that nothing follows from; None leaves one out."""

    summary: str | None
    terms_of_service: str | None
    contact: Mapping[str, Any] | None
    license_info: Mapping[str, Any] | None
    tags: Sequence[Mapping[str, Any]] | None
    servers: Sequence[Mapping[str, Any]] | None

    def added_to(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with these parts in it."""
        info = {
            "summary": self.summary,
            "termsOfService": self.terms_of_service,
            "contact": self.contact,
            "license": self.license_info,
        }
        beside = {"tags": self.tags, "servers": self.servers}
        return document | {"info": document["info"] | _given(info)} | _given(beside)


def _given(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parts.items() if value is not None}
