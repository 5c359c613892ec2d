"""The private names of CPython's that the loop builds on: a Python that changes one fails here.

Nothing of this is promised by Python. When a test here fails on a new version, read what changed in
the module that it names, then bring `_event_loop.py` or the engine in line, then the test.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import socket
import ssl
import sys
import types
from asyncio import (
    base_events,
    constants,
    events,
    format_helpers,
    futures,
    selector_events,
    sslproto,
    transports,
    trsock,
    unix_events,
)
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, thread
from typing import Any

import pytest

from hoopsnake import EventLoop

pytestmark = pytest.mark.ours

# State of CPython's own engine, which ours does not keep up to date.
ENGINE_STATE = {
    *("_ready", "_scheduled", "_selector", "_stopping", "_task_factory", "_closed"),
    *("_timer_cancelled_count", "_run_once", "_process_events"),
}
# Inherited methods that touch it, and why that is right: the first is CPython's engine itself and
# never called on our loop; the others look at flags that `run_forever` and `close` do set.
KNOWN_TO_TOUCH_IT = {"_run_once", "_call_soon", "_check_closed", "_run_forever_cleanup"}


def code_names(function: Callable[..., Any]) -> set[str]:
    """Every attribute and global that a function's code mentions, inner functions included."""

    def walk(code: types.CodeType) -> Iterator[str]:
        yield from code.co_names
        for constant in code.co_consts:
            if inspect.iscode(constant):
                yield from walk(constant)

    return set(walk(inspect.unwrap(function).__code__))


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_no_inherited_method_works_on_the_engine_that_we_replaced() -> None:
    touching = set()
    for name in dir(asyncio.SelectorEventLoop):
        method = inspect.getattr_static(EventLoop, name)
        theirs = inspect.isfunction(method) and method.__module__.startswith("asyncio")
        if theirs and code_names(method) & ENGINE_STATE:
            touching.add(name)
    assert touching <= KNOWN_TO_TOUCH_IT


def test_nobody_calls_the_engine_that_we_replaced() -> None:
    callers = {"_run_once": "run_forever", "_call_soon": "call_soon"}
    for name in dir(EventLoop):
        method = inspect.getattr_static(EventLoop, name)
        if inspect.isfunction(method) and method.__module__.startswith("asyncio"):
            assert not code_names(method) & set(callers), name


@pytest.mark.parametrize(
    "name",
    [
        *("_check_closed", "_check_running", "_check_thread", "_check_callback"),
        *("_set_coroutine_origin_tracking", "_asyncgen_firstiter_hook"),
        *("_asyncgen_finalizer_hook", "_make_self_pipe", "_close_self_pipe", "_read_from_self"),
        *("_process_self_data", "_handle_signal", "_ensure_fd_no_transport"),
        *("_accept_connection", "_sendfile_fallback", "_add_callback_signalsafe"),
    ],
)
def test_the_loop_inherits(name: str) -> None:
    assert callable(getattr(asyncio.SelectorEventLoop, name))


@pytest.mark.parametrize(
    "name",
    [
        *("_add_reader", "_remove_reader", "_add_writer", "_remove_writer"),
        *("_make_socket_transport", "_make_ssl_transport", "_timer_handle_cancelled"),
        *("_make_datagram_transport", "_start_serving"),
        *("_add_callback_signalsafe", "call_soon", "call_at", "time", "is_closed", "stop"),
    ],
)
def test_what_we_override_is_still_what_asyncio_calls(name: str) -> None:
    assert name in dir(asyncio.SelectorEventLoop)
    inherited = inspect.getattr_static(asyncio.SelectorEventLoop, name)
    assert inspect.getattr_static(EventLoop, name) is not inherited


def test_signals_reach_the_loop_through_the_names_that_we_override() -> None:
    unix, selector = unix_events._UnixSelectorEventLoop, selector_events.BaseSelectorEventLoop
    assert "_add_callback_signalsafe" in code_names(unix._handle_signal)
    assert {"set_wakeup_fd", "_csock"} <= code_names(unix.add_signal_handler)
    assert "set_wakeup_fd" in code_names(unix.remove_signal_handler)
    assert {"_ssock", "_csock", "_add_reader"} <= code_names(selector._make_self_pipe)
    assert "_process_self_data" in code_names(selector._read_from_self)
    assert parameters(base_events.BaseEventLoop._add_callback_signalsafe) == ["self", "handle"]


