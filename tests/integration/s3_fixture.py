"""A bucket in memory that checks every signature by itself; it holds no test.

Written from Amazon's description of Signature Version 4, not from the client under test.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.content_s3 import S3Place

KEY_ID = "an-access-key"
SECRET = "a-secret-that-signs"
REGION = "ru-central1"
BUCKET = "files"
_SIGNED_WITH = "AWS4-HMAC-SHA256"


@dataclass
class FakeS3:
    """What lies in the bucket, what was asked, and an answer to give instead of the usual ones."""

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answer: int = 0
    silent: bool = False
    url: str = ""

    def place(self, *, prefix: str = "", secret: str = SECRET) -> S3Place:
        return S3Place(BUCKET, prefix, self.url, REGION, KEY_ID, SecretStr(secret))

    async def serve(self, request: Request) -> Response:
        body = await request.body()
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        if self.silent:
            await asyncio.Event().wait()
        if reason := _wrong(request, body):
            self.refused.append(reason)
            return _error(403, "SignatureDoesNotMatch")
        if self.answer:
            return _error(self.answer, "AsToldByTheTest")
        if request.method == "PUT":
            self.objects[path] = body
        elif request.method == "DELETE":
            self.objects.pop(path, None)
            return Response(status_code=204)
        elif path not in self.objects:
            return _error(404, "NoSuchKey")
        content = self.objects[path] if request.method == "GET" else b""
        headers = {"ETag": '"1"', "Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT"}
        return Response(content, headers=headers)


def _error(status: int, code: str) -> Response:
    return Response(f"<Error><Code>{code}</Code></Error>", status, media_type="application/xml")


def _wrong(request: Request, body: bytes) -> str:
    """Why the request is not what our key signed; "" when it is."""
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != _SIGNED_WITH or not parts:
        return "not signed"
    if hashlib.sha256(body).hexdigest() != request.headers["x-amz-content-sha256"]:
        return "another body"
    day, region, service = parts["Credential"].split("/")[1:4]
    if parts["Credential"] != f"{KEY_ID}/{day}/{REGION}/s3/aws4_request":
        return "another credential"
    names = parts["SignedHeaders"].split(";")
    if not {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names):
        return "too little is signed"
    canonical = "\n".join(
        [
            request.method,
            quote(request.url.path, safe="/~"),
            request.url.query,
            *(f"{name}:{request.headers[name].strip()}" for name in names),
            "",
            parts["SignedHeaders"],
            request.headers["x-amz-content-sha256"],
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signing = f"AWS4{SECRET}".encode()
    for part in (day, region, service, "aws4_request"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    to_sign = "\n".join([_SIGNED_WITH, request.headers["x-amz-date"], scope, digest])
    expected = hmac.digest(signing, to_sign.encode(), "sha256").hex()
    return "" if hmac.compare_digest(expected, parts["Signature"]) else "another signature"


@asynccontextmanager
async def fake_s3() -> AsyncIterator[FakeS3]:
    """The bucket on a free port of this machine."""
    made = FakeS3()
    route = Route("/{path:path}", made.serve, methods=["GET", "PUT", "DELETE", "HEAD", "POST"])
    async with serving(Starlette(routes=[route])) as url:
        made.url = url
        yield made


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """An application on a free port of this machine; its address."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn has only a flag
            await asyncio.sleep(0.01)
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
