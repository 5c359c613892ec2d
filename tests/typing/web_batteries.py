"""Security, middleware, limits and templates as a typed program uses them."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, assert_type

from hoopsnake.web import (
    App,
    Depends,
    HTTPException,
    ProblemResponse,
    RateLimit,
    Request,
    Response,
    Security,
    Templates,
    ThreadStats,
    Turnstile,
    handler_threads,
    inline,
)
from hoopsnake.web.middleware import (
    BodyLimitMiddleware,
    CompressionMiddleware,
    ConcurrencyLimitMiddleware,
    CORSMiddleware,
    CSRFMiddleware,
    GZipMiddleware,
    HTTPSRedirectMiddleware,
    RateLimitMiddleware,
    RequestIdMiddleware,
    SessionMiddleware,
    TimeoutMiddleware,
    TrustedHostMiddleware,
    csrf_token,
)
from hoopsnake.web.security import (
    APIKeyHeader,
    HTTPBasic,
    HTTPBasicCredentials,
    OAuth2PasswordBearer,
    SecurityScopes,
    jwt,
)

KEY = secrets.token_hex(32)

app = App(errors="problem", threads=20, thread_queue=50, docs_url=None)
app.add_middleware(CORSMiddleware, allow_origins=["https://a.example"], allow_credentials=True)
app.add_middleware(CSRFMiddleware, secret_key=KEY, trusted_origins=["https://a.example"])
app.add_middleware(SessionMiddleware, secret_key=[KEY], same_site="strict")
app.add_middleware(CompressionMiddleware, encodings=["gzip"], levels={"gzip": 1})
app.add_middleware(GZipMiddleware, minimum_size=1000)
app.add_middleware(TrustedHostMiddleware, allowed_hosts=["*.a.example"])
app.add_middleware(HTTPSRedirectMiddleware)
app.add_middleware(RequestIdMiddleware, trust=True)
app.add_middleware(RateLimitMiddleware, limit=RateLimit("10/second"))
app.add_middleware(TimeoutMiddleware, seconds=3)
app.add_middleware(BodyLimitMiddleware, max_body=1000)
app.add_middleware(ConcurrencyLimitMiddleware, limit=10, queue=5, wait=0.5)

bearer = OAuth2PasswordBearer("token", scopes={"read": "to read"})
basic = HTTPBasic(realm="here")
key = APIKeyHeader(name="x-key", auto_error=False)


@inline
def user(scopes: SecurityScopes, token: Annotated[str, Depends(bearer)]) -> str:
    try:
        claims = jwt.decode(token, KEY, algorithms=["HS256"])
    except jwt.InvalidToken as error:
        raise HTTPException(401, error.reason) from None
    assert_type(claims, dict[str, Any])
    return f"{claims['sub']} {scopes.scope_str}"


assert_type(jwt.encode({"sub": "ada"}, KEY), str)


@app.get("/", timeout=2, concurrency=Turnstile(5, queue=2), limit=RateLimit("5/minute", burst=2))
async def handler(
    request: Request,
    user: Annotated[str, Security(user, scopes=["read"])],
    credentials: Annotated[HTTPBasicCredentials, Depends(basic, limit=3)],
    key: Annotated[str | None, Depends(key)],
) -> Response:
    request.session["user"] = user
    assert_type(csrf_token(request), str)
    assert_type(request.url_for("handler"), str)
    if key is None:
        return ProblemResponse(402, title="Pay", cost=3)
    return Templates("pages").response(request, "page.html", {"name": credentials.username})


assert_type(handler_threads.stats(), ThreadStats)
