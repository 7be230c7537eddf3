"""Locust, a user for each connection, on websocket-client and gevent.

Environment: URL, CONNECTIONS, INTERVAL_S (0: closed loop; below 0: idle).
"""

import os
import time
from collections import deque

import gevent
import websocket
from locust import User, constant, constant_pacing, task

INTERVAL_S = float(os.environ["INTERVAL_S"])
MESSAGE = "x" * 32


class Echo(User):
    """Records the response time of each reply.

    In a closed loop the task never returns, which spares Locust's own scheduling. In an open one a task is a send, and
    a greenlet receives, so that a slow reply holds no send back.
    """

    wait_time = constant_pacing(INTERVAL_S) if INTERVAL_S > 0 else constant(0)

    def on_start(self) -> None:
        """Connects."""
        self.socket = websocket.create_connection(os.environ["URL"], enable_multithread=False)
        self.fire = self.environment.events.request.fire
        self.sent: deque[float] = deque()
        if INTERVAL_S > 0:
            gevent.spawn(self.receive_all)

    @task
    def echo(self) -> None:
        """What a user does."""
        if INTERVAL_S > 0:
            self.send()
        while INTERVAL_S == 0:
            self.send()
            self.receive()
        if INTERVAL_S < 0:
            gevent.sleep(3600)

    def send(self) -> None:
        """A message."""
        self.sent.append(time.perf_counter())
        self.socket.send(MESSAGE)

    def receive_all(self) -> None:
        """Until the connection is closed."""
        while True:
            self.receive()

    def receive(self) -> None:
        """A reply; they come in the order of the messages."""
        reply = self.socket.recv()
        self.fire(
            request_type="WS",
            name="echo",
            response_time=(time.perf_counter() - self.sent.popleft()) * 1e3,
            response_length=len(reply),
            exception=None,
            context={},
        )
