"""The wire's format: text headers as in SCPI, arrays as blocks of IEEE 488.2.

A request is a header, its arguments, and at most one block; a reply is one line of text or one
block; a CRC-32 guards both. `docs/your-chip.md` has the table of operations for whoever writes the
other end.
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from madem._checks import InputError, MademError

VERSION = "2"
"""Version of the protocol, the last field of an identity."""
LONGEST_LINE = 1 << 16
"""Bytes of a line of text: what is longer is refused."""
LARGEST_BLOCK = 1 << 26
"""Bytes of a block: what is larger is refused."""

_CRC_BYTES = 4


class LinkError(MademError):
    """No answer came, or one that cannot be read: what became of the request is unknown."""


class RefusedError(MademError):
    """The other end understood the request, and did not do it."""


class Operation(NamedTuple):
    """How an operation looks on the wire."""

    header: str
    """What a request begins with."""
    arguments: tuple[type, ...] = ()
    """Kinds of its arguments: `int`, `float` or `str`."""
    sends: str | None = None
    """Kind of the numbers of its block, if there is one."""
    answers: str | None = None
    """Kind of the numbers answered; None for text."""


_FLOATS, _WHOLE = "<f4", "<i4"

OPERATIONS = {
    "identify": Operation("*IDN?"),
    "self-test": Operation("*TST?"),
    "limits": Operation("LIMITS?"),
    "temperature": Operation("TEMPERATURE?"),
    "forward": Operation("FORWARD?", (int, int, int, int), _FLOATS, _FLOATS),
    "transposed": Operation("TRANSPOSED?", (int, int, int, int), _FLOATS, _FLOATS),
    "settle": Operation("SETTLE?", (str, int, str, float, int, float, int), _FLOATS, _FLOATS),
    "gate": Operation("GATE?", (), _FLOATS, _FLOATS),
    "program": Operation("PROGRAM?", (str, int, float, float), _WHOLE),
    "last": Operation("LAST?", (str,)),
    "read": Operation("READ?", (), _WHOLE, _FLOATS),
    "verify": Operation("VERIFY?", (), _WHOLE, _FLOATS),
}
"""All that a chip on the bench can be asked."""

_NAMES = {operation.header: name for name, operation in OPERATIONS.items()}


class Request(NamedTuple):
    """What is asked of the other end."""

    name: str
    """One of `OPERATIONS`."""
    arguments: tuple[int | float | str, ...] = ()
    """Its arguments."""
    data: np.ndarray | None = None
    """Its numbers, in one dimension."""


Reply = str | np.ndarray
"""Text, or numbers in one dimension."""

Receive = Callable[[int], bytes]
"""Gets exactly so many bytes from the other end; raises `LinkError` if they do not come."""


def encode_request(request: Request) -> bytes:
    """A request as it goes over the wire."""
    operation = OPERATIONS[request.name]
    parts = [str(argument) for argument in request.arguments]
    head = " ".join([operation.header, ",".join(parts)]).rstrip().encode()
    if operation.sends is None:
        return _line(head) if parts else head + b"\n"
    data = np.zeros(0) if request.data is None else request.data
    start = head + (b"," if parts else b" ")
    return start + _block(start, data.astype(operation.sends).tobytes()) + b"\n"


def receive_request(receive: Receive) -> Request:
    """The next request.

    Raises `InputError` if it is none; then hang up, since where the next begins is unknown.
    """
    start, payload = _receive(receive)
    if payload is None and b" " in start.strip():
        start = _checked(start)
    header, _, rest = start.decode("ascii", errors="replace").strip().partition(" ")
    name = _NAMES.get(header.upper())
    if name is None:
        raise InputError(f"unknown header {header[:20]!r}; known: {', '.join(_NAMES)}")
    operation = OPERATIONS[name]
    texts = [text.strip() for text in rest.rstrip(", ").split(",")] if rest.strip(", ") else []
    if len(texts) != len(operation.arguments):
        raise InputError(f"{header} has {len(texts)} arguments; give {len(operation.arguments)}")
    if (payload is None) != (operation.sends is None):
        raise InputError(f"{header} takes {'no' if operation.sends is None else 'one'} block")
    try:
        arguments = tuple(kind(text) for kind, text in zip(operation.arguments, texts, strict=True))
    except ValueError:
        raise InputError(f"{header}: arguments {rest.strip()[:80]!r} are no numbers") from None
    return Request(name, arguments, _numbers(payload, operation.sends, header))


def encode_reply(reply: Reply) -> bytes:
    """An answer as it goes over the wire."""
    if isinstance(reply, str):
        return _line(reply.replace("\n", " ").encode())
    return _block(b"", reply.tobytes()) + b"\n"


def encode_refusal(reason: str) -> bytes:
    """The answer to a request that is refused."""
    return encode_reply(f"ERROR {reason}")


def receive_reply(receive: Receive, name: str) -> Reply:
    """The answer to a request of this name.

    Raises `RefusedError` if the request was refused, `LinkError` if the answer makes no sense.
    """
    kind = OPERATIONS[name].answers
    try:
        start, payload = _receive(receive)
        if payload is not None and kind is not None:
            numbers = _numbers(payload, kind, name)
            assert numbers is not None
            return numbers
        line = _checked(start).decode()
    except (InputError, UnicodeDecodeError) as error:
        raise LinkError(f"garbled answer to {name}: {error}") from error
    if line.startswith("ERROR "):
        raise RefusedError(f"the chip refused: {line.removeprefix('ERROR ').strip()}")
    if kind is not None or payload is not None:
        raise LinkError(f"garbled answer to {name}: {line[:40]!r}")
    return line


def _line(text: bytes) -> bytes:
    """A line of text; behind an asterisk the CRC-32 of it, in hexadecimal."""
    return b"%s*%08X\n" % (text, zlib.crc32(text))


def _checked(line: bytes) -> bytes:
    """The text of such a line."""
    text, _, checksum = line.strip().rpartition(b"*")
    if checksum != b"%08X" % zlib.crc32(text):
        raise InputError("the checksum (CRC-32) of a line is wrong, or missing")
    return text


def _block(start: bytes, data: bytes) -> bytes:
    """A definite-length block; its last bytes are the CRC-32 of all that went before."""
    size = str(len(data) + _CRC_BYTES).encode()
    head = b"#%d%s" % (len(size), size)
    checksum = zlib.crc32(data, zlib.crc32(start + head))
    return head + data + checksum.to_bytes(_CRC_BYTES, "little")


def _receive(receive: Receive) -> tuple[bytes, bytes | None]:
    """Text up to the end of the line or to a block, and what the block holds, if there is one."""
    start = bytearray()
    while (byte := receive(1)) != b"#":
        start += byte
        if byte == b"\n":
            return bytes(start), None
        if len(start) > LONGEST_LINE:
            raise InputError(f"a line of more than {LONGEST_LINE} bytes")
    head = b"#" + receive(1)
    if not head[1:].isdigit() or head == b"#0":
        raise InputError(f"a block begins with {head!r}; expected # and a digit from 1 up")
    digits = receive(int(head[1:]))
    if not digits.isdigit() or not _CRC_BYTES <= int(digits) <= LARGEST_BLOCK:
        raise InputError(f"a block of {digits!r} bytes; give {_CRC_BYTES} to {LARGEST_BLOCK}")
    body = receive(int(digits))
    data, checksum = body[:-_CRC_BYTES], body[-_CRC_BYTES:]
    if receive(1) != b"\n":
        raise InputError("no new line after a block")
    expected = zlib.crc32(data, zlib.crc32(bytes(start) + head + digits))
    if checksum != expected.to_bytes(_CRC_BYTES, "little"):
        raise InputError("the checksum (CRC-32) of a block is wrong")
    return bytes(start), data


def _numbers(payload: bytes | None, kind: str | None, where: str) -> np.ndarray | None:
    if payload is None or kind is None:
        return None
    if len(payload) % np.dtype(kind).itemsize:
        raise InputError(f"{where}: a block of {len(payload)} bytes holds no whole {kind}")
    return np.frombuffer(payload, kind)
