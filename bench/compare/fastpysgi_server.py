"""Runs fastpysgi with its best settings, which its own command line cannot express."""

import argparse
import importlib

import fastpysgi
import uvloop


def main() -> None:
    """Serve ``module:app`` on 127.0.0.1 until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("application")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--loop-timeout", type=int, default=3)
    parser.add_argument("--nodelay", type=int, default=0)
    arguments = parser.parse_args()
    module, _, attribute = arguments.application.partition(":")
    application = getattr(importlib.import_module(module), attribute)
    if arguments.loop == "uvloop":
        fastpysgi.server.loop = uvloop.new_event_loop()
    fastpysgi.server.loop_timeout = arguments.loop_timeout
    fastpysgi.server.tcp_nodelay = arguments.nodelay
    fastpysgi.run(application, host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
