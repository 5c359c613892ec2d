"""Loops that are still running when the interpreter ends."""

from __future__ import annotations

from parked_programs import StartProgram, finish


def test_a_busy_loop_in_a_daemon_thread_ends_quietly(start_program: StartProgram) -> None:
    # The thread comes back for the GIL when the interpreter is being taken apart already.
    process = start_program("""
        import threading
        import time

        loop = new_loop()

        def tick():
            time.sleep(0.2)
            loop.call_soon(tick)

        class SlowEnd:
            def __del__(self):
                time.sleep(0.5)

        running = threading.Event()
        loop.call_soon(running.set)
        loop.call_soon(tick)
        threading.Thread(target=loop.run_forever, daemon=True).start()
        running.wait()
        asyncio.slow_end = SlowEnd()
        print("ending", flush=True)
    """)
    assert finish(process) == (0, "ending\n", "")
