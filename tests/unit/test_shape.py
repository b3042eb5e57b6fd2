"""The shape of the house: siblings are identical, functions fit in the head, docs name everything."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.keys import Keys, QueueKeys
from core.registry import CHANNELS, SERVICES, Service

ROOT = Path(__file__).parent.parent.parent
PACKAGES = (
    "core",
    *(channel.package for channel in CHANNELS),
    "form_api",
    "orchestrator",
    "sandbox",
    "launcher",
    "publish",
    "examples",
    "evals",
)
CHANNEL_FILES = (
    "README.md",
    "__init__.py",
    "__main__.py",
    "channel.py",
    "client.py",
    "normalize.py",
    "schemas.py",
    "settings.py",
    "tools.py",
)
LONGEST_FUNCTION = 40
LONGEST_FILE = 400
MOST_PARAMETERS = 6


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_of_the_registry_starts_as_a_module(service: Service) -> None:
    """`python -m <package>` is how the launcher and compose start it."""
    assert (ROOT / service.package / "__main__.py").is_file()


@pytest.mark.parametrize("service", CHANNELS, ids=lambda service: service.name)
def test_channels_have_the_same_files(service: Service) -> None:
    """Learn one, know all."""
    names = [path.name for path in (ROOT / service.package).iterdir() if path.name != "__pycache__"]
    assert sorted(names) == sorted(CHANNEL_FILES)


@pytest.mark.parametrize("service", CHANNELS, ids=lambda service: service.name)
def test_channels_have_payload_pairs(service: Service) -> None:
    """A vendor body in, the expected unified JSON beside it; at least 20."""
    folder = ROOT / "tests" / "payloads" / service.channel
    expected = {path.name.removesuffix(".expected.json") for path in folder.glob("*.expected.json")}
    bodies = {path.stem for path in folder.glob("*.json") if not path.name.endswith(".expected.json")}
    assert bodies == expected
    assert len(bodies) >= 20


@pytest.mark.parametrize("service", CHANNELS, ids=lambda service: service.name)
def test_nothing_of_a_channel_is_missing(service: Service) -> None:
    """docs/adding-a-channel.md in short: the failure lists what is still to be written, and where."""
    channel, package = service.channel, service.package
    files = {
        f"sandbox/{channel}/vendor.py": "the simulator",
        f"tests/contract/{channel}_side.py": "the vendor in memory, for the contract suite",
        f"tests/unit/test_{channel}_normalize.py": "tests of the pure middle",
        f"tests/unit/test_{channel}_client.py": "tests of the endpoints and errors",
        f"tests/unit/test_{channel}_channel.py": "tests of the contract's parts",
        f"tests/snapshots/tools/{channel}.json": "UPDATE_SNAPSHOTS=1 make test",
    }
    lines = {
        "tests/contract/vendor_side.py": f'"{channel}":',
        "launcher/vendors.py": f'"{channel}"',
        "compose.yaml": f"  {package}:",
        ".env.example": f"# {service.port_variable}=",
        ".dockerignore": f"!{package}",
        ".importlinter": f"    {package}.normalize",
        "pyproject.toml": f'"{package}"',
        "docs/channels.md": f"| {service.title} |",
        "README.md": f"({package}/README.md)",
        "README.ru.md": f"({package}/README.md)",
    }
    missing = [f"{name}: {what}" for name, what in files.items() if not (ROOT / name).exists()]
    missing += [f"{name}: a line with {text!r}" for name, text in lines.items() if text not in _read(name)]
    assert missing == []


def test_functions_fit_in_the_head() -> None:
    """Code lines without docstring, comments and blanks; parameters without self."""
    too_large = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (_code_lines(node, path) > LONGEST_FUNCTION or _parameters(node) > MOST_PARAMETERS)
    ]
    assert too_large == []


def test_files_stay_short() -> None:
    """A longer one holds two nouns."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in _sources()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


@pytest.mark.parametrize("document", ["README.md", "README.ru.md", "docs/architecture.md"])
def test_every_port_is_in_the_documents(document: str) -> None:
    """Whoever reads them can find each service."""
    text = _read(document)
    missing = [one.name for one in SERVICES if str(one.port) not in text]
    assert missing == []


def test_every_key_is_in_the_architecture() -> None:
    """core/keys.py and the table cannot drift apart."""
    text = _read("docs/architecture.md")
    keys = Keys()
    every = (keys.incoming, keys.outgoing, keys.tickets)
    queues = [getattr(queue, name) for queue in every for name in QueueKeys.__slots__]
    shortened = {
        f"queue:{line}_{part}" for line in ("outbound", "tickets") for part in ("opened", "pending", "fence")
    }
    missing = {name.rstrip(":") for name in queues} - shortened
    missing = {name for name in missing if name not in text and not name.startswith("dead:")}
    missing |= {row for row in _rows_of_keys() if not re.search(row, text)}
    assert missing == set()


def _rows_of_keys() -> Iterator[str]:
    """A pattern of the table's row for every method of Keys: `seen:{channel}:{account}:{event}`."""
    for name, method in inspect.getmembers(Keys(), inspect.ismethod):
        if not name.startswith("_"):
            blanks = len(inspect.signature(method).parameters)
            yield "`" + re.escape(method(*["\0"] * blanks)).replace("\0", r"\{\w+\}") + "`"


@pytest.mark.parametrize("document", ["README.md", "README.ru.md"])
@pytest.mark.parametrize("name", ["hub", "everything", *(channel.channel for channel in CHANNELS)])
def test_every_tool_is_in_the_readme(document: str, name: str) -> None:
    """The lists are what a reader chooses by."""
    text = _read(document)
    tools = json.loads(_read(f"tests/snapshots/tools/{name}.json"))
    assert [tool["name"] for tool in tools if f"`{tool['name']}`" not in text] == []


@pytest.mark.parametrize(
    ("english", "russian"),
    [
        ("README.md", "README.ru.md"),
        ("docs/operations.md", "docs/operations.ru.md"),
        ("docs/inbox-app.md", "docs/inbox-app.ru.md"),
    ],
)
def test_both_languages_say_the_same(english: str, russian: str) -> None:
    """Same headings, same commands."""
    assert _outline(_read(english)) == _outline(_read(russian))


def _outline(text: str) -> tuple[list[int], list[str]]:
    levels = [len(mark) for mark in re.findall(r"^(#+) ", text, re.MULTILINE)]
    starts = r"curl|redis-cli|psql|make \w+|claude mcp add|\. var|eldoleado \w+ ?\w*|\| `eldoleado \w+"
    return levels, re.findall(rf"^ *({starts})", text, re.MULTILINE)


def _code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    if not body:
        return 0
    lines = path.read_text(encoding="utf-8").splitlines()[body[0].lineno - 1 : node.end_lineno]
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines)


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return len([one for one in every if one.arg not in ("self", "cls")])
