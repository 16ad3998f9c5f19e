"""The page's server: its files, what is taken along, and one WebSocket.

It trusts nobody but its own page: another site in the same browser has another origin, and one
that points its name at this machine has another host.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

import madem
from madem._checks import InputError
from madem.chips import ChipDescription
from madem.data import NINE_NAMES
from madem.lab._asked import FAULTS, SETTINGS, faults_of, read_message
from madem.lab._takeaway import NAME, config_text, run_archive
from madem.lab._worker import Worker
from madem.studies.braille_config import BrailleConfig

HOSTS = ("127.0.0.1", "localhost", "::1")
"""Names of this machine for itself."""
MOST_PAGES = 8
"""Pages that watch at once."""
_MOST_BYTES = 8 * 2**20
"""Of a message; a longer one ends its connection, and the page connects again."""
_FILES = {
    "": ("lab.html", "text/html"),
    "lab.css": ("lab.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    **{name: (name, "text/javascript") for name in ("lab.js", "cells.js", "arrays.js", "plots.js")},
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def lab_app(chips: Mapping[str, ChipDescription], first: str) -> ASGIApp:
    """The application, with chips to choose from, by name, and the one that is chosen first."""
    worker = Worker()
    pages = _Pages(worker, chips, first)

    @contextlib.asynccontextmanager
    async def working(_: Starlette) -> AsyncIterator[None]:
        worker.start()
        yield
        await asyncio.to_thread(worker.stop)

    routes = [Route(f"/{path}", _file(*file)) for path, file in _FILES.items()]
    routes += [
        Route("/config.toml", _taken(worker, "config.toml", _config)),
        Route("/chip.toml", _taken(worker, "chip.toml", _chip)),
        Route("/run.zip", _taken(worker, f"{NAME}.zip", run_archive)),
        WebSocketRoute("/live", pages.page),
    ]
    return _OwnPagesOnly(Starlette(routes=routes, lifespan=working))


class LabServer(uvicorn.Server):
    """Serves the page until Ctrl-C, or `should_exit` is set; `ready` is called once it can."""

    def __init__(self, chips: Mapping[str, ChipDescription], first: str, ready: Callable[[], None]):
        super().__init__(
            uvicorn.Config(
                lab_app(chips, first),
                ws="websockets-sansio",
                ws_max_size=_MOST_BYTES,
                ws_per_message_deflate=False,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=2,
                lifespan="on",
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._ready()


class _OwnPagesOnly:
    """Refuse what is asked under another host's name, or by another site's page."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not _own(scope):
            await _refuse(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send))


def _own(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    try:
        here = urlsplit(f"//{host}").hostname in HOSTS
    except ValueError:
        return False
    if origin is None:  # a browser says it for every WebSocket
        return here and scope["type"] == "http"
    return here and origin == f"http://{host}"


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).close(1008)
        return
    text = "madem lab answers its own page on this machine only\n"
    await PlainTextResponse(text, 403)(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            for name, value in _HEADERS.items():
                message["headers"].append((name.lower().encode(), value.encode()))
        await send(message)

    return sending


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = resources.files("madem.lab").joinpath("page", name).read_bytes()
    return lambda _: Response(content, media_type=kind)


def _config(experiment: Any) -> bytes:
    return config_text(experiment.asked).encode()


def _chip(experiment: Any) -> bytes:
    return experiment.asked.chip_text.encode()


def _taken(
    worker: Worker, name: str, make: Callable[[Any], bytes]
) -> Callable[[Request], Response]:
    """A download. Starlette runs it in a thread of its own."""

    def respond(_: Request) -> Response:
        experiment = worker.experiment
        if experiment is None:
            return PlainTextResponse(
                "there is nothing to take along yet; train a chip first\n", 404
            )
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        kind = "application/zip" if name.endswith("zip") else "application/toml"
        return Response(make(experiment), headers=headers, media_type=kind)

    return respond


class _Pages:
    """Pages that watch one worker, and ask it."""

    def __init__(self, worker: Worker, chips: Mapping[str, ChipDescription], first: str):
        self._worker, self._chips = worker, chips
        self._open = 0
        self._hello = {
            "hello": {
                "version": madem.__version__,
                "chips": {name: faults_of(chip) for name, chip in chips.items()},
                "chip": first,
                "words": list(NINE_NAMES),
                "defaults": {
                    "flip": BrailleConfig.flip,
                    "hidden": BrailleConfig.hidden[0],
                    "steps": BrailleConfig.steps,
                    "seed": BrailleConfig.seed,
                },
                "ends": {
                    name: [slider.low, slider.high] for name, slider in (SETTINGS | FAULTS).items()
                },
            }
        }

    async def page(self, page: WebSocket) -> None:
        """Serve one page until it leaves."""
        await page.accept()
        if self._open >= MOST_PAGES:
            await _send(page, {"refused": f"{MOST_PAGES} pages are open; close one of them"})
            await page.close(1013)
            return
        self._open += 1
        try:
            await self._serve(page)
        finally:
            self._open -= 1

    async def _serve(self, page: WebSocket) -> None:
        loop, fresh = asyncio.get_running_loop(), asyncio.Event()
        fresh.set()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the page with it
                loop.call_soon_threadsafe(fresh.set)

        forget = self._worker.listen(tell)
        showing = asyncio.create_task(self._show(page, fresh))
        try:
            while True:
                await self._answer(page, await _heard(page))
        except WebSocketDisconnect:
            pass
        finally:
            forget()
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await showing

    async def _show(self, page: WebSocket, fresh: asyncio.Event) -> None:
        await _send(page, self._hello)
        while True:
            await fresh.wait()
            fresh.clear()
            await _send(page, {"view": self._worker.view})

    async def _answer(self, page: WebSocket, text: str) -> None:
        try:
            self._worker.ask(read_message(text, self._chips))
        except InputError as error:
            await _send(page, {"refused": str(error)})


async def _heard(page: WebSocket) -> str:
    """The next message; bytes as the text that they are, or as none."""
    message = await page.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text")
    return text if text is not None else message["bytes"].decode("utf-8", "replace")


async def _send(page: WebSocket, message: Mapping[str, Any]) -> None:
    await page.send_text(json.dumps(message, allow_nan=False, separators=(",", ":")))
