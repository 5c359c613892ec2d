"""What must hold of servers, web framework and one echo; `thresholds` has the loop rows' limits."""

from collections.abc import Sequence

from bench.compare.client_workloads import HTTP2_RIVALS as HTTP2_CLIENTS
from bench.compare.client_workloads import RIVALS as CLIENTS
from bench.compare.client_workloads import TLS_RIVALS as TLS_CLIENTS
from bench.compare.contenders import OURS
from bench.compare.httpx_workloads import HTTPX_RIVALS
from bench.compare.measurement import Workload
from bench.compare.servers import UVICORN_ZTTP
from bench.compare.thresholds import (
    Limit,
    MeanThreshold,
    Medians,
    OwnThreshold,
    Threshold,
    Verdict,
    judge,
    judge_mean,
    judge_own,
    loop_thresholds,
)
from bench.compare.web_frameworks import FASTAPI, FRAMEWORKS, RAW
from bench.compare.web_workloads import ONE_ROUTE
from bench.compare.websocket_client_workloads import RIVALS as WEBSOCKET_CLIENTS

FAST = ("uvicorn", "granian", "fastpysgi")
ALL = (*FAST, UVICORN_ZTTP, "hypercorn", "gunicorn")
# fastpysgi stops after the first chunk.
STREAMING = ("uvicorn", "granian")
WEBSOCKETS = ("uvicorn", "granian", "hypercorn", "gunicorn")
TLS = ("uvicorn", UVICORN_ZTTP, "granian", "hypercorn", "gunicorn")
HTTP2 = (UVICORN_ZTTP, "granian", "hypercorn", "gunicorn")

