"""What the shop has and is asked for: plain data, the same for every framework."""

import json
from typing import Any

ITEM = "/items/7?currency=CHF"
ITEM_ANSWER = {"id": 7, "name": "item 7", "price": 9.5, "currency": "CHF"}
ITEMS = "/items"
# No item has that number, and no number is written like that.
REFUSED = "/items/x?currency=CHF"
READER = "/reader"
READER_ANSWER = {"name": "reader", "shop": "corner", "currency": "CHF", "limit": 50}
UPLOADS = "/uploads"

# As from a table in memory: what is measured is how they are written, not how they are made.
GOODS = [
    {
        "id": number,
        "name": f"a thing of this shop that has the number {number}",
        "price": number / 4,
        "currency": "CHF",
    }
    for number in range(1000, 1102)
]

ORDER: dict[str, Any] = {
    "customer": "Ada Lovelace",
    "note": "Please ring twice, and leave it with the neighbours if nobody opens.",
    "express": True,
    "lines": [
        {"sku": f"sku-{number}", "count": number % 7 + 1, "price": number / 4}
        for number in range(100, 121)
    ],
}
ORDER_BODY = json.dumps(ORDER, separators=(",", ":")).encode()

BOUNDARY = "----the-bench-sends-this-between-two-parts"
FILE = bytes(range(256)) * 400
UPLOAD_BODY = b"".join(
    (
        f"--{BOUNDARY}\r\n".encode(),
        b'Content-Disposition: form-data; name="file"; filename="photo.bin"\r\n',
        b"Content-Type: application/octet-stream\r\n\r\n",
        FILE,
        f"\r\n--{BOUNDARY}--\r\n".encode(),
    )
)
UPLOAD_ANSWER = {"filename": "photo.bin", "size": len(FILE)}

ROUTES = 200


def shelf(number: int) -> str:
    """The path of one of many routes, without what follows it."""
    return f"/shelf-{number}/items"


# The one that was declared last.
SHELF_ITEM = f"{shelf(ROUTES - 1)}/7?currency=CHF"
