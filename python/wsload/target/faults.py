"""A server with scripted, exactly known misbehaviour."""

import asyncio
import sys
import time
from functools import partial
from typing import IO

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest

from wsload.target.ageing import leaked_bytes
from wsload.target.lives import Life
from wsload.target.script import Script
from wsload.target.timer import Timer

LOG_BUFFER_BYTES = 1 << 20
LOGGED_PAYLOAD_BYTES = 64
LEAK_EVERY_NS = 250_000_000


class FaultsService:
    """All connections of the server: they share its stalls, its timer and its log."""

    def __init__(self, script: Script, life: Life) -> None:
        self.clients: set[WSTransport] = set()
        self.script = script
        self.timer = Timer()
        self.connections = self.messages = self.payload_bytes = 0
        self._life = life
        self._first_ns: int | None = None
        self._closing = False
        self._leak: list[bytes] = []
        self._leaked_bytes = 0
        self._log: IO[bytes] | None = None
        if script.log:
            mode = "ab" if life.number else "wb"
            self._log = open(script.log, mode, buffering=LOG_BUFFER_BYTES)  # noqa: PTH123, SIM115 - closed at the end
        if life.number:
            self._note_restart()
            self._begin(life.first_ns)

    def welcome(self, request: WSUpgradeRequest) -> WSListener:  # noqa: ARG002
        """Connections are numbered as they come."""
        self.connections += 1
        return FaultsListener(self, self._life.connections_before + self.connections - 1)

    def close(self) -> dict[str, int]:
        """What was answered, and what was leaked."""
        self._closing = True
        self.timer.close()
        if self._log:
            self._log.close()
        counts = ("connections", "messages", "payload_bytes")
        return {"leaked_bytes": self._leaked_bytes} | {name: getattr(self, name) for name in counts}

    def arrived(self, now_ns: int) -> int:
        """A message has come: when, in the script's time, which runs from the first."""
        if self._first_ns is None:
            self._begin(now_ns)
            if self.script.restart_period_ns:
                # Whoever restarts this process counts from here as well.
                sys.stdout.write(f"begun {now_ns}\n")
                sys.stdout.flush()
            return 0
        return now_ns - self._first_ns

    def _begin(self, first_ns: int) -> None:
        self._first_ns = first_ns
        since_ns = time.monotonic_ns() - first_ns
        if self.script.stall_ns:
            self._stall_at(since_ns // self.script.period_ns)
        if self.script.leak_bytes_per_s:
            self._leak_on()

    def _leak_on(self) -> None:
        """Takes memory that it never gives back: written to, as memory that is only reserved is none."""
        if self._closing:
            return
        assert self._first_ns is not None  # noqa: S101 - the script's time runs
        now_ns = time.monotonic_ns()
        due_bytes = leaked_bytes(self.script, now_ns - self._first_ns) - self._leaked_bytes
        if due_bytes > 0:
            self._leak.append(b"\x01" * due_bytes)
            self._leaked_bytes += due_bytes
        self.timer.call_at(now_ns + LEAK_EVERY_NS, self._leak_on)

    def _note_restart(self) -> None:
        """A line of the log for the restart before this process: when the server went down, and when it was up."""
        if self._log:
            self._log.write(b"-\t%d\trestart\t%d\t%d\n" % (self._life.number, self._life.down_ns, time.monotonic_ns()))

    def log(self, connection: int, message: int, payload: bytes, arrival_ns: int, departure_ns: int | None) -> None:
        """One line, whenever it is known how a message ended."""
        if self._log:
            shown = payload[:LOGGED_PAYLOAD_BYTES].decode("latin-1").encode("unicode_escape").replace(b"\t", b"\\t")
            left = b"" if departure_ns is None else b"%d" % departure_ns
            self._log.write(b"%d\t%d\t%b\t%d\t%b\n" % (connection, message, shown, arrival_ns, left))

    def _stall_at(self, number: int) -> None:
        assert self._first_ns is not None  # noqa: S101 - the first message has come
        end_ns = self._first_ns + (number + 1) * self.script.period_ns
        self.timer.call_at(end_ns - self.script.stall_ns, partial(self._stall, number, end_ns))

    def _stall(self, number: int, end_ns: int) -> None:
        if self._closing:
            return
        # The whole loop stands still: nothing is read, nothing sent.
        time.sleep(max(end_ns - time.monotonic_ns(), 0) / 1e9)
        self._stall_at(number + 1)


class FaultsListener(WSListener):
    """Echoes as the script says. Messages are one frame each: this server is for measuring, not for testing clients."""

    def __init__(self, service: FaultsService, number: int) -> None:
        super().__init__()
        self._service = service
        self._number = number
        self._messages = 0
        self._last_due_ns = 0
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """A connection."""
        self._transport = transport
        self._service.clients.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """It is gone."""
        self._service.clients.discard(transport)
        self._transport = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Takes a message, and says when it is to be answered."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send(WSMsgType.CLOSE, frame.get_payload_as_bytes())
            transport.disconnect()
            return
        if frame.msg_type == WSMsgType.PONG:
            return
        now_ns = time.monotonic_ns()
        service, script = self._service, self._service.script
        at_ns = service.arrived(now_ns)
        message, self._messages = self._messages, self._messages + 1
        payload = frame.get_payload_as_bytes()
        if script.close_after and self._messages > script.close_after:
            self._end(transport)
            return
        if script.slow_read_bytes_per_s:
            self._read_on_later(transport, len(payload) / script.slow_read_bytes_per_s)
        if script.drops(self._number, message):
            service.log(self._number, message, payload, now_ns, None)
            return
        delay_ns = script.delay_ns(self._number, message, at_ns)
        due_ns = now_ns + delay_ns
        if script.in_order:
            due_ns = self._last_due_ns = max(due_ns, self._last_due_ns)
        answer = partial(self._answer, message, frame.msg_type, payload, now_ns)
        if due_ns <= now_ns:
            answer()
        else:
            service.timer.call_at(due_ns, answer)

    def _answer(self, message: int, kind: WSMsgType, payload: bytes, arrival_ns: int) -> None:
        if self._transport is None or self._transport.is_close_frame_sent:
            self._service.log(self._number, message, payload, arrival_ns, None)
            return
        self._transport.send(kind, payload)
        self._service.messages += 1
        self._service.payload_bytes += len(payload)
        self._service.log(self._number, message, payload, arrival_ns, time.monotonic_ns())

    def _end(self, transport: WSTransport) -> None:
        if self._service.script.abort:
            transport.underlying_transport.abort()
        else:
            transport.send_close(WSCloseCode(self._service.script.close_code))
            transport.disconnect()

    def _read_on_later(self, transport: WSTransport, seconds: float) -> None:
        under = transport.underlying_transport
        under.pause_reading()
        asyncio.get_running_loop().call_later(seconds, self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None:
            self._transport.underlying_transport.resume_reading()
