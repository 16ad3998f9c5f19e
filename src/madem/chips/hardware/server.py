"""An instrument on the network: one thread for each connection, and faults on purpose."""

import contextlib
import logging
import random
import socket
import socketserver
import threading
import time
from collections.abc import Callable

from madem._checks import InputError, MademError
from madem.chips.hardware.faults import Faults
from madem.chips.hardware.instrument import Instrument
from madem.chips.hardware.protocol import (
    LinkError,
    Receive,
    RefusedError,
    encode_refusal,
    encode_reply,
    receive_request,
)

LOOPBACK = "127.0.0.1"
_LOG = logging.getLogger(__name__)
_MOST_CONNECTIONS = 16


class Server:
    """Serves the instrument that `start` makes, and makes it anew when it restarts."""

    def __init__(
        self,
        start: Callable[[], Instrument],
        *,
        host: str = LOOPBACK,
        port: int = 0,
        latency: float = 0.0,
        faults: Faults | None = None,
        seed: int = 0,
    ):
        """`latency` (s) is added to each answer; `seed` decides which answers go astray."""
        self._start, self._latency = start, latency
        self._faults = faults or Faults()
        self.instrument = start()
        self._chance = random.Random(seed)
        self._requests = 0
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        try:
            self._tcp = _Listener((host, port), self._serve)
        except OSError as error:
            raise InputError(f"cannot listen at {host}:{port}: {error.strerror}") from error

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self._tcp.server_address[1]

    def serve(self) -> None:
        """Serve until `close` is called from another thread, or Ctrl-C."""
        self._tcp.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """Stop serving, and hang up."""
        self._tcp.shutdown()
        self._tcp.server_close()
        self._hang_up()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._connections) >= _MOST_CONNECTIONS:
                return
            self._connections.add(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb", buffering=1 << 16)
        try:
            while self._exchange(_receiver(stream.read), connection.sendall):
                pass
        except (OSError, ValueError):
            pass  # the other end, or a restart, hung up
        finally:
            self._connections.discard(connection)

    def _exchange(self, receive: Receive, send: Callable[[bytes], None]) -> bool:
        """Answer one request; whether the connection is still of use."""
        try:
            reply = answer(self.instrument, receive)
        except LinkError:
            return False
        except InputError as error:
            _LOG.warning("no request: %s; hanging up", error)
            send(encode_refusal(str(error)))
            return False
        time.sleep(self._latency)
        return self._send(reply, send)

    def _send(self, reply: bytes, send: Callable[[bytes], None]) -> bool:
        """Send an answer, or let it go astray."""
        faults = self._faults
        with self._lock:
            self._requests += 1
            restart = self._requests == faults.restart_after
            draw = self._chance.random()
            noise = self._chance.randbytes(min(len(reply), 200))
        if restart:
            _LOG.warning("restarting on purpose")
            self.instrument = self._start()
            self._hang_up()
            return False
        if draw < faults.drop:
            return True
        if draw < faults.drop + faults.garbage:
            reply = noise + reply[len(noise) :]
        elif draw < faults.drop + faults.garbage + faults.slow:
            time.sleep(faults.delay)
        send(reply)
        return True

    def _hang_up(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def answer(instrument: Instrument, receive: Receive) -> bytes:
    """The answer to the next request, as it goes over the wire.

    Raises `LinkError` if the connection ends, `InputError` if what came is no request.
    """
    request = receive_request(receive)
    try:
        return encode_reply(instrument.answer(request))
    except RefusedError as refused:
        return encode_refusal(str(refused))
    except MademError as error:
        _LOG.error("%s failed: %s", request.name, error)
        return encode_refusal(f"failed: {error}")


def _receiver(read: Callable[[int], bytes]) -> Receive:
    def receive(count: int) -> bytes:
        got = read(count)
        if len(got) < count:
            raise LinkError("the other end hung up")
        return got

    return receive


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], serve: Callable[[socket.socket], None]):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                serve(self.request)

        super().__init__(address, Handler)
