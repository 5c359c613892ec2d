"""The HTTP servers that are compared: the command that starts each, in its best shape."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.compare.contenders import LIMIT, OURS, Programs

STATIC_PREFIX = "/static"


@dataclass(frozen=True)
class Offer:
    """What a server offers on its port; by default the applications over HTTP/1.1 alone."""

    certificate: Path | None = None
    """The folder with chain.pem and key.pem, where it speaks TLS."""
    http2: bool = False
    """It speaks HTTP/2 to clients that begin with it."""
    websocket: bool = False
    static: Path | None = None
    """The folder whose files it serves under /static."""


PLAIN = Offer()
# Takes the programs, the application (`module:attribute`), a port on 127.0.0.1, what to offer.
HttpCommand = Callable[[Programs, str, int, Offer], list[str]]


def tls(offer: Offer, certificate: str, key: str) -> list[str]:
    """The two options by which a server is told its certificate and key."""
    if offer.certificate is None:
        return []
    chain, secret = offer.certificate / "chain.pem", offer.certificate / "key.pem"
    return [certificate, str(chain), key, str(secret)]


def hoopsnake(programs: Programs, application: str, port: int, offer: Offer = PLAIN) -> list[str]:
    """Run `hoop serve`, by its module."""
    static = [] if offer.static is None else ["--static", f"{STATIC_PREFIX}={offer.static}"]
    return [
        *(str(programs.python), "-m", "hoopsnake", "serve", application),
        *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
        *tls(offer, "--ssl-certfile", "--ssl-keyfile"),
        *static,
    ]


def uvicorn(programs: Programs, application: str, port: int, offer: Offer = PLAIN) -> list[str]:
    """Run the usual fast set-up: uvloop, httptools, no access log."""
    return uvicorn_with("httptools", programs, application, port, offer)


def uvicorn_zttp(
    programs: Programs, application: str, port: int, offer: Offer = PLAIN
) -> list[str]:
    """Run it with its newer parser, which is the one that speaks HTTP/2."""
    return uvicorn_with("zttp", programs, application, port, offer)


def uvicorn_with(
    parser: str, programs: Programs, application: str, port: int, offer: Offer
) -> list[str]:
    """Run uvicorn with one of its parsers; static files are Starlette's there."""
    folder: list[str] = []
    if offer.static is not None:
        folder = ["env", f"BENCH_STATIC={offer.static}"]
        application = "bench.compare.apps.static_files:app"
    return [
        *folder,
        *(str(programs.python), "-m", "uvicorn", application),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--loop", "uvloop", "--http", parser, "--no-access-log", "--log-level", "warning"),
        # Of its three, the one that costs least.
        *(["--ws", "websockets-sansio"] if offer.websocket else []),
        *(["--http2"] if offer.http2 else []),
        # By default it closes a connection that is idle for five seconds.
        *("--timeout-keep-alive", "75"),
        *tls(offer, "--ssl-certfile", "--ssl-keyfile"),
    ]


def granian(programs: Programs, application: str, port: int, offer: Offer = PLAIN) -> list[str]:
    """Run one worker over ASGI, on the loop and in the runtime mode that cost it least."""
    static = ["--static-path-route", STATIC_PREFIX, "--static-path-mount", str(offer.static)]
    return [
        *(str(programs.python), "-m", "granian", "--interface", "asgi", application),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-log"),
        # One version alone, and no WebSocket without need, spare it a look at each connection.
        *("--http", "2" if offer.http2 else "1", "--ws" if offer.websocket else "--no-ws"),
        # Of one to four threads, and one or two in the other mode, this took the least CPU: a
        # fifth less than its defaults, with the server on a core of its own.
        *("--loop", "uvloop", "--runtime-mode", "st", "--runtime-threads", "2"),
        # From as many connections on it accepts no more, idle ones included.
        *("--backlog", "16384"),
        *([] if offer.http2 else ["--http1-pipeline-flush"]),
        *tls(offer, "--ssl-certificate", "--ssl-keyfile"),
        *([] if offer.static is None else static),
    ]


def fastpysgi(programs: Programs, application: str, port: int, _offer: Offer = PLAIN) -> list[str]:
    """Run it by its API: uvloop, which spares it a seventh of its CPU, is no option of its own."""
    return [
        *(str(programs.python), "-m", "bench.compare.fastpysgi_server", application),
        *("--port", str(port)),
    ]


def hypercorn(programs: Programs, application: str, port: int, offer: Offer = PLAIN) -> list[str]:
    """Run one worker on uvloop; it tells by a connection's first bytes what is spoken."""
    return [
        *(str(programs.python), "-m", "hypercorn", application),
        *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "uvloop"),
        *("--log-level", "warning", "--keep-alive", "75"),
        *tls(offer, "--certfile", "--keyfile"),
    ]


def gunicorn(programs: Programs, application: str, port: int, offer: Offer = PLAIN) -> list[str]:
    """Run its own ASGI worker on uvloop, with its parser in C."""
    return [
        *(str(programs.python), "-m", "gunicorn", application, "--worker-class", "asgi"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--asgi-loop", "uvloop"),
        *("--http-parser", "fast", "--log-level", "warning", "--keep-alive", "75"),
        *(
            ["--http-protocols", "h2,h1", "--http2-cleartext", "prior-knowledge"]
            if offer.http2
            else []
        ),
        *tls(offer, "--certfile", "--keyfile"),
    ]


def plain_hyper(
    programs: Programs, _application: str, port: int, offer: Offer = PLAIN
) -> list[str]:
    """Run the server without Python, which has each workload's answer at its path."""
    return [
        *(str(programs.plain_hyper), "--port", str(port)),
        *([] if offer.certificate is None else ["--tls", str(offer.certificate)]),
        *(["--http2"] if offer.http2 else []),
    ]


UVICORN_ZTTP = "uvicorn zttp"
HTTP_SERVERS: Mapping[str, HttpCommand] = {
    OURS: hoopsnake,
    "uvicorn": uvicorn,
    UVICORN_ZTTP: uvicorn_zttp,
    "granian": granian,
    "fastpysgi": fastpysgi,
    "hypercorn": hypercorn,
    "gunicorn": gunicorn,
    LIMIT: plain_hyper,
}


def servers(*names: str) -> tuple[tuple[str, HttpCommand], ...]:
    """Ours and these."""
    return tuple((name, HTTP_SERVERS[name]) for name in (OURS, *names))
