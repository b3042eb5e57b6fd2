"""Which of our modules a program is made of: those that it imports, and what they import."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def closure(root: Path, entries: Iterable[str]) -> set[Path]:
    """The files of the modules `entries` and of everything of ours under `root` that they import."""
    found: set[Path] = set()
    waiting = [file for name in entries for file in _files(root, name)]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += [other for name in _imported(file) for other in _files(root, name)]
    return found


def third_party(files: Iterable[Path]) -> set[str]:
    """The top names of everything that these files import."""
    return {name.partition(".")[0] for file in files for name in _imported(file)}


def _imported(file: Path) -> Iterator[str]:
    """Names of modules, and names in modules, which may be modules themselves."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(root: Path, name: str) -> Iterator[Path]:
    """Of a module and of the packages around it; none for what is not ours."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                yield file
