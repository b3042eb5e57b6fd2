"""docs/clients.md shows what `eldoleado connect` prints, with placeholders."""

import os
from pathlib import Path

import pytest

from launcher.client_formats import CLIENTS, OverHttp, Started

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
BEGIN, END = "<!-- written by", "<!-- end -->\n"
PYTHON = "/path/to/eldoleado-channels/.venv/bin/python"
SERVERS = (
    OverHttp("eldoleado", "http://127.0.0.1:8780/mcp", "YOUR-AGENT-KEY", PYTHON),
    Started(
        "eldoleado-avito",
        PYTHON,
        ("-m", "launcher", "stdio", "avito"),
        {"AVITO_CLIENT_ID": "YOUR-CLIENT-ID", "AVITO_CLIENT_SECRET": "YOUR-CLIENT-SECRET"},
    ),
)
TITLES = {
    "claude-desktop": "Claude Desktop",
    "claude-code": "Claude Code",
    "vscode": "VS Code",
    "cursor": "Cursor",
}


def rendered() -> str:
    """A heading for each client, and a block for each part."""
    lines = []
    for client, formats in CLIENTS.items():
        lines.append(f"\n### {TITLES[client]}\n")
        for part in formats(SERVERS):
            kind = "json" if part.text.startswith("{") else "sh" if part.text.startswith("claude") else "text"
            lines.append(f"{part.says}:\n\n```{kind}\n{part.text}\n```\n")
    return "\n".join(lines)


@pytest.mark.promise("ready")
def test_the_page_shows_what_is_printed() -> None:
    """Under it: the hub over HTTP, and Avito by itself."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    mark, _, written = rest.partition("\n")
    written, _, after = written.partition(END)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PAGE.write_text(f"{before}{BEGIN}{mark}\n{rendered()}\n{END}{after}", "utf-8")
        return

    assert written.strip() == rendered().strip()
