"""Wrong use that a type checker catches: mypy reports each `type: ignore` that is not needed."""

from __future__ import annotations

from typing import Any

import hoopsnake
from hoopsnake import EventLoop, ServerConfig, ServerLimits


async def answer() -> int:
    return 42


def application_of_another_kind(scope: Any, receive: Any, send: Any) -> None:
    """Not async, so the server has nothing to await."""


def run_what_is_no_coroutine() -> None:
    hoopsnake.run(answer)  # type: ignore[arg-type]
    text: str = hoopsnake.run(answer())  # type: ignore[assignment]
    hoopsnake.run(answer(), True)  # type: ignore[call-arg]
    print(text)


def configure_nonsense() -> None:
    ServerConfig("127.0.0.1")  # type: ignore[call-arg]
    ServerConfig(port="8000")  # type: ignore[arg-type]
    ServerConfig(lifespan="maybe")  # type: ignore[arg-type]
    ServerConfig(log_level="loud")  # type: ignore[arg-type]
    ServerConfig(workers=4)  # type: ignore[call-arg]
    ServerConfig(limits={"body_size": 1})  # type: ignore[arg-type]
    ServerLimits(body_size="1M")  # type: ignore[arg-type]
    ServerConfig().port = 80  # type: ignore[misc]


async def serve_nonsense() -> None:
    await hoopsnake.serve("shop.web:app")  # type: ignore[arg-type]
    await hoopsnake.serve(application_of_another_kind)  # type: ignore[arg-type]
    await hoopsnake.serve(answer, ServerConfig)  # type: ignore[arg-type]


def schedule_nonsense(loop: EventLoop) -> None:
    def double(number: int) -> int:
        return 2 * number

    loop.call_soon(double, "two")  # type: ignore[arg-type]
    loop.call_soon(double)  # type: ignore[arg-type]
    loop.call_later("soon", double, 2)  # type: ignore[arg-type]
    loop.call_soon(double, 2).when()  # type: ignore[attr-defined]
