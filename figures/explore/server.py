"""The page's server: marimo's, on 127.0.0.1 alone, behind a token, for its own page alone."""

import contextlib
import os
import secrets
import socket
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from experiments.explore.state import State, to_query
from experiments.user_model import UserModel
from figures.explore.opened import OPENED

APP = Path(__file__).with_name("app.py")
HOST = "127.0.0.1"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""The browser refuses to load or send anything elsewhere, whatever a page says."""


class OwnPageOnly:
    """ASGI middleware: refuse what comes by another name or from another page, and forbid ours to reach outside.

    A name that only resolves to 127.0.0.1 (DNS rebinding) has another Host; a script of another page another Origin.
    """

    def __init__(self, app: Any, *, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}".encode() for name in (HOST, "localhost")}
        self.origins = {b"http://" + host for host in self.hosts}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if headers.get(b"host") not in self.hosts or headers.get(b"origin", b"") not in {*self.origins, b""}:
            await _refuse(scope, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                message = {**message, "headers": [*message.get("headers", []), *own]}
            await send(message)

        await self.app(scope, receive, guarded)


async def _refuse(scope: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"This page is served to its own origin only.\n"})


def application(port: int, token: str) -> Any:
    """The ASGI application: every page and socket needs the token once, then its cookie."""
    import marimo

    app = marimo.create_asgi_app(quiet=True, include_code=False, token=token).with_app(path="", root=str(APP)).build()
    return OwnPageOnly(app, port=port)


async def close_pages(guarded: OwnPageOnly) -> None:
    """End the threads behind the open pages; Python would wait for them. Marimo does so only for its own command."""
    for route in guarded.app.routes:
        await route.app.state.session_manager.shutdown()


def keep_compiled() -> None:
    """Keep what JAX compiles in the user's cache folder, unless JAX was told where: the next start takes seconds."""
    import jax

    if jax.config.values["jax_compilation_cache_dir"] is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "data-uniformity" / "compiled"
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def serve(first: State, own: UserModel | None, *, port: int, browser: bool) -> None:
    """Serve the page until it is interrupted; prints its address. Raises OSError where the port is taken."""
    import uvicorn

    os.environ.setdefault("MARIMO_SKIP_UPDATE_CHECK", "1")
    keep_compiled()
    OPENED.own = own
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        port, token = listener.getsockname()[1], secrets.token_urlsafe(18)
        query = "&".join(part for part in (urlencode({"access_token": token}), to_query(first)) if part)
        address = f"http://{HOST}:{port}/?{query}"

        app = application(port, token)

        class Announced(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets=sockets)
                print(f"The page is at {address}\nIt is this machine's alone; Ctrl-C closes it.", flush=True)
                if browser:
                    webbrowser.open(address)

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                await close_pages(app)
                await super().shutdown(sockets=sockets)

        # An open page keeps its socket: without a limit, closing would wait for it.
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        with contextlib.suppress(KeyboardInterrupt):
            Announced(config).run(sockets=[listener])
    print("Closed.")
