"""The shape of the code, watched: sizes, types, who may read the clock and the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("caretaker", "api", "edge", "ingest", "rules", "notify", "simulators", "store", "wire", "domain")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

FILE_LIMIT = 400
FUNCTION_LIMIT = 40
LEAST_TEST = 1.0  # lines of test per line of code, comments and docstrings apart
# Reading the clock: allowed where a process is run or time is handed on, never where something is decided.
PURE = ("domain", "wire", "rules")
CLOCKS = {("time", "time"), ("time", "time_ns"), ("time", "monotonic"), ("datetime", "now"), ("datetime", "utcnow"),
          ("date", "today")}  # fmt: skip


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the function without its docstring."""
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(node.body) > 1
    start = node.body[1].lineno if documented else first.lineno
    return (node.end_lineno or start) - start + 1


def test_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): n for path in SOURCES if (n := len(path.read_text().splitlines())) > FILE_LIMIT
    }
    assert long == {}


def test_functions_stay_short() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": lines
        for path in SOURCES
        for node in functions(parse(path))
        if (lines := code_lines(node)) > FUNCTION_LIMIT
    }
    assert long == {}


def test_every_function_says_what_it_returns() -> None:
    untyped = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES + TESTS
        for node in functions(parse(path))
        if node.returns is None
    ]
    assert untyped == []


def test_what_decides_reads_no_clock() -> None:
    reads = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] in PURE
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in CLOCKS
    ]
    assert reads == []


def test_only_settings_reads_the_environment() -> None:
    reads = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if path != ROOT / "caretaker" / "settings.py"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert reads == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_happens_when_a_package_is_imported(package: str) -> None:
    assert (ROOT / package / "__init__.py").read_text() == ""


def test_every_module_opens_with_its_problem() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name not in ("__init__.py", "__main__.py") and ast.get_docstring(parse(path)) is None
    ]
    assert silent == []


def bare_lines(path: Path) -> int:
    """Lines of code without docstrings, comments and blank lines."""
    tree = parse(path)
    quiet: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            quiet.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(path.read_text().splitlines(), start=1)
    return sum(1 for number, line in lines if number not in quiet and line.strip() and not line.strip().startswith("#"))


def imports(path: Path) -> set[str]:
    """The first parts of the modules that the file imports."""
    nodes = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom | ast.Import)]
    names = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    names |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_as_much_test_as_code(package: str) -> None:
    # Acceptance tests run the installed command, so they import nothing of what they test: they count for the wiring.
    # What its own tests share (fakes, rigs) need not import the package either.
    own = ROOT / "tests" / "unit" / package
    tested = sum(
        bare_lines(path)
        for path in TESTS
        if package in imports(path) or own in path.parents or (package == "caretaker" and "acceptance" in path.parts)
    )
    code = sum(bare_lines(path) for path in (ROOT / package).rglob("*.py"))
    assert tested >= LEAST_TEST * code, f"{package}: {tested} lines of tests for {code} lines of code"
