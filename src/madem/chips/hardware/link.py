"""Ways to the other end of a wire: instruments by VISA, and programs by their pipes."""

import abc
import contextlib
import json
import queue
import shlex
import socket
import subprocess
import threading
from typing import Any, final
from urllib.parse import urlsplit

import numpy as np

from madem._checks import InputError
from madem.chips.hardware.protocol import (
    LARGEST_BLOCK,
    OPERATIONS,
    LinkError,
    RefusedError,
    Reply,
    Request,
    encode_request,
    receive_reply,
)

_CHUNK = 1 << 20
_STARTING = 60.0
"""Wait for the first answer of a program, s: MATLAB takes its time to start."""
_SLOWEST = 1e6
"""Bytes of a request that the slowest other end takes in and works off in a second."""


class AbstractLink(abc.ABC):
    """Asks, and waits for the answer. After a `LinkError` the next request starts afresh."""

    @abc.abstractmethod
    def ask(self, request: Request) -> Reply:
        """Answer to a request. Raises `LinkError` if none comes, `RefusedError` if it says no."""

    @abc.abstractmethod
    def close(self) -> None:
        """Hang up; the next request calls again."""


def link_to(url: str, timeout: float) -> AbstractLink:
    """The way to a chip at a URL; `timeout` (s) bounds the wait for an answer to a short request.

    `tcp://HOST:PORT` for an instrument on the network, `visa:RESOURCE` for any that VISA names
    (USB, serial, network), `process:COMMAND` for a program. Raises `InputError` for another URL.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "process" and rest:
        return ProcessLink(shlex.split(rest), timeout)
    if scheme == "visa" and rest:
        return VisaLink(rest, timeout)
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if scheme == "tcp" and parts.hostname and parts.port:
            return SocketLink(parts.hostname, parts.port, timeout)
    raise InputError(
        f"{url!r} leads to no chip; give tcp://HOST:PORT, visa:RESOURCE or process:COMMAND"
    )


class AbstractWire(AbstractLink):
    """An instrument that speaks `madem.chips.hardware.protocol`."""

    name: str
    """What errors call it."""

    def ask(self, request: Request) -> Reply:
        """Answer to a request; see `AbstractLink`."""
        try:
            self._write(encode_request(request))
            return receive_reply(self._read, request.name)
        except RefusedError:
            raise
        except Exception as error:
            # A late answer must not be taken for that to the next request.
            self.close()
            if isinstance(error, LinkError):
                raise
            # PyVISA and its back end raise errors of many kinds, bare `Exception` among them.
            raise LinkError(f"no answer from {self.name}: {error}") from error

    @abc.abstractmethod
    def _write(self, data: bytes) -> None:
        """Send, having called if need be."""

    @abc.abstractmethod
    def _read(self, count: int) -> bytes:
        """Wait for so many bytes."""


@final
class SocketLink(AbstractWire):
    """An instrument on the network, by a socket of its own.

    PyVISA's back end cannot switch off the wait for acknowledgements (`TCP_NODELAY`), which costs
    40 ms for each request of several packets.
    """

    def __init__(self, host: str, port: int, timeout: float):
        self.name = f"tcp://{host}:{port}"
        self._address, self._timeout = (host, port), timeout
        self._socket: socket.socket | None = None
        self._stream: Any = None

    def close(self) -> None:
        """Hang up; see `AbstractLink`."""
        for end in (self._stream, self._socket):
            if end is not None:
                end.close()
        self._socket = self._stream = None

    def __del__(self):
        self.close()

    def _write(self, data: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._socket.makefile("rb", buffering=1 << 16)
        self._socket.settimeout(self._timeout + len(data) / _SLOWEST)
        self._socket.sendall(data)

    def _read(self, count: int) -> bytes:
        assert self._stream is not None
        got = self._stream.read(count)
        if len(got) < count:
            raise LinkError(f"{self.name} hung up")
        return got


@final
class VisaLink(AbstractWire):
    """An instrument that VISA names, by PyVISA."""

    def __init__(self, resource: str, timeout: float):
        self.name, self._timeout = resource, timeout
        self._manager = _visa()
        self._resource: Any = None

    def close(self) -> None:
        """Hang up; see `AbstractLink`."""
        if self._resource is not None:
            with contextlib.suppress(Exception):  # it may be gone already
                self._resource.close()
            self._resource = None

    def _write(self, data: bytes) -> None:
        if self._resource is None:
            wait = int(1e3 * self._timeout)
            self._resource = self._manager.open_resource(self.name, open_timeout=wait)
        self._resource.timeout = 1e3 * (self._timeout + len(data) / _SLOWEST)
        self._resource.write_raw(data)

    def _read(self, count: int) -> bytes:
        return self._resource.read_bytes(count, chunk_size=_CHUNK)


@final
class ProcessLink(AbstractLink):
    """A program that answers lines of JSON on its standard input by lines on its output."""

    def __init__(self, command: list[str], timeout: float):
        self._command, self._timeout = command, timeout
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def ask(self, request: Request) -> Reply:
        """Answer to a request; see `AbstractLink`."""
        timeout = self._timeout if self._process else max(self._timeout, _STARTING)
        try:
            process = self._process = self._process or self._start()
            assert process.stdin is not None
            line = _to_json(request) + "\n"
            process.stdin.write(line)
            process.stdin.flush()
            answer = self._lines.get(timeout=timeout + len(line) / _SLOWEST)
            return _from_json(answer, request.name)
        except (OSError, queue.Empty, LinkError) as error:
            self.close()
            raise LinkError(f"no answer from {self._command[0]}: {error!r}") from error

    def close(self) -> None:
        """End the program; see `AbstractLink`."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            self._copier.join()
            with contextlib.suppress(OSError):  # what was not sent is lost
                process.__exit__(None, None, None)

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._lines = queue.Queue()
        copying = (process.stdout, self._lines)
        self._copier = threading.Thread(target=_copy, args=copying, daemon=True)
        self._copier.start()
        return process


def _copy(stream: Any, lines: queue.Queue[str]) -> None:
    while line := stream.readline(2 * LARGEST_BLOCK):
        lines.put(line)
    lines.put("")


def _to_json(request: Request) -> str:
    table: dict[str, Any] = {"operation": request.name, "arguments": request.arguments}
    if request.data is not None:
        table["data"] = request.data.tolist()
    return json.dumps(table)


def _from_json(line: str, name: str) -> Reply:
    kind = OPERATIONS[name].answers
    try:
        table = json.loads(line)
        if "error" in table:
            raise RefusedError(f"the chip refused: {table['error']}")
        if kind is not None:
            return np.asarray(table["data"], kind)
        return str(table["text"])
    except (ValueError, TypeError, KeyError) as error:
        raise LinkError(f"garbled answer to {name}: {line[:80]!r}") from error


def _visa() -> Any:
    try:
        import pyvisa  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            "chips on the bench need PyVISA; install it with: pip install 'madem[hardware]'"
        ) from error
    return pyvisa.ResourceManager("@py")
