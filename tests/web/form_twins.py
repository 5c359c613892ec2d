"""Routes with forms and uploads, for the application that is made with both frameworks."""

from types import ModuleType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Login(BaseModel):
    """A form."""

    name: str = Field(min_length=2)
    age: int
    tags: list[str] = []
    nick: str | None = None
    second: str = Field(default="", alias="second-name")


class Strict(BaseModel):
    """A form without anything else in it."""

    model_config = ConfigDict(extra="forbid")

    code: int


def add_forms(app: Any, web: ModuleType) -> None:
    _add_fields(app, web)
    _add_files(app, web)


def _add_fields(app: Any, web: ModuleType) -> None:
    form = web.Form

    @app.post("/form")
    async def fields(
        name: Annotated[str, form()],
        age: Annotated[int, form(ge=3)],
        tags: Annotated[list[str], form()] = [],  # noqa: B006
        some: Annotated[set[int] | None, form(max_length=2)] = None,
        other: Annotated[str, form(alias="o-ther", max_length=3, title="Ö")] = "x",
        agreed: Annotated[bool, form(description="Whether so")] = False,
    ) -> Any:
        return [name, age, tags, sorted(some or []), other, agreed]

    @app.post("/form/one")
    async def one(name: Annotated[str, form()]) -> Any:
        return name

    @app.post("/form/model")
    async def model(login: Annotated[Login, form()]) -> Any:
        return login

    @app.post("/form/strict")
    async def strict(given: Annotated[Strict, form()]) -> Any:
        return given

    @app.post("/form/old")
    async def old(name: str = form(), age: int = form(4, gt=1)) -> Any:
        return [name, age]

    @app.post("/form/read")
    async def read(request: web.Request) -> Any:
        given = await request.form()
        return [[name, str(value)] for name, value in given.multi_items()]

    async def who(name: Annotated[str, form()]) -> str:
        return name.upper()

    @app.post("/form/depends")
    async def depends(who: Annotated[str, web.Depends(who)], age: Annotated[int, form()]) -> Any:
        return [who, age]


def _add_files(app: Any, web: ModuleType) -> None:
    upload, file, form = web.UploadFile, web.File, web.Form

    async def told(each: Any) -> Any:
        content = await each.read()
        return [each.filename, each.content_type, each.size, len(content), content[:9].hex()]

    @app.post("/upload")
    async def one(picture: upload) -> Any:
        return await told(picture)

    @app.post("/upload/maybe")
    async def maybe(picture: upload | None = None) -> Any:
        return None if picture is None else await told(picture)

    @app.post("/upload/several")
    async def several(pictures: list[upload], note: Annotated[str, form()] = "") -> Any:
        return [note, [await told(each) for each in pictures]]

    @app.post("/upload/bytes")
    async def content(
        data: Annotated[bytes, file(description="All of it")],
        more: Annotated[list[bytes], file()] = [],  # noqa: B006
        least: Annotated[bytes | None, file(min_length=3)] = None,
    ) -> Any:
        return [len(data), [len(each) for each in more], len(least or b"")]

    @app.post("/upload/mixed/{number}")
    async def mixed(
        number: int,
        picture: Annotated[upload, file(alias="pic-ture")],
        title: Annotated[str, form(min_length=2)],
        page: int = 1,
    ) -> Any:
        return [number, await told(picture), title, page]

    @app.post("/upload/plain")
    def plain(picture: upload) -> Any:
        return [picture.filename, len(picture.file.read())]
