"""Each task has its own view of a context variable, as if every request had its own globals."""

import asyncio
from contextvars import ContextVar, copy_context

visitor: ContextVar[str] = ContextVar("visitor", default="nobody")


def log(message: str) -> None:
    print(f"[{visitor.get()}] {message}")


async def handle(name: str, all_here: asyncio.Barrier) -> list[str]:
    visitor.set(name)
    # From here on the others have set the variable too; this task does not see it.
    await all_here.wait()
    return [visitor.get(), await asyncio.create_task(audit())]


async def audit() -> str:
    # A task begins with a copy of the context that it was made in, and changes its own copy.
    client = visitor.get()
    visitor.set("the auditor")
    return f"{client}, audited by {visitor.get()}"


async def main() -> None:
    loop = asyncio.get_running_loop()
    names = ["Ada", "Grace", "Radia"]
    all_here = asyncio.Barrier(len(names))
    for seen in await asyncio.gather(*[handle(name, all_here) for name in names]):
        print(seen)
    log("main has set nothing")

    visitor.set("main")
    called = asyncio.Event()
    loop.call_soon(log, "a callback runs in the context of its caller")
    context = copy_context()
    context.run(visitor.set, "guest")
    loop.call_soon(log, "or in the one that it was given", context=context)
    loop.call_later(0.01, called.set)
    await called.wait()

    # to_thread carries the context into the thread.
    await asyncio.to_thread(log, "a thread")


asyncio.run(main())
