"""The shop with BlackSheep: msgspec writes its JSON, pydantic looks at what comes in."""

from typing import Any

import msgspec
from blacksheep import Application, Content, FromFiles, FromJSON, Response, get, post
from blacksheep.settings.json import json_settings

from bench.compare.apps.web.dependencies import Customer, Session, Settings
from bench.compare.apps.web.msgspec_models import GOODS, Item, Reader, Received
from bench.compare.apps.web.pydantic_models import Order

encode = msgspec.json.Encoder().encode


def write(value: Any) -> str:
    return encode(value).decode()


json_settings.use(loads=msgspec.json.decode, dumps=write)
app = Application()


# Its dependencies are services of a request: classes, of which each names what it needs.
class ShopSettings(Settings):
    def __init__(self) -> None:
        super().__init__(shop="corner", currency="CHF")


class ShopSession(Session):
    def __init__(self, settings: ShopSettings) -> None:
        super().__init__(settings, limit=50)


class ShopCustomer(Customer):
    def __init__(self, session: ShopSession) -> None:
        super().__init__(session, name="reader")


for service in (ShopSettings, ShopSession, ShopCustomer):
    app.services.add_scoped(service)


@get("/items/{item_id}")
async def read_item(item_id: int, currency: str = "EUR") -> Item:
    return Item(id=item_id, name=f"item {item_id}", price=9.5, currency=currency)


@get("/items")
async def read_items() -> list[Item]:
    return GOODS


@post("/items")
async def order(data: FromJSON[Order]) -> Response:
    return Response(
        200, content=Content(b"application/json", data.value.model_dump_json().encode())
    )


@get("/reader")
async def read_reader(customer: ShopCustomer) -> Reader:
    session = customer.session
    return Reader(
        name=customer.name,
        shop=session.settings.shop,
        currency=session.settings.currency,
        limit=session.limit,
    )


@post("/uploads")
async def upload(files: FromFiles) -> Received:
    (file,) = files.value
    return Received(filename=(file.file_name or b"").decode(), size=len(file.data))
