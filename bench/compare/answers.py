"""Asks a server once by hand, so that a fast wrong answer is never measured."""

import http.client
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured

ANSWER_SECONDS = 5.0

# Says whether an answer's body is the right one.
BodyCheck = Callable[[bytes], bool]


@dataclass(frozen=True)
class Posted:
    """What a request carries; one that carries nothing is a GET."""

    body: bytes
    content_type: str = "text/plain"


def exactly(expected: bytes) -> BodyCheck:
    """Accept these bytes alone."""
    return lambda body: body == expected


def json_equal_to(expected: object) -> BodyCheck:
    """Accept any JSON text of this value: servers and frameworks differ in their blanks."""

    def check(body: bytes) -> bool:
        try:
            found: object = json.loads(body)
        except ValueError:
            return False
        return found == expected

    return check


def says_something(body: bytes) -> bool:
    """Accept any words, where each framework has its own: it is the status that counts."""
    return bool(body)


def check_http(
    endpoint: Endpoint, path: str, is_right: BodyCheck, posted: Posted | None, status: int
) -> None:
    """Ask twice over one connection, as the load will, and judge status and body."""
    method, body, kind = "GET", None, {}
    if posted is not None:
        method, body, kind = "POST", posted.body, {"content-type": posted.content_type}
    connection = http_client(endpoint)
    sockets: list[socket.socket | None] = []
    try:
        for _ in range(2):
            connection.request(method, path, body, kind)
            sockets.append(connection.sock)
            answer = connection.getresponse()
            answered = answer.read()
            if answer.status != status:
                raise NotMeasured(f"answered {answer.status} to {method} {path}: {answered[:80]!r}")
            if not is_right(answered):
                raise NotMeasured(f"wrong answer to {method} {path}: {answered[:80]!r}")
    except (OSError, http.client.HTTPException) as fault:
        raise NotMeasured(f"no answer to {method} {path}: {fault!r}") from fault
    finally:
        connection.close()
    # The client has quietly connected again if the server closed its connection in between.
    if sockets[0] is not sockets[1]:
        raise NotMeasured(
            "closes the connection after an answer: the load would measure connecting"
        )


def http_client(endpoint: Endpoint) -> http.client.HTTPConnection:
    """A client of this endpoint, which trusts its certificate where there is one."""
    if endpoint.certificate is None:
        return http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=ANSWER_SECONDS)
    context = ssl.create_default_context(cafile=endpoint.certificate / "chain.pem")
    return http.client.HTTPSConnection(
        "localhost", endpoint.port, timeout=ANSWER_SECONDS, context=context
    )


def check_echo(endpoint: Endpoint, size: int) -> None:
    """Send one message in two parts and take it back."""
    message = (bytes(range(256)) * (size // 256 + 1))[:size]
    try:
        with endpoint.connect_to_talk() as connection:
            connection.sendall(message[:100])
            connection.sendall(message[100:])
            with connection.makefile("rb") as stream:
                echoed = stream.read(size)
    except OSError as fault:
        raise NotMeasured(f"no echo: {fault!r}") from fault
    if echoed != message:
        raise NotMeasured(f"echoed {len(echoed)} wrong bytes for a message of {size}")
