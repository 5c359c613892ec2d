"""The shop's models, for the frameworks whose way msgspec is, or that leave the choice."""

from typing import Annotated

import msgspec

from bench.compare.apps.web import shop

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Item(msgspec.Struct):
    id: int
    name: str
    price: float
    currency: str


class Line(msgspec.Struct):
    sku: Text
    count: Annotated[int, msgspec.Meta(gt=0)]
    price: float


class Order(msgspec.Struct):
    customer: Text
    note: str
    express: bool
    lines: list[Line]


class Reader(msgspec.Struct):
    name: str
    shop: str
    currency: str
    limit: int


class Received(msgspec.Struct):
    filename: str
    size: int


GOODS = msgspec.convert(shop.GOODS, list[Item])
