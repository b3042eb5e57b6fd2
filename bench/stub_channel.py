"""`python -m bench.stub_channel PORT SECONDS`: a channel that takes every message after so many seconds.

GET /taken: {text: when it came, Unix ms}; DELETE /taken forgets them.
"""

import asyncio
import itertools
import sys
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def make_app(seconds: float) -> Starlette:
    """The two routes of a channel that sending needs, and its memory."""
    taken: dict[str, float] = {}
    numbers = itertools.count(1)

    async def send(request: Request) -> JSONResponse:
        body = await request.json()
        taken[body["text"]] = time.time() * 1000
        if seconds:
            await asyncio.sleep(seconds)
        return JSONResponse({"message_ids": [str(next(numbers))]})

    async def info(_: Request) -> JSONResponse:
        return JSONResponse({"capabilities": {"parts": []}, "accounts": {"default": {}}})

    async def memory(request: Request) -> JSONResponse:
        if request.method == "DELETE":
            taken.clear()
        return JSONResponse(taken)

    return Starlette(
        routes=[
            Route("/api/messages/send", send, methods=["POST"]),
            Route("/info", info),
            Route("/taken", memory, methods=["GET", "DELETE"]),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(make_app(float(sys.argv[2])), port=int(sys.argv[1]), log_level="error", access_log=False)
