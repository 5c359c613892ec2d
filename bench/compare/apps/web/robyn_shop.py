"""The shop with Robyn: pydantic models, which it checks and writes by itself, orjson for lists."""

from dataclasses import dataclass
from typing import Any

from robyn import Request, Robyn

from bench.compare.apps.web import shop
from bench.compare.apps.web.dependencies import make_customer, make_session, make_settings
from bench.compare.apps.web.pydantic_models import Item, Order, Reader, Received

app = Robyn(__file__)


@dataclass
class Good:
    """An item of the list, which orjson writes by itself: five times as fast as with slots."""

    id: int
    name: str
    price: float
    currency: str


GOODS = [Good(**each) for each in shop.GOODS]


@app.get("/items/:item_id")
async def read_item(item_id: int, currency: str = "EUR") -> Item:
    return Item(id=item_id, name=f"item {item_id}", price=9.5, currency=currency)


@app.get("/items")
async def read_items() -> list[Good]:
    return GOODS


@app.post("/items")
async def order(order: Order) -> Order:
    return order


app.inject_global(
    make_settings=make_settings, make_session=make_session, make_customer=make_customer
)


@app.get("/reader")
async def read_reader(global_dependencies: dict[str, Any]) -> Reader:
    """What it injects are values: whoever wants one made for each request calls what makes it."""
    settings = await global_dependencies["make_settings"]()
    session = await global_dependencies["make_session"](settings)
    customer = await global_dependencies["make_customer"](session)
    return Reader(
        name=customer.name,
        shop=session.settings.shop,
        currency=session.settings.currency,
        limit=session.limit,
    )


@app.post("/uploads")
async def upload(request: Request) -> Received:
    ((filename, content),) = request.files.items()
    return Received(filename=filename, size=len(content))
