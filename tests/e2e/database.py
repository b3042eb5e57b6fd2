"""What stands in the system's PostgreSQL, as an operator's psql shows it."""

import subprocess

from launcher.binaries import postgres_server
from tests.system import System


def select(system: System, query: str) -> list[list[str]]:
    """The rows, every value as text."""
    psql = postgres_server().with_name("psql")
    url = system.environment("orchestrator")["DATABASE_URL"]
    done = subprocess.run([psql, "-XAtF", "\t", "-c", query, url], check=True, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]
