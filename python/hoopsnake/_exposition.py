"""Metrics as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from hoopsnake._metrics import Snapshot

__all__ = ["OPEN_METRICS", "TEXT", "exposition", "wants_open_metrics"]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Number = int | float
Labels = Mapping[str, str]
# The end of its name, its labels and its value.
Sample = tuple[str, Labels, Number]


class Family(NamedTuple):
    """Samples that mean the same."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    help: str
    read: Callable[[Snapshot], Iterable[Sample]]


def exposition(
    snapshots: Sequence[tuple[str | None, Snapshot]], *, open_metrics: bool = False
) -> str:
    """Write the metrics of one process, or of several that have names.

    A name becomes the label `worker`; a process without one has no such label.
    """
    lines: list[str] = []
    for family in FAMILIES:
        samples = [
            _sample(family, sample, worker)
            for worker, snapshot in snapshots
            for sample in family.read(snapshot)
        ]
        if samples:
            lines += _head(family, open_metrics)
            lines += samples
    if open_metrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def wants_open_metrics(accept: str) -> bool:
    """Whether OpenMetrics is named in an Accept header, and preferred to plain text."""
    weights = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        if name not in weights:
            continue
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        weights[name] = max(weights[name], weight)
    return 0 < weights["application/openmetrics-text"] >= weights["text/plain"]


def _head(family: Family, open_metrics: bool) -> list[str]:
    name, kind = family.name, str(family.kind)
    if not open_metrics:
        # There the name is that of the samples, and nothing is known of `info`.
        name += {"counter": "_total", "info": "_info"}.get(kind, "")
        kind = "gauge" if kind == "info" else kind
    return [f"# HELP {name} {family.help}", f"# TYPE {name} {kind}"]


def _sample(family: Family, sample: Sample, worker: str | None) -> str:
    suffix, labels, value = sample
    pairs = [f'{name}="{_escaped(text)}"' for name, text in labels.items()]
    if worker is not None:
        pairs.append(f'worker="{_escaped(worker)}"')
    shown = "{" + ",".join(pairs) + "}" if pairs else ""
    return f"{family.name}{suffix}{shown} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _part(snapshot: Snapshot, path: str) -> Snapshot:
    return snapshot.get(path, {}) if path else snapshot


def _number(suffix: str, path: str) -> Callable[[Snapshot], Iterable[Sample]]:
    room, _, key = path.rpartition(".")

    def read(snapshot: Snapshot) -> Iterable[Sample]:
        found = _part(snapshot, room)
        if key in found:
            yield suffix, {}, found[key]

    return read


def _counter(name: str, path: str, help: str) -> Family:
    return Family(name, "counter", help, _number("_total", path))


def _gauge(name: str, path: str, help: str) -> Family:
    return Family(name, "gauge", help, _number("", path))


def _counters_by(name: str, key: str, label: str, help: str) -> Family:
    def read(snapshot: Snapshot) -> Iterable[Sample]:
        for each, count in snapshot.get(key, {}).items():
            yield "_total", {label: each}, count

    return Family(name, "counter", help, read)


def _requests(snapshot: Snapshot) -> Iterable[Sample]:
    for method, status, count in snapshot.get("requests", ()):
        yield "_total", {"method": method, "status": status}, count


def _open_connections(snapshot: Snapshot) -> Iterable[Sample]:
    for protocol, count in snapshot.get("connections_open", {}).items():
        yield "", {"protocol": protocol}, count


def _histogram(
    room: str, counts: str, bounds: str, total: str | None = None
) -> Callable[[Snapshot], Iterable[Sample]]:
    def read(snapshot: Snapshot) -> Iterable[Sample]:
        found = _part(snapshot, room)
        if counts not in found:
            return
        ends = [*(repr(float(bound)) for bound in found[bounds]), "+Inf"]
        sums = list(accumulate(found[counts]))
        for end, count in zip(ends, sums, strict=True):
            yield "_bucket", {"le": end}, count
        if total is not None:
            yield "_sum", {}, found[total]
            yield "_count", {}, sums[-1]

    return read


def _collector(key: str) -> Callable[[Snapshot], Iterable[Sample]]:
    def read(snapshot: Snapshot) -> Iterable[Sample]:
        for generation, counted in enumerate(snapshot.get("collector", ())):
            yield "_total", {"generation": str(generation)}, counted[key]

    return read


def _info(snapshot: Snapshot) -> Iterable[Sample]:
    if "version" in snapshot:
        yield "_info", {"version": snapshot["version"], "python": snapshot["python"]}, 1


