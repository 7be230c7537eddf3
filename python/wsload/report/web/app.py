"""The web view as an ASGI application: the page, its feed, its messages, and what Prometheus scrapes.

Loopback needs no token, but a name that is this machine's: a page of a stranger's in the same browser must not read
along by giving its own name to this address. Elsewhere a token is needed, once in the URL and then in a cookie.
"""

import hmac
import re
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wsload.errors import RunFileError
from wsload.report.export.prometheus import exposition
from wsload.report.html.page import page
from wsload.report.web.address import Address
from wsload.report.web.feed import Feed, event
from wsload.report.web.messages import viewer

COOKIE = "wsload-token"
WAITING = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<meta name="color-scheme" content="light dark"><title>wsload</title>
<body style="font-family: system-ui, sans-serif; margin: 3em"><p role="status">The run has not begun yet.</p>"""


def application(feed: Feed, token: str | None) -> Starlette:
    """The application of one run; `token` None lets in whoever names this machine."""

    async def show(request: Request) -> Response:
        if token and request.query_params.get("token"):
            # The token leaves the address bar and the history.
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return answer
        try:
            run = await feed.run()
        except RunFileError:
            return HTMLResponse(WAITING)
        return HTMLResponse(page([run], live="events", viewer=viewer() if run.record.header.plan.record else None))

    async def events(_: Request) -> Response:
        async def told() -> AsyncIterator[str]:
            yield "retry: 2000\n\n"
            async for update in feed.updates():
                yield event(update)

        return StreamingResponse(told(), media_type="text/event-stream")

    async def timeline(request: Request) -> Response:
        return JSONResponse(await feed.messages(dict(request.query_params)))

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(exposition(await feed.record()), media_type="text/plain; version=0.0.4")

    async def unread(_: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{getattr(error, 'what', error)}\n", 503)

    routes = [
        Route("/", show),
        Route("/events", events),
        Route("/timeline", timeline),
        Route("/metrics", metrics),
    ]
    guard = Middleware(_Guard, token=token)
    return Starlette(routes=routes, middleware=[guard], exception_handlers={RunFileError: unread})


class _Guard:
    """Lets in whoever may read, and has nothing of it kept."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))
        if refusal:
            await PlainTextResponse(f"{refusal}\n", 403)(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["cache-control"] = "no-store"
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                headers["x-frame-options"] = "DENY"
            await send(message)

        await self._app(scope, receive, guarded)

    def _refusal(self, request: Request) -> str:
        if self._token is None:
            host = re.sub(r":\d+$", "", request.headers.get("host", "")).strip("[]")
            return "" if Address(host, 0).is_loopback else "This view is for this machine only."
        given = request.query_params.get("token") or request.cookies.get(COOKIE, "")
        known = hmac.compare_digest(given.encode(), self._token.encode())
        return "" if known else "Open the address that wsload has printed: it holds the token."
