"""One typed route with our framework, once and many times over."""

from bench.compare.apps.web import shop
from bench.compare.apps.web.pydantic_models import Item
from hoopsnake.web import App

# By the name of the application: which shelves it has.
SHELVES = {"many": range(shop.ROUTES), "one": range(shop.ROUTES - 1, shop.ROUTES)}


def shop_with(shelves: range) -> App:
    """Make an application that has a route for each of these shelves."""
    app = App()
    for number in shelves:

        @app.get(f"{shop.shelf(number)}/{{item_id}}", name=f"read_item_{number}")
        async def read_item(item_id: int, currency: str = "EUR") -> Item:
            return Item(id=item_id, name=f"item {item_id}", price=9.5, currency=currency)

    return app


def __getattr__(name: str) -> App:
    """Make the one that a server asks for, and not the other."""
    if name not in SHELVES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return shop_with(SHELVES[name])
