"""What stands in the system's PostgreSQL, as an operator's psql shows it."""

import subprocess

from launcher.binaries import postgres_server
from tests.system import System


def select(system: System, query: str, **values: str) -> list[list[str]]:
    """The rows, every value as text; the query names `values` as :'name'."""
    psql = postgres_server().with_name("psql")
    url = system.environment("orchestrator")["DATABASE_URL"]
    given = [f"-v{name}={value}" for name, value in values.items()]
    command = [str(psql), "-XAtF", "\t", *given, url]
    done = subprocess.run(command, input=query, check=True, capture_output=True, text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]
