"""The request that a redirect asks for; where it leads and what goes along, hoop-fetch says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hoopsnake._client._errors import RequestError, StreamConsumed, TooManyRedirects, shown
from hoopsnake._client._request import Request
from hoopsnake._native import redirect

if TYPE_CHECKING:
    from hoopsnake._native import Response


def next_request(request: Request, response: Response) -> Request | None:
    """Make the request that a redirect asks for; None if the response is no redirect.

    Raises UnsupportedProtocol and RemoteProtocolError for one that leads nowhere, and
    StreamConsumed if it asks for a body once more that is made as it goes.
    """
    try:
        step = redirect(
            response.status_code, request.method, response.url, request.headers, response.headers
        )
    except RequestError as error:
        raise told(error, request) from None
    if step is None:
        return None
    url, becomes_get, leaves_origin, headers = step
    method = "GET" if becomes_get else request.method
    extensions = request.extensions
    if leaves_origin and "sni_hostname" in extensions:
        # It is a name of the first origin's: another one's certificate is not to be for it.
        extensions = {name: it for name, it in extensions.items() if name != "sni_hostname"}
    following = Request(method, url, headers, extensions=extensions)
    if not becomes_get:
        following.content = once_more(request, "a redirect")
        following.content_length = request.content_length
    following._has_left = request._has_left or leaves_origin
    if not leaves_origin:
        following._cookies = request._cookies
        given = request.headers.get("cookie")
        if given is not None and given != request._made_cookie:
            following.headers["cookie"] = given
    return following


def once_more(request: Request, who: str) -> bytes | None:
    """Tell a body that is to be sent once more."""
    if isinstance(request.content, bytes | None):
        return request.content
    raise StreamConsumed(
        f"{request.method} {shown(request)}: {who} asks for the body once more, "
        "and one that is made as it goes is made once"
    )


def too_many(request: Request, most: int) -> RequestError:
    """Make what is raised when redirects do not end."""
    return told(TooManyRedirects(f"more than {most} redirects"), request)


def told(error: RequestError, request: Request) -> RequestError:
    """Say whose error it is."""
    told = type(error)(f"{request.method} {shown(request)}: {error} (read phase)")
    told.request, told.phase = request, "read"
    return told
