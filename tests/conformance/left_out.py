"""Which of CPython's asyncio tests are not for our loop, by name, and why.

Only what is tied to the inside of CPython's own loops stands here. A name is `module.Class.test`,
and `*` stands for any part of it. What CPython skips by itself (Windows, missing features) is not
listed.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

SAME_AS_EPOLL = "differs by its selector alone from EPollEventLoopTests, and our loop has none"
WINDOWS = "tests the loop for Windows"
OWN_LOOP = "makes CPython's base class of loops itself, and mocks what that one polls with"
MOCK_SOCKET = "gives the loop a mock of a socket, with the descriptor of standard output"
MOCK_READERS = "looks into the table of readers of the suite's mock of a loop"

WITH_SELECTOR = "test_base_events.BaseEventLoopWithSelectorTests"

LEFT_OUT = {
    "test_events.PollEventLoopTests.*": SAME_AS_EPOLL,
    "test_events.SelectEventLoopTests.*": SAME_AS_EPOLL,
    "test_sendfile.PollEventLoopTests.*": SAME_AS_EPOLL,
    "test_sendfile.SelectEventLoopTests.*": SAME_AS_EPOLL,
    "test_sock_lowlevel.PollEventLoopTests.*": SAME_AS_EPOLL,
    "test_sock_lowlevel.SelectEventLoopTests.*": SAME_AS_EPOLL,
    "test_proactor_events.*": WINDOWS,
    "test_selector_events.*": "tests the parts of CPython's selector loop on mocks of one another",
    "test_base_events.BaseEventLoopTests.*": OWN_LOOP,
    "test_base_events.BaseLoopSockSendfileTests.*": OWN_LOOP,
    "test_base_events.TestSelectorUtils.*": "tests a private function that asks a selector",
    f"{WITH_SELECTOR}.test_create_connection_ip_addr": MOCK_SOCKET,
    f"{WITH_SELECTOR}.test_create_connection_ipv6_scope": MOCK_SOCKET,
    f"{WITH_SELECTOR}.test_create_connection_no_inet_pton": MOCK_SOCKET,
    f"{WITH_SELECTOR}.test_create_connection_service_name": MOCK_SOCKET,
    f"{WITH_SELECTOR}.test_create_datagram_endpoint_ip_addr": MOCK_SOCKET,
    "test_unix_events.UnixReadPipeTransportTests.*": MOCK_READERS,
    "test_unix_events.UnixWritePipeTransportTests.*": MOCK_READERS,
    "test_tasks.*.test_stop_while_run_in_complete": (
        "asks how far the virtual clock of the suite's mock of a loop moves after the loop stopped"
    ),
    "test_tasks.*.test_log_destroyed_pending_task": (
        "steps the loop by its private _run_once to lose a pending task; our loop keeps those alive"
    ),
}


def why_left_out(name: str) -> str | None:
    """The reason why the test is left out; None for one that runs."""
    for pattern, reason in LEFT_OUT.items():
        if fnmatchcase(name, pattern):
            return reason
    return None
