"""Serve one function on a listening socket inherited from the parent.

The local node runs this file as a script and never imports it. The script does not import ``peva_env``, so that it
starts quickly and needs little memory. Like a FaaS platform with a concurrency limit, it answers 503 while
``--limit-concurrency`` requests are being served. So it never queues requests, and no request is left after a run.
"""

import argparse
import asyncio
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from functions_framework.aio import create_asgi_app
from functions_framework.exceptions import FunctionsFrameworkException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class _Limited:
    """Serves at most ``limit`` requests at once and answers 503 to the others.

    uvicorn's ``limit_concurrency`` is not used, because it counts connections: with a limit of five it refuses all of
    six connections that arrive together. The verdict near capacity would then depend on bursts of arrivals.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._serving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._serving >= self._limit:
            await PlainTextResponse("busy: the concurrency limit is reached", 503)(scope, receive, send)
            return
        self._serving += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._serving -= 1


def main() -> None:
    """Load the function, then serve it until SIGTERM."""
    arguments = _parse_arguments()
    listener = socket.socket(fileno=arguments.fd)
    listener.set_inheritable(False)  # else processes that the function spawns would keep the port
    try:
        app = create_asgi_app(arguments.target, arguments.source)  # type: ignore[no-untyped-call]
    except FunctionsFrameworkException as error:
        sys.exit(str(error))
    config = uvicorn.Config(
        _Limited(app, arguments.limit_concurrency),
        headers=[("connection", "close")],  # each request costs the same, and no connection is left open after a run
        access_log=False,
        log_level="error",
        lifespan="off",
        # Explicit, not "auto": other installed packages must not change the measurement.
        http="h11",
        ws="none",
        timeout_graceful_shutdown=0,
    )
    asyncio.run(_serve(uvicorn.Server(config), listener, threads=arguments.limit_concurrency))


async def _serve(server: uvicorn.Server, listener: socket.socket, *, threads: int) -> None:
    # Synchronous functions run in the default executor, which by default has few threads on few cores and queues calls.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))
    await server.serve(sockets=[listener])


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--limit-concurrency", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
