"""A socket for programs that bring their own server, which is told where it listens."""

from __future__ import annotations

import socket


def listening_socket() -> socket.socket:
    """Listen on a free port, and say on standard output which."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    print(f"Serving on http://{host}:{port}", flush=True)
    return listener
