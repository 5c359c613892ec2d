"""What the web frameworks are asked for: the rows of the shop in `apps/web`."""

from dataclasses import replace
from types import MappingProxyType

from bench.compare import answers
from bench.compare.apps.web import shop
from bench.compare.contenders import OURS
from bench.compare.http_workloads import HTTP_CONNECTIONS, HttpWorkload
from bench.compare.measurement import Workload
from bench.compare.rate_workloads import StartWorkload
from bench.compare.servers import hoopsnake, uvicorn
from bench.compare.web_frameworks import (
    FASTAPI,
    FRAMEWORKS,
    WITH_BODY,
    WITH_UPLOAD,
    serving,
)

ONE_ROUTE = "one route"
# What each framework says by itself to a number that is none: that it is wrong, or that no such
# thing is there.
REFUSALS = MappingProxyType(
    dict.fromkeys(FRAMEWORKS, 422)
    | {"Starlette": 404, "Litestar": 404, "BlackSheep": 400, "Robyn": 400}
)


def row(key: str, says: str, path: str, is_right: answers.BodyCheck) -> HttpWorkload:
    """A row of every framework."""
    return HttpWorkload(
        key=key,
        title=f"{says}, {HTTP_CONNECTIONS} connections",
        # Each has its own.
        application="",
        path=path,
        is_right=is_right,
        servers=tuple(FRAMEWORKS.items()),
    )


TYPED = row(
    "web-typed",
    "GET of a typed route: a number of the path, a text of the query, a model of four fields",
    shop.ITEM,
    answers.json_equal_to(shop.ITEM_ANSWER),
)
WEB_WORKLOADS: tuple[Workload, ...] = (
    TYPED,
    replace(
        row(
            "web-body",
            f"POST of {len(shop.ORDER_BODY):,} bytes of JSON, validated and sent back",
            shop.ITEMS,
            answers.json_equal_to(shop.ORDER),
        ),
        posted=answers.Posted(shop.ORDER_BODY, "application/json"),
        servers=tuple(WITH_BODY.items()),
    ),
    replace(
        row("web-refused", "GET with a wrong number", shop.REFUSED, answers.says_something),
        statuses=REFUSALS,
    ),
    row(
        "web-depends",
        "GET with three dependencies, each of the one before",
        shop.READER,
        answers.json_equal_to(shop.READER_ANSWER),
    ),
    row(
        "web-list",
        f"GET of {len(shop.GOODS)} models, 10 KB",
        shop.ITEMS,
        answers.json_equal_to(shop.GOODS),
    ),
    replace(
        TYPED,
        key="web-routes",
        title=f"GET of the last of {shop.ROUTES} typed routes, {HTTP_CONNECTIONS} connections",
        path=shop.SHELF_ITEM,
        servers=(
            (OURS, serving(hoopsnake, "hoopsnake_routes:many")),
            (ONE_ROUTE, serving(hoopsnake, "hoopsnake_routes:one")),
        ),
    ),
    StartWorkload(
        key="web-start",
        title=f"From the start to the first byte, an application of {shop.ROUTES} typed routes",
        application="",
        path=shop.SHELF_ITEM,
        servers=(
            (OURS, serving(hoopsnake, "hoopsnake_routes:many")),
            (FASTAPI, serving(uvicorn, "fastapi_routes:many")),
        ),
        most_rounds=1,
    ),
    replace(
        row(
            "web-upload",
            f"POST of a form with a file of {len(shop.FILE):,} bytes",
            shop.UPLOADS,
            answers.json_equal_to(shop.UPLOAD_ANSWER),
        ),
        servers=tuple(WITH_UPLOAD.items()),
        posted=answers.Posted(shop.UPLOAD_BODY, f"multipart/form-data; boundary={shop.BOUNDARY}"),
    ),
)
