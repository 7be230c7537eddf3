"""One connection over picows that tells all that happens on it as events."""

import asyncio
import base64
import contextlib
import logging
import os
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator

from picows import (
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from wsload.errors import ClientError
from wsload.results import Event, Why
from wsload.scenario import Plan
from wsload.scenario.plan import Authorities, PlanTls

CLOSE_TIMEOUT_S = 2.0
NO_CODE = 1005
_TYPES = {"text": WSMsgType.TEXT, "binary": WSMsgType.BINARY}
_KINDS = {WSMsgType.TEXT: "text", WSMsgType.BINARY: "binary"}
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

Tell = Callable[[Event], None]


class Link(WSListener):
    """A connection. `tell` gets every event, in order; times count from `epoch_ns` on the monotonic clock."""

    def __init__(self, connection: int, epoch_ns: int, tell: Tell) -> None:
        super().__init__()
        self._connection = connection
        self._epoch_ns = epoch_ns
        self._tell = tell
        self._seq = 0
        self._transport: WSTransport | None = None
        self._partial: bytearray | None = None
        self._partial_kind = ""
        self._close_sent = self._close_received = False
        self.over = asyncio.get_running_loop().create_future()
        """Done when the connection is."""

    def note(
        self, direction: str, kind: str, payload: bytes = b"", *, code: int | None = None, failure: str | None = None
    ) -> None:
        """Tells an event that happens now."""
        event = Event(
            at_ns=time.monotonic_ns() - self._epoch_ns,
            connection=self._connection,
            attempt=1,
            seq=self._seq,
            direction=direction,
            kind=kind,
            name=None,
            size=len(payload) if direction else 0,
            latency_ns=None,
            code=code,
            failure=failure,
            flags=0,
            why=int(Why.CONNECTION),
            payload=payload,
        )
        self._seq += 1
        self._tell(event)

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        transport = self._transport
        return transport is not None and not transport.is_disconnected and not self._close_sent

    def send(self, kind: str, payload: bytes) -> None:
        """Sends a text or binary message."""
        if self._transport is not None and self.is_open:
            self._transport.send(_TYPES[kind], payload)
            self.note("sent", kind, payload)

    def ping(self, payload: bytes) -> None:
        """Sends a ping of up to 125 bytes."""
        if self._transport is not None and self.is_open:
            self._transport.send_ping(payload[:125])
            self.note("sent", "ping", payload[:125])

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes, and waits a little for the server to do so."""
        if self._transport is not None and self.is_open:
            payload = code.to_bytes(2) + reason.encode()[:123]
            self._close_sent = True
            self._transport.send(WSMsgType.CLOSE, payload)
            self.note("sent", "close", reason.encode(), code=code)
        if self._transport is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.over), CLOSE_TIMEOUT_S)
            self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade was accepted."""
        self._transport = transport
        subprotocol = transport.response.headers.get("Sec-WebSocket-Protocol", "")
        self.note("", "open", subprotocol.encode())

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame came in."""
        kind, payload = frame.msg_type, frame.get_payload_as_bytes()
        if kind == WSMsgType.CLOSE:
            code = int.from_bytes(payload[:2]) if len(payload) >= 2 else NO_CODE
            self._close_received = True
            self.note("received", "close", payload[2:], code=code)
            if not self._close_sent:
                self._close_sent = True
                transport.send(WSMsgType.CLOSE, payload[:2])
                self.note("sent", "close", b"", code=code)
            transport.disconnect()
        elif kind == WSMsgType.PING:
            self.note("received", "ping", payload)
            transport.send_pong(payload)
            self.note("sent", "pong", payload)
        elif kind == WSMsgType.PONG:
            self.note("received", "pong", payload)
        elif kind == WSMsgType.CONTINUATION or not frame.fin:
            self._assemble(kind, payload, last=frame.fin)
        else:
            self.note("received", _KINDS[kind], payload)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is over."""
        del transport
        if not self._close_received and not self._close_sent:
            what = b"the server ended TCP without a Close frame"
            self.note("", "failed", what, failure="unexpected_close")
        self.note("", "end")
        if not self.over.done():
            self.over.set_result(None)

    def _assemble(self, kind: WSMsgType, payload: bytes, *, last: bool) -> None:
        if self._partial is None:
            self._partial, self._partial_kind = bytearray(), _KINDS.get(kind, "binary")
        self._partial += payload
        if last:
            whole, self._partial = bytes(self._partial), None
            self.note("received", self._partial_kind, whole)


async def open_link(plan: Plan, connection: int, epoch_ns: int, tell: Tell) -> Link:
    """Opens a connection as the plan says.

    Raises:
        ClientError: it could not be opened; why is told as an event as well.
    """
    logging.getLogger("picows").setLevel(logging.CRITICAL)
    link = Link(connection, epoch_ns, tell)
    link.note("", "connect")
    host = f"[{plan.target.host}]" if ":" in plan.target.host else plan.target.host
    url = f"{'wss' if plan.tls else 'ws'}://{host}:{plan.target.port}{plan.target.resource}"
    timeout_s = plan.connect_timeout_ns / 1e9
    dial = plan.dials[0]
    options: dict[str, object] = {}
    if plan.proxy is not None:
        options["proxy"] = _proxy_url(plan)
    elif (address := (dial.host, dial.port)) != (plan.target.host, plan.target.port):
        options["socket_factory"] = lambda _: socket.create_connection(address, timeout_s)
    try:
        await asyncio.wait_for(
            ws_connect(
                lambda: link,
                url,
                ssl_context=None if plan.tls is None else _ssl_context(plan.tls),
                websocket_handshake_timeout=timeout_s,
                enable_auto_pong=False,
                max_frame_size=plan.max_frame_bytes,
                extra_headers=_headers(plan),
                max_redirects=0,
                **options,  # type: ignore[arg-type]
            ),
            timeout_s,
        )
    except (OSError, WSError, WSHandshakeError, TimeoutError, ssl.SSLError) as error:
        what = str(error) or f"no connection within {timeout_s:g} s"
        link.note(
            "",
            "failed",
            what.encode(),
            failure="refused" if isinstance(error, ConnectionRefusedError) else "upgrade_rejected",
        )
        link.note("", "end")
        raise ClientError(f"{plan.target.host_header}: {what}", "Check the URL, and whether the server runs.") from None
    return link


def _headers(plan: Plan) -> list[tuple[str, str]]:
    handshake = plan.handshake
    headers = [("Host", plan.target.host_header), *handshake.headers]
    if handshake.cookies:
        headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in handshake.cookies)))
    if handshake.subprotocols:
        headers.append(("Sec-WebSocket-Protocol", ", ".join(handshake.subprotocols)))
    if handshake.origin is not None:
        headers.append(("Origin", handshake.origin))
    return headers


def _proxy_url(plan: Plan) -> str:
    dial = plan.dials[0]
    host = f"[{dial.host}]" if ":" in dial.host else dial.host
    credentials = ""
    if plan.proxy and plan.proxy.authorization:
        credentials = base64.b64decode(plan.proxy.authorization.removeprefix("Basic ")).decode() + "@"
    return f"http://{credentials}{host}:{dial.port}"


def _ssl_context(tls: PlanTls) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if isinstance(tls.trust, Authorities):
        context = ssl.create_default_context(cadata=tls.trust.authorities)
    elif tls.trust == "anyone":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    if tls.identity is not None:
        with _written(tls.identity.certificate + "\n" + tls.identity.key) as path:
            context.load_cert_chain(path)
    return context


@contextlib.contextmanager
def _written(text: str) -> Iterator[str]:
    """A file of mode 0600 for as long as OpenSSL needs to read it."""
    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        os.write(descriptor, text.encode())
        yield path
    finally:
        os.close(descriptor)
        os.unlink(path)  # noqa: PTH108 - a name from tempfile
