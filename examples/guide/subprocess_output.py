"""Starts other programs, talks to them, and reads what they print while they print it."""

import asyncio
import sys
from asyncio.subprocess import PIPE

COUNT = "import time\nfor n in range(3): print('line', n, flush=True)"
UPPER = "import sys; print(sys.stdin.read().upper(), end='')"
FAIL = "import sys; print('sorry', file=sys.stderr); sys.exit(3)"


async def main() -> None:
    counting = await asyncio.create_subprocess_exec(sys.executable, "-c", COUNT, stdout=PIPE)
    assert counting.stdout is not None
    async for line in counting.stdout:
        print("read:", line.decode().rstrip())
    print("status", await counting.wait())

    upper = await asyncio.create_subprocess_exec(
        sys.executable, "-c", UPPER, stdin=PIPE, stdout=PIPE
    )
    output, _ = await upper.communicate(b"shout\n")
    print("read:", output.decode().rstrip())

    failing = await asyncio.create_subprocess_exec(sys.executable, "-c", FAIL, stderr=PIPE)
    _, errors = await failing.communicate()
    print("errors:", errors.decode().rstrip(), "status", failing.returncode)

    shell = await asyncio.create_subprocess_shell("echo from the shell; exit 4", stdout=PIPE)
    output, _ = await shell.communicate()
    print("read:", output.decode().rstrip(), "status", shell.returncode)

    endless = await asyncio.create_subprocess_exec("sleep", "60")
    endless.terminate()
    print("stopped by signal", -await endless.wait())


asyncio.run(main())
