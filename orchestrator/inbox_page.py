"""ui://inbox as one page without any address: inbox_app/*.css and *.js stand inside it.

Its own policy names the hash of its one style and its one script, so that nothing else of the page can run,
whatever the host's policy allows to all its views.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files

#: In this order: each uses what stands before it.
SCRIPTS = ("words.js", "host.js", "draft.js", "list.js", "talk.js", "app.js")


@cache
def inbox_page() -> str:
    """The HTML document."""
    style = _file("style.css")
    script = "\n".join(_file(name) for name in SCRIPTS)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    page = _file("inbox.html")
    for mark, content in (("{{policy}}", policy), ("{{style}}", style), ("{{script}}", script)):
        page = page.replace(mark, content)
    return page


def _file(name: str) -> str:
    return files("orchestrator").joinpath("inbox_app", name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
