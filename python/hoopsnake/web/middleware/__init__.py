"""ASGI middleware: for `App.add_middleware`, and around any other ASGI application."""

from hoopsnake.web.middleware.body_limit import BodyLimitMiddleware
from hoopsnake.web.middleware.compression import CompressionMiddleware
from hoopsnake.web.middleware.concurrency_limit import ConcurrencyLimitMiddleware
from hoopsnake.web.middleware.cors import CORSMiddleware
from hoopsnake.web.middleware.csrf import CSRFMiddleware, csrf_token
from hoopsnake.web.middleware.gzip import GZipMiddleware
from hoopsnake.web.middleware.httpsredirect import HTTPSRedirectMiddleware
from hoopsnake.web.middleware.rate_limit import RateLimit, RateLimitMiddleware
from hoopsnake.web.middleware.request_id import RequestIdMiddleware
from hoopsnake.web.middleware.sessions import Session, SessionMiddleware
from hoopsnake.web.middleware.timeout import TimeoutMiddleware
from hoopsnake.web.middleware.trustedhost import TrustedHostMiddleware

__all__ = [
    "BodyLimitMiddleware",
    "CORSMiddleware",
    "CSRFMiddleware",
    "CompressionMiddleware",
    "ConcurrencyLimitMiddleware",
    "GZipMiddleware",
    "HTTPSRedirectMiddleware",
    "RateLimit",
    "RateLimitMiddleware",
    "RequestIdMiddleware",
    "Session",
    "SessionMiddleware",
    "TimeoutMiddleware",
    "TrustedHostMiddleware",
    "csrf_token",
]
