"""The shop with Starlette, which has no models: msgspec, the fastest that one could take, has."""

from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.compare.apps.web.dependencies import make_customer, make_session, make_settings
from bench.compare.apps.web.msgspec_models import GOODS, Item, Order, Reader, Received

encode = msgspec.json.Encoder().encode
decode_order = msgspec.json.Decoder(Order).decode


class JSON(Response):
    """As Starlette's documentation has it for orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encode(content)


async def read_item(request: Request) -> Response:
    item_id = request.path_params["item_id"]
    currency = request.query_params.get("currency", "EUR")
    return JSON(Item(id=item_id, name=f"item {item_id}", price=9.5, currency=currency))


async def read_items(_request: Request) -> Response:
    return JSON(GOODS)


async def order(request: Request) -> Response:
    try:
        order = decode_order(await request.body())
    except msgspec.DecodeError as fault:
        return JSON({"detail": str(fault)}, status_code=422)
    return JSON(order)


async def read_reader(_request: Request) -> Response:
    """Dependencies are calls here."""
    session = await make_session(await make_settings())
    customer = await make_customer(session)
    return JSON(
        Reader(
            name=customer.name,
            shop=session.settings.shop,
            currency=session.settings.currency,
            limit=session.limit,
        )
    )


async def upload(request: Request) -> Response:
    async with request.form() as form:
        file: Any = form["file"]
        return JSON(Received(filename=file.filename, size=len(await file.read())))


app = Starlette(
    routes=[
        Route("/items/{item_id:int}", read_item),
        Route("/items", read_items, methods=["GET"]),
        Route("/items", order, methods=["POST"]),
        Route("/reader", read_reader),
        Route("/uploads", upload, methods=["POST"]),
    ]
)
