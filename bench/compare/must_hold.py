"""What must hold of the servers and of one echo; `thresholds` has the limits of the loop rows."""

from collections.abc import Sequence

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