def test_our_own_init_sets_every_attribute_that_theirs_sets() -> None:
    ours, theirs = EventLoop(), asyncio.SelectorEventLoop()
    try:
        assert set(vars(theirs)) - set(vars(ours)) == set()
    finally:
        ours.close()
        theirs.close()


@pytest.mark.parametrize(
    "name",
    [
        *("_make_socket_transport", "_make_ssl_transport", "_make_datagram_transport"),
        "_start_serving",
    ],
)
def test_transports_are_made_with_the_arguments_that_we_take(name: str) -> None:
    theirs = inspect.signature(getattr(selector_events.BaseSelectorEventLoop, name)).parameters
    ours = inspect.signature(getattr(EventLoop, name)).parameters
    assert list(ours) == list(theirs)
    assert [p.kind for p in ours.values()] == [p.kind for p in theirs.values()]


def test_tls_has_what_ours_takes_the_place_of() -> None:
    assert {"ssl_handshake_timeout", "ssl_shutdown_timeout", "call_connection_made"} <= set(
        parameters(sslproto.SSLProtocol.__init__)
    )
    assert issubclass(sslproto._SSLProtocolTransport, asyncio.Transport)
    assert parameters(sslproto._create_transport_context) == ["server_side", "server_hostname"]
    assert (constants.SSL_HANDSHAKE_TIMEOUT, constants.SSL_SHUTDOWN_TIMEOUT) == (60.0, 30.0)
    assert constants.FLOW_CONTROL_HIGH_WATER_SSL_READ == 256
    assert constants.FLOW_CONTROL_HIGH_WATER_SSL_WRITE == 512


def test_a_thread_pool_takes_work_as_we_give_it() -> None:
    used = {"_shutdown_lock", "_broken", "_shutdown", "_work_queue", "_adjust_thread_count", "put"}
    assert used <= code_names(ThreadPoolExecutor.submit)
    assert "_global_shutdown_lock" in code_names(ThreadPoolExecutor.submit)
    # What the pool asks of an item.
    assert "run" in code_names(thread._worker)
    assert {"future", "cancel"} <= code_names(ThreadPoolExecutor.shutdown)
    assert {"future", "set_exception"} <= code_names(ThreadPoolExecutor._initializer_failed)
    assert {"_default_executor", "_check_default_executor"} <= code_names(
        base_events.BaseEventLoop.run_in_executor
    )
    assert parameters(futures._convert_future_exc) == ["exc"]


def test_an_ssl_object_hands_its_calls_on() -> None:
    for method in ("read", "write"):
        assert code_names(getattr(ssl.SSLObject, method)) == {"_sslobj", method}


def test_a_server_counts_its_transports_as_we_tell_it() -> None:
    expected = ["self", "transport"] if sys.version_info >= (3, 13) else ["self"]
    assert parameters(base_events.Server._attach) == expected
    assert parameters(base_events.Server._detach) == expected


@pytest.mark.skipif(sys.version_info < (3, 13), reason="servers know their clients from 3.13 on")
def test_a_server_asks_of_its_clients_what_ours_answers() -> None:
    source = inspect.getsource(base_events.Server)
    asked = re.findall(r"(\w+\()?self\._clients(\.\w+| = .*)?", source)
    assert {before + after for before, after in asked} == {
        *(" = weakref.WeakSet()", ".add", ".discard", ".copy", "len("),
    }


def test_connections_are_accepted_as_we_do_it() -> None:
    selector = selector_events.BaseSelectorEventLoop
    serving = parameters(selector._start_serving)
    assert parameters(selector._accept_connection) == serving
    assert serving == [
        *("self", "protocol_factory", "sock", "sslcontext", "server", "backlog"),
        *("ssl_handshake_timeout", "ssl_shutdown_timeout"),
    ]
    assert constants.ACCEPT_RETRY_DELAY == 1
    assert "_start_serving" in code_names(base_events.Server._start_serving)
    assert {"_remove_reader", "fileno"} <= code_names(selector._stop_serving)


