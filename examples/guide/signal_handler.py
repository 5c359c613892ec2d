"""A signal handler of the loop may touch its tasks: here SIGTERM ends the program in good order."""

import asyncio
import os
import signal


async def work(stop: asyncio.Event) -> int:
    """Do one piece of work after another, and finish the one at hand when asked to stop."""
    pieces = 0
    while not stop.is_set():
        await asyncio.sleep(0.01)
        pieces += 1
        if pieces == 3:
            # As `kill`, a supervisor or a container's stop would.
            os.kill(os.getpid(), signal.SIGTERM)
    return pieces


async def main() -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    # Unlike a handler of signal.signal, this one runs between the loop's callbacks, not amid them.
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.timeout(10):
        print("stopped after some work:", await work(stop) >= 3)

    print("removed:", loop.remove_signal_handler(signal.SIGTERM))
    print("removed again:", loop.remove_signal_handler(signal.SIGTERM))
    print("as at first:", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)


asyncio.run(main())
