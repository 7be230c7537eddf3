"""A server of rooms: what one client sends, all in its room receive."""

from collections import defaultdict

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest

from wsload.target.script import DROP, uniform


class BroadcastService:
    """Rooms by path. The sender is in its room as well unless it is not to hear itself."""

    def __init__(self, *, to_sender: bool = True, drop_share: float = 0.0, seed: int = 0) -> None:
        self.clients: set[WSTransport] = set()
        self.rooms: defaultdict[str, set[WSTransport]] = defaultdict(set)
        self.connections = self.messages = self.payload_bytes = 0
        self._to_sender = to_sender
        self._drop_share = drop_share
        self._seed = seed
        self._deliveries = 0

    def welcome(self, request: WSUpgradeRequest) -> WSListener:
        """The path is the room."""
        self.connections += 1
        return BroadcastListener(self, request.path.decode("latin-1"))

    def close(self) -> dict[str, int]:
        """What was delivered."""
        return {name: getattr(self, name) for name in ("connections", "messages", "payload_bytes")}

    def send_on(self, room: str, sender: WSTransport, kind: WSMsgType, payload: bytes) -> None:
        """To everybody in the room, but for what is to get lost."""
        for transport in tuple(self.rooms[room]):
            if transport is sender and not self._to_sender:
                continue
            self._deliveries += 1
            if self._drop_share and uniform(self._seed, DROP, 0, self._deliveries) < self._drop_share:
                continue
            transport.send(kind, payload)
            self.messages += 1
            self.payload_bytes += len(payload)


class BroadcastListener(WSListener):
    """A client in its room. Messages are one frame each."""

    def __init__(self, service: BroadcastService, room: str) -> None:
        super().__init__()
        self._service = service
        self._room = room

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Enters the room."""
        self._service.clients.add(transport)
        self._service.rooms[self._room].add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Leaves it; an empty room is gone."""
        self._service.clients.discard(transport)
        self._service.rooms[self._room].discard(transport)
        if not self._service.rooms[self._room]:
            del self._service.rooms[self._room]

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Sends it on."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send(WSMsgType.CLOSE, frame.get_payload_as_bytes())
            transport.disconnect()
        elif frame.msg_type != WSMsgType.PONG:
            self._service.send_on(self._room, transport, frame.msg_type, frame.get_payload_as_bytes())
