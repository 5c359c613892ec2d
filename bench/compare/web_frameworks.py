"""The web frameworks that are compared: the application of each, and the server it does best on."""

from collections.abc import Mapping

from bench.compare.contenders import OURS, Programs
from bench.compare.servers import (
    PLAIN,
    HttpCommand,
    Offer,
    fastpysgi,
    granian,
    hoopsnake,
    uvicorn,
)

APPLICATIONS = "bench.compare.apps.web"
RAW = "raw ASGI"
FASTAPI = "FastAPI"


def robyn(programs: Programs, application: str, port: int, _offer: Offer = PLAIN) -> list[str]:
    """Run its own server, which no application but its own can have: one process of one worker."""
    return [
        *(str(programs.python), "-m", "bench.compare.robyn_server", application),
        *("--port", str(port), "--processes", "1", "--workers", "1"),
        *("--log-level", "WARN", "--disable-openapi"),
    ]


def serving(command: HttpCommand, application: str) -> HttpCommand:
    """Make the command of a server that always serves this application."""

    def with_application(
        programs: Programs, _application: str, port: int, offer: Offer = PLAIN
    ) -> list[str]:
        return command(programs, f"{APPLICATIONS}.{application}", port, offer)

    return with_application


# FastAPI is on the server that its limit names, and Robyn brings its own. The others were tried on
# uvicorn, granian and fastpysgi, each as `servers` runs it, beside other work. In µs of CPU for the
# typed row, Starlette took 55, 41 and 46 of them, Litestar 80, 69 and 99, BlackSheep 57 and 40:
# fastpysgi gives it no answer, and to no framework a file of 100 KB.
FRAMEWORKS: Mapping[str, HttpCommand] = {
    OURS: serving(hoopsnake, "hoopsnake_shop:app"),
    RAW: serving(hoopsnake, "raw_shop:app"),
    FASTAPI: serving(uvicorn, "fastapi_shop:app"),
    "Starlette": serving(granian, "starlette_shop:app"),
    "Litestar": serving(granian, "litestar_shop:app"),
    "BlackSheep": serving(granian, "blacksheep_shop:app"),
    "Robyn": serving(robyn, "robyn_shop:app"),
}
# With a body of 1 KB fastpysgi takes less than granian: a quarter for Starlette (70 and 98 µs, the
# medians of three), a tenth for Litestar (140 and 153).
WITH_BODY: Mapping[str, HttpCommand] = {
    **FRAMEWORKS,
    "Starlette": serving(fastpysgi, "starlette_shop:app"),
    "Litestar": serving(fastpysgi, "litestar_shop:app"),
}
# A file of 100 KB comes cheaper through uvicorn than through granian: 385 and 599 µs for Starlette,
# 416 and 678 for Litestar, 332 and 423 for BlackSheep.
WITH_UPLOAD: Mapping[str, HttpCommand] = {
    **FRAMEWORKS,
    "Starlette": serving(uvicorn, "starlette_shop:app"),
    "Litestar": serving(uvicorn, "litestar_shop:app"),
    "BlackSheep": serving(uvicorn, "blacksheep_shop:app"),
}
