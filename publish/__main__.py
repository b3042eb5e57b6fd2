"""`python -m publish`: bundles for desktop clients and server.json for the MCP registry, into a folder."""

import argparse
import json
import sys
from pathlib import Path

from publish.bundle import write_bundle
from publish.products import PRODUCTS
from publish.server_json import NAMESPACE, RELEASES, server_json


def main() -> None:
    """Everything, and a line for each file."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    for product in PRODUCTS:
        bundle = write_bundle(product, options.out)
        listing = server_json(
            product, namespace=options.namespace, releases=options.releases.rstrip("/"), bundle=bundle
        )
        file = options.out / f"{product.name}.server.json"
        file.write_text(json.dumps(listing, indent=2, ensure_ascii=False) + "\n", "utf-8")
        sys.stdout.write(f"{bundle}\n{file}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m publish", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dist"), help="the folder (dist)")
    parser.add_argument(
        "--namespace", default=NAMESPACE, help="yours at the registry, such as io.github.NAME"
    )
    parser.add_argument("--releases", default=RELEASES, help="address under which /vVERSION/FILE will lie")
    return parser.parse_args()


if __name__ == "__main__":
    main()
