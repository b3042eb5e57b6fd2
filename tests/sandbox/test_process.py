"""The real thing: `python -m sandbox` on a real port."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

import httpx
import pytest

from tests.sandbox.world import KEYS, account_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def process(port: int) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "SANDBOX_PORT": str(port),
        "SANDBOX_AVITO_CLIENT_ID": "the-id",
        "SANDBOX_AVITO_CLIENT_SECRET": "the-secret",
    }
    running = subprocess.Popen([sys.executable, "-m", "sandbox"], env=environment, stderr=subprocess.PIPE)
    assert running.stderr
    for line in running.stderr:
        if b"Uvicorn running" in line:
            break
    yield running
    running.kill()
    running.wait()
    running.stderr.close()


@pytest.fixture
def web(process: subprocess.Popen[bytes], port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        token = client.post("/avito/token", data=KEYS).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def hook() -> Iterator[tuple[str, "Queue[bytes]"]]:
    received: Queue[bytes] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", received
        server.shutdown()
        thread.join()


def test_a_message_travels_over_real_sockets(web: httpx.Client, hook: tuple[str, "Queue[bytes]"]) -> None:
    url, received = hook
    web.post("/avito/messenger/v3/webhook", json={"url": url})
    web.post("/control/avito/customers/Анна/messages", json={"text": "Здравствуйте", "image": True})

    assert "Здравствуйте".encode() in received.get(timeout=5)
    assert b'"image"' in received.get(timeout=5)
    [chat] = web.get(f"/avito{account_path(2)}/chats").json()["chats"]
    picture = chat["last_message"]["content"]["image"]["sizes"]["140x105"]
    assert web.get(picture).headers["content-type"] == "image/png"


def test_sigterm_stops_it_at_once_with_a_retry_and_a_slow_call_under_way(
    web: httpx.Client, process: subprocess.Popen[bytes]
) -> None:
    web.post("/avito/messenger/v3/webhook", json={"url": f"http://127.0.0.1:{free_port()}/nobody"})
    web.post("/control/avito/customers/Анна/messages", json={"text": "Здравствуйте"})
    web.post("/control/avito/faults", json={"slow": 60})
    with pytest.raises(httpx.ReadTimeout):
        web.get("/avito/core/v1/accounts/self", timeout=0.2)

    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=5)

    assert time.monotonic() - started < 3


def test_without_keys_it_does_not_start_and_says_why() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}

    ended = subprocess.run([sys.executable, "-m", "sandbox"], env=environment, capture_output=True, text=True)

    assert ended.returncode == 2
    assert ended.stderr == (
        "The sandbox cannot start: set SANDBOX_AVITO_CLIENT_ID, SANDBOX_AVITO_CLIENT_SECRET.\n"
    )
