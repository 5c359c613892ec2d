"""Loops that are still running when the interpreter ends."""

from __future__ import annotations

import pytest
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


@pytest.mark.ours
def test_a_busy_server_in_a_daemon_thread_ends_quietly(start_program: StartProgram) -> None:
    process = start_program("""
        import logging
        import socket
        import threading
        import time
        import hoopsnake

        logging.getLogger("hoopsnake").setLevel("CRITICAL")
        entered = threading.Event()
        listening = threading.Event()

        async def app(scope, receive, send):
            entered.set()
            time.sleep(0.3)

        class Journal(logging.Handler):
            def emit(self, record):
                if "Serving on" in record.msg:
                    self.port = int(record.args[0].rpartition(":")[2])
                    listening.set()

        journal = Journal()
        logging.getLogger("hoopsnake").addHandler(journal)
        config = hoopsnake.ServerConfig(port=0, lifespan="off")
        serving = lambda: hoopsnake.run(hoopsnake.serve(app, config))
        threading.Thread(target=serving, daemon=True).start()
        listening.wait()
        client = socket.create_connection(("127.0.0.1", journal.port))
        client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
        entered.wait()

        class SlowEnd:
            def __del__(self):
                time.sleep(0.6)

        asyncio.slow_end = SlowEnd()
        print("ending", flush=True)
    """)
    assert finish(process) == (0, "ending\n", "")
