"""The law of the house: imports go down only, and the web process never sees torch."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = "mbsgd_core"

# The longest name that fits decides. Modules of equal floor do not know each other, unless they share the name.
FLOORS = {
    **dict.fromkeys(["errors", "random", "types", "registry", "knobs", "texts", "memory_cache"], 0),
    **dict.fromkeys(["format", "results", "processes"], 0),
    **dict.fromkeys(["problems", "samplers", "rules", "schedules", "clips", "averages"], 1),
    **dict.fromkeys(["experiment", "axes", "view"], 2),
    **dict.fromkeys(["engine", "kernels"], 3),
    **dict.fromkeys(["measures", "claims"], 4),
    **dict.fromkeys(["share", "catalogue", "jobs", "figures", "export"], 5),
    **dict.fromkeys(["ui", "cli", "__main__"], 6),
    **dict.fromkeys(["app", "pages"], 7),
}
BLIND = (1, 5)  # siblings on these floors do not know each other
TORCH_FREE = {part for part, floor in FLOORS.items() if floor in (0, 1, 2, 5, 6, 7)}
LATE = ("jobs.preload", "cli.run", "cli.sweep", "cli.claims")  # by name, where work is done: by a worker, for a command
HEAVY = ("torch", *(f"{CORE}.{name}" for name in ("engine", "kernels", "measures", "claims", *LATE)))
WITH_TORCH = {f"{CORE}/{name.replace('.', '/')}.py" for name in LATE}
FILES = [*ROOT.glob(f"{CORE}/**/*.py"), *ROOT.glob("*.py"), *ROOT.glob("pages/*.py")]


def part_of(path: Path) -> str:
    """The part of the house that a file belongs to: "rules", "experiment", "pages" ..."""
    names = path.relative_to(ROOT).with_suffix("").parts
    return names[1] if names[0] == CORE else names[0]


def imports(tree: ast.AST, top_only: bool = False) -> Iterator[str]:
    """Dotted names of all that is imported; `top_only`: with the module itself, so not inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write imports in full"
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue  # for the reader's eyes only: no import happens
        elif not (top_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))):
            yield from imports(node, top_only)


def test_every_part_has_a_floor():
    assert {part_of(path) for path in FILES} - {"__init__"} <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path):
    tree, here = ast.parse(path.read_text()), part_of(path)
    for name in imports(tree):
        package, _, rest = name.partition(".")
        there = rest.partition(".")[0]
        if package == CORE and there in FLOORS and there != here:
            assert FLOORS[there] <= FLOORS[here], f"{here} (floor {FLOORS[here]}) imports {name}"
            assert FLOORS[there] < FLOORS[here] or FLOORS[here] not in BLIND, f"siblings: {here} imports {name}"
        assert package != "streamlit" or FLOORS.get(here, 0) >= 6, f"{here} imports streamlit"
        assert package != "plotly" or here in ("figures", "export"), f"{here} imports plotly"
        assert package != "pickle" or here == "jobs", f"{here} imports pickle"
    if here in TORCH_FREE and path.relative_to(ROOT).as_posix() not in WITH_TORCH:
        heavy = [name for name in imports(tree, top_only=True) if name.startswith(HEAVY)]
        assert not heavy, f"{here} imports torch when it is imported, by {heavy}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_evaluated(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"line {node.lineno}"


def test_the_web_process_never_sees_torch():
    modules = ", ".join(f"{CORE}.{name}" for name in ("experiment", "share", "catalogue", "__main__"))
    use = f"{CORE}.catalogue.catalogue(); {CORE}.experiment.schema()"
    code = f"import sys, {modules}; {use}; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize("folder", ["contract", "oracle", "hostile"])
def test_no_test_file_imports_another(folder):
    for path in (ROOT / "tests" / folder).glob("*.py"):
        for name in imports(ast.parse(path.read_text())):
            there = name.split(".")[2:3] if name.startswith("tests.") else []
            assert not any(part.startswith("test_") for part in there), f"{path.name} imports {name}; share a _name.py"
