"""What a person reads when everything is up."""

import shlex
import shutil
from pathlib import Path

from launcher.keyring import secrets_file
from launcher.surroundings import Surroundings

_EXAMPLE = '{"text": "Здравствуйте! Сколько стоит замена экрана?"}'


def urls(surroundings: Surroundings) -> list[tuple[str, str]]:
    url = surroundings.addresses.url
    return [
        ("a customer's phone", f"{url('sandbox')}/"),
        ("hub for agents (MCP)", f"{url('orchestrator')}/mcp"),
        *((f"{one.title} as an MCP server", f"{url(one.name)}/mcp") for one in surroundings.served),
        ("web forms", f"{url('form_api')}/api/submit"),
        ("keys", str(secrets_file(surroundings.state))),
        ("logs", str(surroundings.state / "logs")),
    ]


def things_to_try(surroundings: Surroundings, psql: Path | None) -> str:
    url = surroundings.addresses.url
    channel = surroundings.served[0]
    customer = f"{url('sandbox')}/control/{channel.channel}/customers/anna/messages"
    keys = shlex.quote(str(secrets_file(surroundings.state)))
    lines = [
        "Write as a customer, then see the answer:",
        f"  curl -X POST {customer} -H 'content-type: application/json' -d '{_EXAMPLE}'",
        f"  curl {customer}",
        "Call a channel as the operator:",
        f'  . {keys}; curl -H "X-API-Key: $OPERATOR_API_KEY" {url(channel.name)}/api/chats',
    ]
    if surroundings.embedded_redis:
        lines += ["Look into the queues:", f"  redis-cli -u {surroundings.redis_url} keys '*'"]
    if psql:
        query = '"SELECT id, channel, external_chat_id, status FROM appeals"'
        lines += ["Look into the database:", f"  {psql} '{surroundings.database_url}' -c {query}"]
    return "\n".join([*lines, "Ctrl-C stops everything; the data stay."])


def psql_for(server: Path | None) -> Path | None:
    """The client on the PATH, or the one beside the embedded server."""
    if server is None:
        return None
    return Path("psql") if shutil.which("psql") else server.with_name("psql")
