"""The shop's models, for the frameworks whose way is pydantic."""

from pydantic import BaseModel, Field

from bench.compare.apps.web import shop


class Item(BaseModel):
    id: int
    name: str
    price: float
    currency: str


class Line(BaseModel):
    sku: str = Field(min_length=1)
    count: int = Field(gt=0)
    price: float


class Order(BaseModel):
    customer: str = Field(min_length=1)
    note: str
    express: bool
    lines: list[Line]


class Reader(BaseModel):
    name: str
    shop: str
    currency: str
    limit: int


class Received(BaseModel):
    filename: str
    size: int


GOODS = [Item.model_validate(each) for each in shop.GOODS]
