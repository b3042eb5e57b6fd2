"""One of our own programs as a process."""

import sys
from collections.abc import Mapping
from pathlib import Path

from launcher.child import Child


class ServiceProcess:
    def __init__(self, name: str, package: str, environment: Mapping[str, str], logs: Path) -> None:
        self.child = Child(name, logs / f"{name}.log")
        self._package = package
        self._environment = environment

    def start(self) -> None:
        self.child.start([sys.executable, "-m", self._package], self._environment)
