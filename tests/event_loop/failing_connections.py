"""Programs whose protocols and sockets raise where a loop least expects it.

They begin as those of `failing_callbacks` do.
"""

from __future__ import annotations

CONNECTIONS: dict[str, str] = {
    "a __del__ of a protocol and what it holds": """
        class Dying(asyncio.Protocol):
            def __del__(self):
                fail()
        async def main():
            left, right = socket.socketpair()
            transport, _ = await loop.create_connection(Dying, sock=right)
            transport.abort()
            left.close()
        loop.run_until_complete(main())
        turn()
        gc.collect()
    """,
    "a weak reference to a transport whose callback raises": """
        async def main():
            left, right = socket.socketpair()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=right)
            left.close()
            transport.abort()
            return weakref.ref(transport, fail)
        watched = loop.run_until_complete(main())
        turn()
        gc.collect()
        assert watched() is None
    """,
    "readers and writers that raise": """
        left, right = socket.socketpair()
        left.send(b"data")
        calls = []
        def raising(error):
            def call():
                calls.append(error)
                if len(calls) > 5:
                    loop.remove_reader(right), loop.remove_writer(right)
                raise error
            return call
        loop.add_reader(right, raising(LookupError("reading")))
        loop.add_writer(right, raising(Odd()))
        while len(calls) <= 5:
            turn()
        left.close(), right.close()
    """,
    "buffers that cannot be written": """
        class Buffer:
            def __buffer__(self, flags):
                fail()
            __len__ = fail
        class Length(bytearray):
            __len__ = __iter__ = __getitem__ = __repr__ = fail
        def raising():
            yield b"first"
            fail()
        async def main():
            left, right = socket.socketpair()
            with left:
                transport, _ = await loop.create_connection(asyncio.Protocol, sock=right)
                gaps = memoryview(b"ab")[::2]
                for data in (Buffer(), Length(b"x"), 1, None, "text", [b"x"], gaps):
                    try:
                        transport.write(data)
                    except (TypeError, LookupError, ValueError, BufferError):
                        pass
                for pieces in (raising(), [1], [None], 1, fail, [b"a", Buffer()]):
                    try:
                        transport.writelines(pieces)
                    except (TypeError, LookupError, ValueError):
                        pass
                transport.abort()
        loop.run_until_complete(main())
        turn()
    """,
    "sockets whose methods raise": """
        METHODS = ("fileno", "getsockname", "getpeername", "setsockopt", "recv", "recv_into",
                   "send", "sendmsg", "shutdown", "close", "detach", "gettimeout", "__repr__")
        class Ending(asyncio.Protocol):
            def connection_lost(self, error):
                pass
        def hostile(method):
            return type("Hostile", (socket.socket,), {method: fail})
        async def use(method):
            left, right = socket.socketpair()
            with left:
                wrapped = hostile(method)(fileno=right.detach())
                wrapped.setblocking(False)
                left.send(b"data")
                try:
                    transport, _ = await loop.create_connection(Ending, sock=wrapped)
                    transport.write(b"answer")
                    await asyncio.sleep(0)
                    if transport.can_write_eof():
                        transport.write_eof()
                    await asyncio.sleep(0)
                    repr(transport)
                    transport.abort()
                except (LookupError, OSError):
                    pass
                await asyncio.sleep(0.001)
        for method in METHODS:
            loop.run_until_complete(use(method))
        turn()
    """,
    "a recursion without end": """
        def deeper():
            deeper()
        class Deep(asyncio.Protocol):
            def data_received(self, data):
                deeper()
        async def main():
            left, right = socket.socketpair()
            with left:
                await loop.create_connection(Deep, sock=right)
                left.send(b"data")
                await asyncio.sleep(0.01)
        loop.call_soon(deeper)
        loop.run_until_complete(main())
        turn()
    """,
    "no memory": """
        class Full(asyncio.Protocol):
            def data_received(self, data):
                raise MemoryError
        def full():
            raise MemoryError
        async def main():
            left, right = socket.socketpair()
            with left:
                await loop.create_connection(Full, sock=right)
                left.send(b"data")
                await asyncio.sleep(0.01)
        loop.call_soon(full)
        loop.run_until_complete(main())
        turn()
    """,
    "a profiler and a tracer that raise": """
        class Echo(asyncio.Protocol):
            def connection_made(self, transport):
                self.transport = transport
            def data_received(self, data):
                self.transport.write(data)
        def profile(frame, event, argument):
            if frame.f_code.co_name in ("data_received", "watched"):
                raise LookupError("in the profiler")
        def watched():
            pass
        async def main():
            left, right = socket.socketpair()
            with left:
                await loop.create_connection(Echo, sock=right)
                left.send(b"data")
                await asyncio.sleep(0.01)
        for install in (sys.setprofile, sys.settrace):
            install(profile)
            loop.call_soon(watched)
            loop.run_until_complete(main())
            install(None)
        turn()
    """,
    "a loop whose own methods raise": """
        class Loop(type(loop)):
            broken = False
            def call_exception_handler(self, context):
                if self.broken:
                    fail()
            def call_soon(self, *args, **options):
                if self.broken and "Protocol" in repr(args):
                    fail()
                return super().call_soon(*args, **options)
        loop.close()
        loop = Loop()
        async def main():
            left, right = socket.socketpair()
            with left:
                transport, _ = await loop.create_connection(asyncio.Protocol, sock=right)
                loop.broken = True
                left.send(b"data")
                await asyncio.sleep(0.01)
                loop.broken = False
                transport.abort()
        try:
            loop.run_until_complete(main())
            loop.broken = True
            loop.call_soon(fail)
            turn()
        except LookupError:
            pass
        loop.broken = False
        turn()
    """,
    "datagrams that nobody wants": """
        class Failing(asyncio.DatagramProtocol):
            datagram_received = error_received = connection_lost = fail
        async def main():
            into, _ = await loop.create_datagram_endpoint(Failing, local_addr=("127.0.0.1", 0))
            address = into.get_extra_info("sockname")
            out, _ = await loop.create_datagram_endpoint(Failing, remote_addr=address)
            for _ in range(3):
                out.sendto(b"data")
                await asyncio.sleep(0.005)
            into.close()
            out.sendto(b"to nobody")
            await asyncio.sleep(0.005)
            out.close()
        loop.run_until_complete(main())
        turn()
    """,
    "subprocess protocols that raise": """
        class Failing(asyncio.SubprocessProtocol):
            connection_made = pipe_data_received = pipe_connection_lost = fail
            process_exited = connection_lost = fail
        async def main():
            transport, _ = await loop.subprocess_exec(Failing, "echo", "out")
            while transport.get_returncode() is None:
                await asyncio.sleep(0.005)
            transport.close()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
        turn()
    """,
    "name resolution that raises": """
        import socket as module
        module.getaddrinfo = fail
        async def main():
            for opening in (
                asyncio.open_connection("example.invalid", 80),
                asyncio.start_server(fail, "example.invalid", 80),
                loop.getaddrinfo("example.invalid", 80),
            ):
                try:
                    await opening
                except LookupError:
                    pass
        loop.run_until_complete(main())
        turn()
    """,
}