FAMILIES = (
    Family("hoopsnake", "info", "Versions of hoopsnake and of Python.", _info),
    # Requests.
    Family(
        "hoopsnake_requests",
        "counter",
        "Requests whose responses have ended, by method and class of status.",
        _requests,
    ),
    _gauge(
        "hoopsnake_requests_in_flight",
        "requests_in_flight",
        "Requests that the application has and whose responses have not ended.",
    ),
    _gauge(
        "hoopsnake_requests_at_work",
        "requests_at_work",
        "Requests whose responses have not begun; the option concurrency limits them.",
    ),
    _gauge(
        "hoopsnake_requests_waiting",
        "requests_waiting",
        "Requests that wait until fewer are at work; the option queue limits them.",
    ),
    Family(
        "hoopsnake_request_duration_seconds",
        "histogram",
        "Time from a request's head to the end of its response, as the application gave it.",
        _histogram("", "durations", "duration_bounds", "duration_seconds"),
    ),
    _counter(
        "hoopsnake_request_body_bytes",
        "request_body_bytes",
        "Bytes of bodies that the application has taken.",
    ),
    _counter(
        "hoopsnake_response_body_bytes",
        "response_body_bytes",
        "Bytes of bodies that the application has given.",
    ),
    _counter(
        "hoopsnake_responses_incomplete",
        "responses_incomplete",
        "Responses that broke off, or whose clients left before them.",
    ),
    _counters_by(
        "hoopsnake_requests_refused",
        "requests_refused",
        "reason",
        "Requests that were refused before the application saw them.",
    ),
    _counter(
        "hoopsnake_requests_overloaded",
        "requests_overloaded",
        "Requests that got a 503 because too many were at work and waited.",
    ),
    _counter(
        "hoopsnake_requests_overdue",
        "requests_overdue",
        "Requests whose application did not begin a response in time, and that got a 504.",
    ),
    _counter(
        "hoopsnake_application_failures",
        "application_failures",
        "Exceptions that left the application while its client was there.",
    ),
    # Connections.
    _counters_by(
        "hoopsnake_connections",
        "connections",
        "protocol",
        "Connections that came as far as their first bytes, by protocol.",
    ),
    _counter("hoopsnake_tls_connections", "tls_connections", "Those of them that are over TLS."),
    Family(
        "hoopsnake_connections_open",
        "gauge",
        "Connections that are open, by protocol; the silent ones have not sent anything yet. A "
        "WebSocket over HTTP/2 is one beside its connection.",
        _open_connections,
    ),
    _counters_by(
        "hoopsnake_handshakes_failed",
        "handshakes_failed",
        "reason",
        "Connections that ended before their first request.",
    ),
    _counter(
        "hoopsnake_accepts_failed",
        "accepts_failed",
        "Times that the system had no descriptor or memory for a connection.",
    ),
    _counter(
        "hoopsnake_received_bytes", "received_bytes", "Bytes that clients have sent, inside TLS."
    ),
    _counter("hoopsnake_sent_bytes", "sent_bytes", "Bytes that were sent to clients, inside TLS."),
    # WebSockets.
    _counter("hoopsnake_websockets", "websockets_opened", "WebSockets that were accepted."),
    _counter(
        "hoopsnake_websockets_denied",
        "websockets_denied",
        "Handshakes that the application did not accept; they count as requests too.",
    ),
    _counter(
        "hoopsnake_websocket_messages_received",
        "websocket_messages_received",
        "Messages that clients have sent.",
    ),
    _counter(
        "hoopsnake_websocket_messages_sent",
        "websocket_messages_sent",
        "Messages that the application has sent.",
    ),
    # The event loop.
    Family(
        "hoopsnake_loop_lag_seconds",
        "histogram",
        "For each turn of the event loop, how long its oldest callback had been ready.",
        _histogram("loop", "ready_delays", "delay_bounds"),
    ),
    _counter("hoopsnake_loop_turns", "loop.turns", "Turns of the event loop."),
    _counter("hoopsnake_loop_callbacks", "loop.callbacks", "Callbacks that they ran."),
    _gauge("hoopsnake_loop_ready", "loop.ready", "Callbacks that wait for the next turn."),
    _gauge("hoopsnake_loop_timers", "loop.timers", "Timers that wait for their time."),
    _gauge(
        "hoopsnake_loop_transports",
        "loop.transports",
        "Stream transports of the program's own that are open.",
    ),
    _counter("hoopsnake_loop_callback_seconds", "loop.callback_seconds", "Time that turns took."),
    _counter(
        "hoopsnake_loop_parked_seconds",
        "loop.parked_seconds",
        "Time in which the loop waited for something to happen.",
    ),
    _counter(
        "hoopsnake_loop_gil_wait_seconds",
        "loop.gil_seconds",
        "Time in which the loop waited for another thread to release the interpreter lock.",
    ),
    # The threads of hoopsnake.web's handlers that are not async.
    _gauge("hoopsnake_handler_threads", "handler_threads.threads", "Threads that there may be."),
    _gauge("hoopsnake_handler_threads_working", "handler_threads.working", "Those at a call."),
    _gauge("hoopsnake_handler_calls_waiting", "handler_threads.waiting", "Calls without a thread."),
    _counter("hoopsnake_handler_calls", "handler_threads.done", "Calls that are over."),
    # The process, by the names that every client library of Prometheus has for it.
    _counter("process_cpu_seconds", "process.cpu_seconds", "CPU time, user and system."),
    _gauge(
        "process_resident_memory_bytes", "process.resident_memory_bytes", "Memory that is resident."
    ),
    _gauge(
        "process_virtual_memory_bytes", "process.virtual_memory_bytes", "Memory that is mapped."
    ),
    _gauge("process_open_fds", "process.open_fds", "Descriptors that are open."),
    _gauge("process_max_fds", "process.max_fds", "Descriptors that may be open."),
    _gauge(
        "process_start_time_seconds",
        "process.start_time_seconds",
        "When the process began, in seconds since 1970.",
    ),
    Family(
        "python_gc_collections",
        "counter",
        "Times that a generation was collected.",
        _collector("collections"),
    ),
    Family(
        "python_gc_objects_collected",
        "counter",
        "Objects that were collected.",
        _collector("collected"),
    ),
    Family(
        "python_gc_objects_uncollectable",
        "counter",
        "Objects that could not be collected.",
        _collector("uncollectable"),
    ),
)
