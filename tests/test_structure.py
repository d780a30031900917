"""What keeps the code readable: no cycles, small modules, each flow written once."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "airflow_provider_d360"
MOST_LINES = 350
# More statements than this are a flow; fewer only call something.
MOST_STATEMENTS_OF_A_TWIN = 4


def _modules() -> dict[str, ast.Module]:
    return {
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            file.read_text()
        )
        for file in PACKAGE.rglob("*.py")
    }


def _imports(tree: ast.AST, modules: set[str]) -> set[str]:
    """Return the modules that a module imports anywhere: in functions and for type checking, too."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole in modules else node.module)
    return names & modules


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Return the modules that a module imports, directly or not."""
    seen: set[str] = set()
    left = list(graph[start])
    while left:
        module = left.pop()
        if module not in seen:
            seen.add(module)
            left.extend(graph[module])
    return seen


def _modules_in_cycles(trees: dict[str, ast.Module]) -> list[str]:
    graph = {name: _imports(tree, set(trees)) - {name} for name, tree in trees.items()}
    return sorted(name for name in graph if name in _reachable(name, graph))


def _twins(tree: ast.AST) -> list[str]:
    """Return the functions that a scope holds twice with a body of their own: blocking and async."""
    twins = []
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.Module | ast.ClassDef):
            continue
        blocking = {node.name: node for node in scope.body if isinstance(node, ast.FunctionDef)}
        for node in scope.body:
            if isinstance(node, ast.AsyncFunctionDef):
                for twin in blocking.values():
                    is_twin = node.name in (f"a{twin.name}", f"async_{twin.name}")
                    if is_twin and min(_size(node), _size(twin)) > MOST_STATEMENTS_OF_A_TWIN:
                        twins.append(twin.name)
    return twins


def _size(function: ast.AST) -> int:
    return sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1


def test_no_module_imports_itself_by_way_of_others_not_even_for_type_checking():
    assert _modules_in_cycles(_modules()) == []


def test_a_cycle_for_type_checking_only_is_seen():
    one = ast.parse("if TYPE_CHECKING:\n    from package.two import Two")
    two = ast.parse("def two():\n    from package import one")
    assert _modules_in_cycles({"package.one": one, "package.two": two, "package.three": one}) == [
        "package.one",
        "package.two",
    ]


def test_no_module_is_longer_than_a_reader_can_keep_in_mind():
    lengths = {file: len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert {str(file): lines for file, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_flow_is_written_twice():
    # The two drivers differ on purpose: everything else is one flow, which both of them run.
    twins = {name: _twins(tree) for name, tree in _modules().items()}
    assert {
        name: found
        for name, found in twins.items()
        if found and name != "airflow_provider_d360.transport.client"
    } == {}


def test_a_flow_in_two_versions_is_seen():
    body = "    a = 1\n    b = 2\n    c = 3\n    d = 4\n    return a\n"
    assert _twins(ast.parse(f"def send():\n{body}\nasync def asend():\n{body}")) == ["send"]


def _raised_over_foreign_errors(tree: ast.AST, own: set[str]) -> list[int]:
    """
    Return the lines that raise a new exception while one of another library is handled.

    The new one keeps the other as its context, with all that it quotes. ``from None`` only asks programs not
    to show it. A context manager made of a generator handles an exception until it ends.

    :param own: The exceptions of this package, which quote nothing private.
    """
    lines = []

    def search(node: ast.AST, *, is_handling: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            is_handling = any(
                "contextmanager" in ast.unparse(one) for one in getattr(node, "decorator_list", ())
            )
        elif isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            is_handling = not all(isinstance(kind, ast.Name) and kind.id in own for kind in kinds)
        elif isinstance(node, ast.Raise) and node.exc is not None and is_handling:
            lines.append(node.lineno)
        for child in ast.iter_child_nodes(node):
            search(child, is_handling=is_handling)

    search(tree, is_handling=False)
    return lines


def test_no_error_is_raised_while_that_of_another_library_is_handled_which_may_quote_private_values():
    trees = _modules()
    classes = (
        node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    )
    own = {name for name in classes if name.endswith("Error")}
    lines = {name: _raised_over_foreign_errors(tree, own) for name, tree in trees.items()}
    assert {name: found for name, found in lines.items() if found} == {}


def test_an_error_raised_while_another_is_handled_is_seen():
    code = "try:\n    read()\nexcept ({}):\n    raise {}"
    seen = {
        code.format("ValueError", "Own('…') from None"): [4],
        code.format("ValueError, Own", "Own('…')"): [4],
        code.format("ValueError", ""): [],
        code.format("Own", "Other('…') from error"): [],
        "@contextmanager\ndef reading():\n    raise Own('…')": [3],
        "def read():\n    raise Own('…')": [],
    }
    assert {text: _raised_over_foreign_errors(ast.parse(text), {"Own"}) for text in seen} == seen
