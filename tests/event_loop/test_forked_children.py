"""Children forked while the loop runs: they may run loops of their own, and the parent goes on."""

from __future__ import annotations

import subprocess

from loop_under_test import LONGEST_SECONDS
from parked_programs import StartProgram


def output(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 0, err
    return out


def test_a_child_of_a_running_loop_runs_a_loop_of_its_own(start_program: StartProgram) -> None:
    process = start_program("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        async def main():
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    loop = new_loop()
                    code = loop.run_until_complete(asyncio.sleep(0.001, 7))
                finally:
                    os._exit(code)
            await asyncio.sleep(0.001)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        print(asyncio.Runner(loop_factory=new_loop).run(main()))
    """)
    assert output(process) == "7\n"


def test_a_child_that_leaves_through_the_loop_takes_no_timer_of_the_parent(
    start_program: StartProgram,
) -> None:
    process = start_program("""
        import sys
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        async def main():
            await asyncio.sleep(0.001)
            child = os.fork()
            if child == 0:
                sys.exit(7)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            await asyncio.sleep(0.001)
            return code

        print(asyncio.Runner(loop_factory=new_loop).run(main()))
    """)
    assert output(process) == "7\n"


def test_work_in_forked_processes_may_use_asyncio(start_program: StartProgram) -> None:
    process = start_program("""
        import multiprocessing
        import warnings
        from concurrent.futures import ProcessPoolExecutor
        warnings.simplefilter("ignore", DeprecationWarning)

        def work(number):
            with asyncio.Runner(loop_factory=new_loop) as runner:
                return runner.run(asyncio.sleep(0.001, number * 2))

        async def main():
            loop = asyncio.get_running_loop()
            with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as executor:
                calls = [loop.run_in_executor(executor, work, number) for number in range(6)]
                return await asyncio.gather(*calls)

        with asyncio.Runner(loop_factory=new_loop) as runner:
            print(runner.run(main()))
    """)
    assert output(process) == "[0, 2, 4, 6, 8, 10]\n"


def test_the_connections_of_the_parent_are_unharmed(start_program: StartProgram) -> None:
    process = start_program("""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        async def echo(reader, writer):
            while data := await reader.read(1000):
                writer.write(data)
            writer.close()

        async def main():
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for word in (b"one", b"two", b"three"):
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)
                writer.write(word)
                print((await reader.readexactly(len(word))).decode())
            writer.close()
            server.close()

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
    """)
    assert output(process) == "one\ntwo\nthree\n"
