"""Runs a Robyn application as its own command would: one process, one worker, nothing to read."""

import argparse
import importlib


def main() -> None:
    """Serve ``module:app`` on 127.0.0.1 until the process is ended; Robyn reads the line too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("application")
    parser.add_argument("--port", type=int, required=True)
    arguments, _for_robyn = parser.parse_known_args()
    module, _, attribute = arguments.application.partition(":")
    application = getattr(importlib.import_module(module), attribute)
    # Somebody who looks whether the port is taken would find that out by connecting.
    application.start(host="127.0.0.1", port=arguments.port, _check_port=False)


if __name__ == "__main__":
    main()
