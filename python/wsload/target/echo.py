"""The echo server: every message comes back as it came."""

from dataclasses import asdict, dataclass

from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSProtocolError,
    WSTransport,
    WSUpgradeRequest,
)

from wsload.target.worker import MAX_MESSAGE_BYTES


@dataclass(slots=True)
class Counts:
    """What was served: connections upgraded, messages echoed, and the bytes of their payloads."""

    connections: int = 0
    messages: int = 0
    payload_bytes: int = 0


class EchoListener(WSListener):
    """Sends every message back with its type and bytes. picows answers pings and checks frame headers."""

    def __init__(self, counts: Counts, clients: set[WSTransport]) -> None:
        super().__init__()
        self._counts = counts
        self._clients = clients
        self._transport: WSTransport | None = None
        self._partial: bytearray | None = None
        self._partial_type = WSMsgType.BINARY

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Counts a connection."""
        self._transport = transport
        self._clients.add(transport)
        self._counts.connections += 1

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forgets a connection."""
        self._clients.discard(transport)
        self._partial = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Echoes a message when its last frame is in.

        Raises:
            WSProtocolError: the client broke a rule; picows sends its code in a Close and disconnects.
        """
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            # RFC 6455 section 5.2: reserved bits have no meaning without an extension, and none is offered.
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "reserved bits are set")
        if kind == WSMsgType.CLOSE:
            # Section 5.5.1: the answer repeats the code; then the server is the one to end TCP (section 7.1.1).
            transport.send(WSMsgType.CLOSE, frame.get_payload_as_bytes())
            transport.disconnect()
        elif kind == WSMsgType.PONG:
            return
        elif kind == WSMsgType.CONTINUATION or not frame.fin:
            self._assemble(transport, frame)
        elif self._partial is not None:
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "a message begins inside another")
        else:
            self._echo(transport, kind, frame.get_payload_as_memoryview())

    def pause_writing(self) -> None:
        """A client that does not read its echoes is not read either: memory stays bounded."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.underlying_transport.resume_reading()

    def _assemble(self, transport: WSTransport, frame: WSFrame) -> None:
        """Collects the frames of a fragmented message (section 5.4)."""
        begins = frame.msg_type != WSMsgType.CONTINUATION
        if begins == (self._partial is not None):
            raise WSProtocolError(WSCloseCode.PROTOCOL_ERROR, "fragments out of order")
        if self._partial is None:
            self._partial, self._partial_type = bytearray(), frame.msg_type
        if len(self._partial) + frame.payload_size > MAX_MESSAGE_BYTES:
            raise WSProtocolError(WSCloseCode.MESSAGE_TOO_BIG, f"more than {MAX_MESSAGE_BYTES} bytes")
        self._partial += frame.get_payload_as_memoryview()
        if frame.fin:
            message, self._partial = self._partial, None
            self._echo(transport, self._partial_type, memoryview(message))

    def _echo(self, transport: WSTransport, kind: WSMsgType, payload: memoryview) -> None:
        if transport.is_close_frame_sent:
            # The server is ending: what it does not answer it has not served.
            return
        if kind == WSMsgType.TEXT:
            try:
                str(payload, "utf-8")
            except UnicodeDecodeError:
                raise WSProtocolError(WSCloseCode.INVALID_TEXT, "text is not UTF-8") from None
        transport.send(kind, payload)
        self._counts.messages += 1
        self._counts.payload_bytes += len(payload)


class EchoService:
    """Echo listeners and what they have served."""

    def __init__(self) -> None:
        self.clients: set[WSTransport] = set()
        self._counts = Counts()

    def welcome(self, request: WSUpgradeRequest) -> EchoListener:  # noqa: ARG002
        """Echoes whatever the path."""
        return EchoListener(self._counts, self.clients)

    def close(self) -> dict[str, int]:
        """What was served."""
        return asdict(self._counts)
