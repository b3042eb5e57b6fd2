"""Which ports of this machine are free."""

import random
import socket
import time

from launcher.errors import PortTaken

LOOPBACK = "127.0.0.1"
_BELOW_EPHEMERAL = range(20_000, 30_000)  # outgoing connections take theirs from 32768 up
_LAST_OWNER_NEEDS = 3.0  # seconds; what a killed launcher leaves behind shuts down by itself


def is_free(port: int, host: str = LOOPBACK) -> bool:
    with socket.socket() as probe:
        # Without it the rests of closed connections (TIME_WAIT) look like a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    return next(port for port in random.sample(_BELOW_EPHEMERAL, 1000) if is_free(port))


def require_free(port: int, *, owner: str, variable: str, patience: float = _LAST_OWNER_NEEDS) -> None:
    deadline = time.monotonic() + patience
    while not is_free(port):
        if time.monotonic() > deadline:
            raise PortTaken(
                f"Port {port}, meant for {owner}, is taken: stop what uses it, or set {variable}."
            )
        time.sleep(0.05)


def answers(port: int, hello: bytes, good: tuple[bytes, ...]) -> bool:
    """Does a server on this port reply to its protocol's first bytes as it should?"""
    try:
        with socket.create_connection((LOOPBACK, port), 0.5) as connection:
            connection.sendall(hello)
            return connection.recv(64).startswith(good)
    except OSError:
        return False
