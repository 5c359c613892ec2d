"""A typed FastAPI route: path and query parameters in, a validated model out."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    """What the route answers with."""

    id: int
    name: str
    price: float
    currency: str
    tags: list[str]


@app.get("/items/{item_id}")
async def read_item(item_id: int, currency: str = "EUR") -> Item:
    """Build one item from the request's parameters."""
    return Item(
        id=item_id, name=f"item {item_id}", price=9.5, currency=currency, tags=["new", "typed"]
    )