# Each by its CPU, and by its throughput on one core: by the time between two answers.
COSTS: Sequence[tuple[str, float, Sequence[str], str]] = (
    ("http-hello", 0.6, ALL, "GET hello"),
    ("http-body-1k", 0.75, FAST, "GET of 1 KiB of JSON"),
    ("http-body-10k", 0.75, FAST, "GET of 10,000 bytes"),
    ("http-post", 0.75, FAST, "POST of 10,000 bytes"),
    ("http-wait", 0.75, FAST, "GET that waits for 10 ms"),
    ("http-stream", 0.75, STREAMING, "GET of 16 chunks"),
    ("http-static", 0.75, STREAMING, "GET of a file of 50,000 bytes"),
    ("https-hello", 0.75, TLS, "GET hello over TLS"),
    ("http2-hello", 0.75, HTTP2, "GET hello over HTTP/2"),
    ("websocket-64", 0.75, WEBSOCKETS, "WebSocket echo of 64 bytes"),
    ("websocket-64k", 0.75, WEBSOCKETS, "WebSocket echo of 64 KiB"),
)
# What a request may cost with our framework, each row against FastAPI and against the others.
WEB: Sequence[tuple[str, str]] = (
    ("web-typed", "typed GET"),
    ("web-body", "JSON body of 1 KB"),
    ("web-refused", "wrong number"),
    ("web-depends", "three dependencies"),
    ("web-list", "list of models of 10 KB"),
    ("web-upload", "upload of 100 KB"),
)
OTHER_FRAMEWORKS = tuple(name for name in FRAMEWORKS if name not in (OURS, RAW, FASTAPI))
WEB_THRESHOLDS: Sequence[Threshold] = (
    *(
        Threshold(
            workload=workload,
            figures=("cpu_us",),
            rivals=rivals,
            limit=Limit("at most", times),
            says=f"{says}: server CPU each, against {whom}",
        )
        for rivals, times, whom in (
            ((FASTAPI,), 0.25, "FastAPI on uvicorn"),
            (OTHER_FRAMEWORKS, 0.7, f"the best of {', '.join(OTHER_FRAMEWORKS)}"),
        )
        for workload, says in WEB
    ),
    Threshold(
        workload="web-typed",
        figures=("cpu_us",),
        rivals=(RAW,),
        limit=Limit("at most", 2.5),
        says="typed GET: server CPU each, against raw ASGI on our server",
    ),
    Threshold(
        workload="web-routes",
        figures=("cpu_us",),
        rivals=(ONE_ROUTE,),
        limit=Limit("at most", 1.1),
        says="200 routes: server CPU each, against one route",
    ),
    Threshold(
        workload="web-start",
        figures=("first_byte_ms",),
        rivals=(FASTAPI,),
        limit=Limit("at most", 0.5),
        says="start of an application of 200 routes to the first byte, against FastAPI on uvicorn",
    ),
)
MUST_HOLD: Sequence[Threshold | OwnThreshold] = (
    *(
        Threshold(
            workload=workload,
            figures=(figure,),
            rivals=rivals,
            limit=Limit("at most", times),
            says=f"{says}: {what}, against the best of the {len(rivals)} peers",
        )
        for figure, what in (
            ("cpu_us", "server CPU each"),
            ("wall_us", "time each on one core"),
        )
        for workload, times, rivals, says in COSTS
    ),
    Threshold(
        workload="http-hello",
        figures=("cpu_us",),
        rivals=("plain hyper",),
        limit=Limit("at most", 1.8),
        says="GET hello: server CPU each, against hyper without Python",
    ),
    *(
        Threshold(
            workload=f"fan-out-{what}",
            figures=("cpu_us",),
            rivals=("uvicorn",),
            limit=Limit("at most", 0.25),
            says=f"{says}: server CPU for each delivery, against FastAPI on uvicorn",
        )
        for what, says in (
            ("chat", "chat to 1,000 WebSockets"),
            ("events", "events to 1,000 clients"),
        )
    ),
    Threshold(
        workload="calm-hello",
        figures=("p99_us",),
        rivals=FAST,
        limit=Limit("at most", 1.0),
        says="GET hello at 70 % load: the slowest in a hundred, against the best of the 3 peers",
    ),
    Threshold(
        workload="start",
        figures=("first_byte_ms",),
        rivals=("uvicorn",),
        limit=Limit("at most", 0.7),
        says="start to first byte, against uvicorn",
    ),
    *(
        Threshold(
            workload=workload,
            figures=("kib_each",),
            rivals=("uvicorn", "granian"),
            limit=Limit("at most", 1.0),
            says=f"memory of an idle {says}, against the leaner of the two peers",
        )
        for workload, says in (
            ("idle-http", "keep-alive connection"),
            ("idle-websockets", "WebSocket"),
        )
    ),
    OwnThreshold(
        workload="overload",
        figure="goodput_share",
        limit=Limit("at least", 0.9),
        says="ten times the load: good answers, as a share of the best",
    ),
    OwnThreshold(
        workload="overload",
        figure="probes_answered_share",
        limit=Limit("at least", 1.0),
        says="ten times the load: health probes that are answered",
    ),
    OwnThreshold(
        workload="overload",
        figure="recovery_seconds",
        limit=Limit("at most", 2.0),
        says="after ten times the load: seconds to good answers again",
    ),
    Threshold(
        workload="tcp-protocol",
        figures=("cpu_us",),
        rivals=("uvloop",),
        limit=Limit("at most", 0.85),
        says="TCP echo 1 KiB: server CPU per message, against uvloop",
    ),
    *WEB_THRESHOLDS,
    *(
        Threshold(
            workload=workload,
            figures=("cpu_us",),
            rivals=rivals,
            limit=Limit("at most", times),
            says=f"Client: {says}: its CPU each, against the best of the {len(rivals)} peers",
        )
        for workload, times, rivals, says in (
            ("client-hello", 0.35, CLIENTS, "GET hello, 64 in flight"),
            ("client-hello-1", 0.6, CLIENTS, "GET hello, one in flight"),
            ("client-hello-16", 0.6, CLIENTS, "GET hello, 16 in flight"),
            ("client-hello-256", 0.6, CLIENTS, "GET hello, 256 in flight"),
            ("client-hello-1000", 0.6, CLIENTS, "GET hello, 1,000 in flight"),
            ("client-1k", 0.6, CLIENTS, "GET of 1 KiB"),
            ("client-100k", 0.6, CLIENTS, "GET of 100,000 bytes"),
            ("client-10m", 0.6, CLIENTS, "GET of 10 MB"),
            ("client-stream", 0.6, CLIENTS, "GET of 16 chunks, read as they come"),
            ("client-post-100k", 0.6, CLIENTS, "POST of 100,000 bytes, sent back"),
            ("client-tls", 0.6, TLS_CLIENTS, "GET hello over TLS"),
            ("client-http2", 0.6, HTTP2_CLIENTS, "GET hello over HTTP/2, 100 streams"),
            ("client-cold", 0.6, CLIENTS, "GET hello, a new connection for each"),
            ("client-websocket-64", 0.6, WEBSOCKET_CLIENTS, "WebSocket echo of 64 bytes"),
            ("client-websocket-64k", 0.6, WEBSOCKET_CLIENTS, "WebSocket echo of 64 KiB"),
        )
    ),
    Threshold(
        workload="client-httpx2",
        figures=("cpu_us",),
        rivals=HTTPX_RIVALS,
        limit=Limit("at most", 0.6),
        says="Client: GET hello by httpx2: its CPU each, against httpx2's own connections",
    ),
    OwnThreshold(
        workload="client-create",
        figure="create_ms",
        limit=Limit("at most", 1.0),
        says="Client: making one after the first: milliseconds",
    ),
)


def judge_all(workloads: Sequence[Workload], medians: Medians) -> list[Verdict]:
    """Judge what must hold of the workloads that this run measured."""
    verdicts = []
    for threshold in [t for t in MUST_HOLD if t.workload in medians] + loop_thresholds(workloads):
        match threshold:
            case MeanThreshold():
                verdicts.append(judge_mean(threshold, medians))
            case OwnThreshold():
                verdicts.append(judge_own(threshold, medians[threshold.workload]))
            case Threshold():
                verdicts.append(judge(threshold, medians[threshold.workload]))
    return verdicts
