"""The shop with our framework, as somebody who comes from FastAPI writes it."""

from typing import Annotated

from bench.compare.apps.web.dependencies import Customer, Session, Settings
from bench.compare.apps.web.pydantic_models import GOODS, Item, Order, Reader, Received
from hoopsnake.web import App, Depends, UploadFile

app = App()


@app.get("/items/{item_id}")
async def read_item(item_id: int, currency: str = "EUR") -> Item:
    return Item(id=item_id, name=f"item {item_id}", price=9.5, currency=currency)


@app.get("/items")
async def read_items() -> list[Item]:
    return GOODS


@app.post("/items")
async def order(order: Order) -> Order:
    return order


async def settings() -> Settings:
    return Settings(shop="corner", currency="CHF")


async def session(settings: Annotated[Settings, Depends(settings)]) -> Session:
    return Session(settings, limit=50)


async def customer(session: Annotated[Session, Depends(session)]) -> Customer:
    return Customer(session, name="reader")


@app.get("/reader")
async def read_reader(customer: Annotated[Customer, Depends(customer)]) -> Reader:
    session = customer.session
    return Reader(
        name=customer.name,
        shop=session.settings.shop,
        currency=session.settings.currency,
        limit=session.limit,
    )


@app.post("/uploads")
async def upload(file: UploadFile) -> Received:
    content = await file.read()
    return Received(filename=file.filename or "", size=len(content))
