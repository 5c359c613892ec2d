"""The shop with Litestar, whose own way is msgspec."""

from typing import Annotated

from litestar import Litestar, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency, Provide
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, FromQuery, JSONBody

from bench.compare.apps.web.dependencies import Customer, Session, Settings
from bench.compare.apps.web.msgspec_models import GOODS, Item, Order, Reader, Received


@get("/items/{item_id:int}")
async def read_item(item_id: FromPath[int], currency: FromQuery[str] = "EUR") -> Item:
    return Item(id=item_id, name=f"item {item_id}", price=9.5, currency=currency)


@get("/items")
async def read_items() -> list[Item]:
    return GOODS


@post("/items", status_code=200)
async def order(data: JSONBody[Order]) -> Order:
    return data


async def settings() -> Settings:
    return Settings(shop="corner", currency="CHF")


async def session(settings: NamedDependency[Settings]) -> Session:
    return Session(settings, limit=50)


async def customer(session: NamedDependency[Session]) -> Customer:
    return Customer(session, name="reader")


@get("/reader")
async def read_reader(customer: NamedDependency[Customer]) -> Reader:
    session = customer.session
    return Reader(
        name=customer.name,
        shop=session.settings.shop,
        currency=session.settings.currency,
        limit=session.limit,
    )


@post("/uploads", status_code=200)
async def upload(
    data: Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> Received:
    file = data["file"]
    return Received(filename=file.filename, size=len(await file.read()))


app = Litestar(
    [read_item, read_items, order, read_reader, upload],
    dependencies={
        "settings": Provide(settings),
        "session": Provide(session),
        "customer": Provide(customer),
    },
    # Neither logs nor a page for developers at each refusal.
    logging_config=None,
    openapi_config=None,
)
