"""Runs fastpysgi on uvloop, which its own command line cannot express."""

import argparse
import importlib

import fastpysgi
import uvloop


def main() -> None:
    """Serve ``module:app`` on 127.0.0.1 until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("application")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    module, _, attribute = arguments.application.partition(":")
    application = getattr(importlib.import_module(module), attribute)
    fastpysgi.server.loop = uvloop.new_event_loop()
    fastpysgi.run(application, host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
