"""Before the page is served: what it needs, its port, and its chips."""

import contextlib
import importlib.util
import socket
from collections.abc import Iterator

from madem._checks import InputError
from madem.chips import PRESETS, ChipDescription, load_chip
from madem.chips.hardware import is_url

PORT = 8765
"""Where the page is unless another port is asked for."""
_NEEDED = {"starlette": "Starlette", "uvicorn": "uvicorn", "websockets": "websockets"}


def check_lab_extra() -> None:
    """Raise `InputError` unless what the lab is served with is installed."""
    missing = [name for module, name in _NEEDED.items() if not importlib.util.find_spec(module)]
    if missing:
        raise InputError(
            f"the lab needs {' and '.join(missing)}; install madem[lab], such as with: "
            "pip install 'madem[lab]'"
        )


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket on this machine's loopback, 0 for any port. Raises `InputError` if it is in use."""
    if not 0 <= port < 2**16:
        raise InputError(f"port is {port}; give one from 1 to 65535, or 0 for any that is free")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind(("127.0.0.1", port))
            opened.listen()
        except OSError as error:
            raise InputError(
                f"port {port} cannot be used: {error.strerror}; give another --port, or 0 for any "
                "that is free"
            ) from error
        yield opened


def address_of(listener: socket.socket) -> str:
    """The page's address."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def lab_chips(chip: str) -> tuple[dict[str, ChipDescription], str]:
    """Chips to choose from, and the name of the one asked for: a preset, or a TOML file.

    Raises `InputError` if it cannot be read, or is on the bench: a page breaks simulated ones only.
    """
    if is_url(chip):
        raise InputError(f"{chip} is a chip on the bench; the lab breaks simulated chips only")
    chips = {name: load_chip(name) for name in PRESETS}
    if chip in chips:
        return chips, chip
    asked = load_chip(chip)
    name = asked.name if asked.name not in chips else f"{asked.name} ({chip})"
    return {name: asked} | chips, name
