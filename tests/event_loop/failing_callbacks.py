"""Programs whose callbacks and tasks raise where a loop least expects it.

`loop` is a new loop, `fail` raises LookupError, `turn` runs the loop for a while, and `Odd` is an
exception that can be neither shown nor caught by `except Exception`.
"""

from __future__ import annotations

HEAD = """
import contextvars, gc, socket, sys, threading, weakref

loop = new_loop()

def fail(*_):
    raise LookupError("on purpose")

class Odd(BaseException):
    def __str__(self):
        raise LookupError("no text")
    __repr__ = __str__

def turn():
    loop.run_until_complete(asyncio.sleep(0.005))

def turns_in_which_it_may_leave():
    # asyncio's own loop is left with the exception of a repr that raises.
    for _ in range(6):
        try:
            turn()
        except LookupError:
            pass
"""

CALLBACKS: dict[str, str] = {
    "an exception handler that raises": """
        loop.set_exception_handler(fail)
        loop.call_soon(fail)
        loop.call_exception_handler({"message": "by hand"})
        turn()
    """,
    "an exception handler that raises what cannot be shown": """
        def odd(*_):
            raise Odd
        loop.set_exception_handler(odd)
        loop.call_soon(fail)
        loop.call_soon(odd)
        turn()
    """,
    "an exception that cannot be shown": """
        def odd():
            raise Odd
        loop.call_soon(odd)
        loop.call_later(0, odd)
        loop.call_soon_threadsafe(odd)
        turn()
    """,
    "an exception that cannot be made": """
        class Unmakeable(Exception):
            def __init__(self):
                raise LookupError("not even this")
        def raise_it():
            raise Unmakeable
        loop.call_soon(raise_it)
        turn()
    """,
    "a handler in the default handler's place": """
        class Loop(type(loop)):
            def default_exception_handler(self, context):
                fail()
        loop.close()
        loop = Loop()
        loop.call_soon(fail)
        turn()
    """,
    "a callback whose every trait raises": """
        class Hostile:
            def __call__(self, *_):
                fail()
            __repr__ = __str__ = __eq__ = __hash__ = __bool__ = __len__ = fail
            def __getattr__(self, name):
                fail()
        hostile = Hostile()
        loop.call_soon(hostile)
        loop.call_soon(hostile, hostile)
        loop.call_later(0, hostile, hostile).cancel()
        loop.call_later(0, hostile)
        loop.call_soon_threadsafe(hostile)
        turns_in_which_it_may_leave()
    """,
    "a failing callback that cannot be shown": """
        class Shy:
            def __call__(self):
                fail()
            __repr__ = fail
        loop.call_soon(Shy())
        loop.call_later(0, Shy())
        loop.set_debug(True)
        loop.call_soon(Shy())
        turns_in_which_it_may_leave()
    """,
    "a __del__ of an argument": """
        class Dying:
            def __del__(self):
                fail()
            def __call__(self, *_):
                pass
        loop.call_soon(Dying(), Dying())
        loop.call_soon(Dying()).cancel()
        loop.call_later(60, Dying()).cancel()
        loop.call_later(0, Dying(), Dying())
        turn()
    """,
    "a __del__ that uses the loop": """
        class Dying:
            def __init__(self, last_words):
                self.last_words = last_words
            def __del__(self):
                self.last_words()
            def __call__(self):
                pass
        async def nothing():
            pass
        def nested():
            coroutine = nothing()
            try:
                loop.run_until_complete(coroutine)
            finally:
                coroutine.close()
        for last_words in (
            lambda: loop.call_soon(fail),
            lambda: loop.call_later(0, int),
            lambda: loop.call_soon_threadsafe(int),
            loop.stop,
            loop.close,
            nested,
            lambda: loop.set_debug(False),
            gc.collect,
        ):
            loop.call_soon(Dying(last_words))
            loop.call_soon(lambda: loop.call_later(60, Dying(last_words)).cancel())
        loop.run_forever()
        turn()
    """,
    "a __del__ while the loop is closed": """
        class Dying:
            def __del__(self):
                try:
                    loop.call_soon(int)
                finally:
                    fail()
            def __call__(self):
                pass
        for _ in range(3):
            loop.call_soon(Dying())
            loop.call_later(60, Dying())
        loop.close()
        gc.collect()
        loop = new_loop()
        turn()
    """,
    "a context that is none": """
        for context in (1, object(), {}, type):
            try:
                loop.call_soon(int, context=context)
            except (TypeError, AttributeError):
                pass
        turn()
    """,
    "a context variable whose value dies badly": """
        class Dying:
            def __del__(self):
                fail()
        variable = contextvars.ContextVar("variable")
        context = contextvars.copy_context()
        context.run(variable.set, Dying())
        loop.call_soon(variable.set, Dying(), context=context)
        loop.call_soon(int, context=context)
        del context
        turn()
    """,
    "awaitables and coroutines that misbehave": """
        class Awaitable:
            def __init__(self, given):
                self.given = given
            def __await__(self):
                return self.given() if callable(self.given) else self.given
        class Stubborn:
            def __iter__(self):
                return self
            def __next__(self):
                return None
            def throw(self, *_):
                fail()
            def close(self):
                fail()
        async def await_it(given):
            await Awaitable(given)
        async def yield_garbage():
            class Yielding:
                def __await__(self):
                    yield "garbage"
            await Yielding()
        for given in (1, fail, Odd):
            try:
                loop.run_until_complete(await_it(given))
            except (TypeError, LookupError, Odd):
                pass
        try:
            loop.run_until_complete(yield_garbage())
        except RuntimeError:
            pass
        task = loop.create_task(await_it(Stubborn()))
        turn()
        task.cancel()
        turn()
        assert isinstance(task.exception(), LookupError)
    """,
    "done callbacks that raise": """
        future = loop.create_future()
        future.add_done_callback(fail)
        future.add_done_callback(lambda _: (_ for _ in ()).throw(Odd()))
        future.set_result(None)
        turn()
    """,
    "task factories that raise or make no task": """
        coroutine = asyncio.sleep(0)
        for factory in (fail, lambda *_, **__: None, lambda *_, **__: 1):
            loop.set_task_factory(factory)
            try:
                loop.create_task(coroutine)
                loop.run_until_complete(coroutine)
            except (LookupError, AttributeError, TypeError, RuntimeError):
                pass
        coroutine.close()
        loop.set_task_factory(None)
        turn()
    """,
    "signal handlers that raise": """
        loop.add_signal_handler(signal.SIGUSR1, fail)
        os.kill(os.getpid(), signal.SIGUSR1)
        turn()
        loop.remove_signal_handler(signal.SIGUSR1)
        signal.signal(signal.SIGUSR2, fail)
        for schedule in (loop.call_soon, lambda callback: loop.call_later(0.001, callback)):
            schedule(lambda: os.kill(os.getpid(), signal.SIGUSR2))
            try:
                turn()
            except LookupError:
                pass
        # One that comes while the thread sleeps in the poller.
        heard = threading.Event()
        def hear(*_):
            heard.set()
            fail()
        def stop_when_heard():
            global watching
            watching = loop.call_later(0.05, stop_when_heard)
            if heard.is_set():
                loop.stop()
        signal.signal(signal.SIGUSR2, hear)
        stop_when_heard()
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR2)).start()
        try:
            loop.run_forever()
        except LookupError:
            pass
        watching.cancel()
        turn()
    """,
    "threads that raise": """
        async def main():
            for error in (LookupError("in the thread"), Odd()):
                def raise_it(error=error):
                    raise error
                try:
                    await loop.run_in_executor(None, raise_it)
                except (LookupError, Odd):
                    pass
            thread = threading.Thread(target=loop.call_soon_threadsafe, args=(fail,))
            thread.start()
            await asyncio.to_thread(thread.join)
        loop.run_until_complete(main())
        turn()
    """,
    "a garbage collector's callback that raises": """
        gc.callbacks.append(fail)
        for _ in range(3):
            loop.call_soon(gc.collect)
            turn()
        gc.callbacks.clear()
    """,
    "asynchronous generators that end badly": """
        async def generator():
            try:
                yield 1
            finally:
                fail()
        async def main():
            left = generator()
            await anext(left)
        loop.run_until_complete(main())
        gc.collect()
        turn()
        loop.run_until_complete(loop.shutdown_asyncgens())
    """,
    "objects that die with the interpreter": """
        class Dying:
            def __del__(self):
                try:
                    loop.call_soon(int)
                    loop.call_soon_threadsafe(int)
                    loop.stop()
                finally:
                    fail()
            def __call__(self):
                pass
        turn()
        loop.dying = Dying()
        asyncio.dying = Dying()
        loop.call_soon(Dying())
        loop.call_later(60, Dying())
    """,
}