def test_the_table_of_transports_is_asked_what_ours_answers() -> None:
    users = {
        name
        for name in dir(asyncio.SelectorEventLoop)
        if inspect.isfunction(method := inspect.getattr_static(asyncio.SelectorEventLoop, name))
        and "_transports" in code_names(method)
    }
    assert users - {"__init__"} == {"_ensure_fd_no_transport", "_sendfile_native"}


def test_what_asyncio_asks_of_a_transport_is_there() -> None:
    from hoopsnake._native import SocketTransport

    assert "_start_tls_compatible" in base_events.BaseEventLoop.start_tls.__code__.co_consts
    assert "_sendfile_compatible" in base_events.BaseEventLoop.sendfile.__code__.co_consts
    fallback = base_events._SendfileFallbackProtocol
    assert "_FlowControlMixin" in code_names(fallback.__init__)
    assert "_protocol_paused" in code_names(fallback.__init__)
    aborting = "_force_close" if sys.version_info >= (3, 13) else "abort"
    assert aborting in code_names(sslproto.SSLProtocol._abort)
    for name in ("_start_tls_compatible", "_protocol_paused", "_force_close"):
        assert name in dir(SocketTransport), name
    assert SocketTransport._sendfile_compatible is constants._SendfileMode.TRY_NATIVE
    native = code_names(selector_events.BaseSelectorEventLoop._sendfile_native)
    for name in ("_sock", "_sock_fd", "_make_empty_waiter", "_reset_empty_waiter"):
        assert name in native, name
        assert name in dir(SocketTransport), name


def test_a_socket_counts_those_who_hold_its_descriptor() -> None:
    left, right = socket.socketpair()
    with right:
        left._io_refs += 1
        left.close()
        assert left.fileno() != -1
        left._decref_socketios()
        assert left.fileno() == -1


def test_a_socket_is_put_together_of_its_parts() -> None:
    left, right = socket.socketpair()
    with left, right:
        made = socket.socket.__new__(socket.socket)
        made._closed, made._io_refs = False, 0
        family, kind, number = left.family, left.type, left.fileno()
        socket.socket.__bases__[0].__init__(made, family, kind, 0, number)  # type: ignore[misc]
        assert repr(made) == repr(left)
        assert set(socket.socket.__slots__) == {"__weakref__", "_io_refs", "_closed"}
        assert socket.socket.__bases__[0].detach(made) == number
        assert made.fileno() == -1


def test_functions_that_we_call_take_what_we_pass() -> None:
    assert parameters(futures._set_result_unless_cancelled) == ["fut", "result"]
    assert parameters(format_helpers._format_callback_source)[:2] == ["func", "args"]
    assert parameters(base_events._format_handle) == ["handle"]
    assert parameters(events.Handle.__init__) == ["self", "callback", "args", "loop", "context"]
    assert parameters(events.TimerHandle.__init__)[:5] == [
        *("self", "when", "callback", "args", "loop"),
    ]
    assert parameters(trsock.TransportSocket.__init__) == ["self", "sock"]
    assert issubclass(transports._FlowControlMixin, asyncio.Transport)
    loop = EventLoop()
    try:
        events._set_running_loop(loop)
        assert asyncio.get_running_loop() is loop
    finally:
        events._set_running_loop(None)
        loop.close()


def test_debug_mode_finds_what_it_looks_at() -> None:
    loop = asyncio.SelectorEventLoop()
    loop.set_debug(True)
    try:
        handle = loop.call_soon(print)
        assert handle._source_traceback[-1].filename == __file__
        assert {"_current_handle", "slow_callback_duration"} <= set(vars(loop))
        assert "_timer_handle_cancelled" in code_names(events.TimerHandle.cancel)
    finally:
        loop.close()


def test_the_running_state_is_kept_where_asyncio_looks() -> None:
    assert "_thread_id" in code_names(base_events.BaseEventLoop.is_running)
    assert "_thread_id" in code_names(base_events.BaseEventLoop._check_thread)
    assert "call_soon_threadsafe" in code_names(futures._chain_future)


def test_whoever_polls_the_loop_by_itself_is_told_that_it_cannot(
    loop: asyncio.AbstractEventLoop,
) -> None:
    """As nest_asyncio does, which has a `_run_once` of its own."""
    assert "select" in code_names(base_events.BaseEventLoop._run_once)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="cannot be run inside itself"):
        loop._run_once()  # type: ignore[attr-defined]
