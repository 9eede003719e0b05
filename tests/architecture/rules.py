"""The rules of ARCHITECTURE.md as functions: source text in, a list of what is wrong out."""

import ast
import re
from collections.abc import Callable, Iterator

Check = Callable[[str], list[str]]

_TRANSACTION_CALLS = {
    "begin",
    "begin_nested",
    "begin_transaction",
    "commit",
    "rollback",
    "savepoint",
    "with_for_update",
}
_TRANSACTION_SQL = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|END)\b|.*\bFOR (NO KEY )?UPDATE\b", re.S)
_ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
_WALL_CLOCK = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "monotonic"},
    "func": {"now", "current_timestamp"},
}
_MONEY_WORD = re.compile(r"(^|_)(amounts?|balances?|money|minor|held|available|overdraft|total)(_|$)")
_INEXACT_COLUMNS = {
    "Numeric",
    "NUMERIC",
    "DECIMAL",
    "Float",
    "FLOAT",
    "REAL",
    "Double",
    "DOUBLE",
    "DOUBLE_PRECISION",
}


def transaction_control(source: str) -> list[str]:
    """Code that decides when something is saved, undone or locked."""
    tree = ast.parse(source)
    found = [
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _last_name(node.func) in _TRANSACTION_CALLS
        # A brake begins to count; nothing of a database.
        and not ast.unparse(node.func).endswith("throttle.begin")
    ]
    found += [
        f"{word.arg}="
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg == "isolation_level"
    ]
    return found + [text for text in _texts(tree) if _TRANSACTION_SQL.match(text)]


def environment(source: str) -> list[str]:
    """Code that reads or changes the environment."""
    reached = [name for name in _reached(ast.parse(source), "os") if name in _ENVIRONMENT]
    return reached + imports_of(source, "pydantic_settings", "dotenv")


def wall_clock(source: str) -> list[str]:
    """Code that asks the operating system, or the database, for the time."""
    tree = ast.parse(source)
    return [
        f"{owner}.{name}"
        for owner, banned in _WALL_CLOCK.items()
        for name in _reached(tree, owner)
        if name in banned
    ]


def inexact_columns(source: str) -> list[str]:
    """Column types that round: no database keeps the same number in all of them."""
    tree = ast.parse(source)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    imported = [alias.name for node in _imports_from(tree) for alias in node.names]
    return [name for name in (*names, *attributes, *imported) if name in _INEXACT_COLUMNS]


def inexact_money(source: str) -> list[str]:
    """Float annotations, float() and true division on anything that is named like money."""
    return [ast.unparse(node)[:80] for node in ast.walk(ast.parse(source)) if _rounds_money(node)]


def no_floats_at_all(source: str) -> list[str]:
    """Floats in a file that is about money and nothing else."""
    tree = ast.parse(source)
    found = [ast.unparse(node) for node in ast.walk(tree) if _is_float(node) or _mentions_float(node)]
    return found + [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    ]


def silent_relations(source: str) -> list[str]:
    """Relations that would load when they are looked at."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and _last_name(node.func) in ("relationship", "backref", "dynamic_loader")
        and not any(word.arg == "lazy" and _is_text(word.value, "raise") for word in node.keywords)
    ]


def json_shapes(source: str) -> list[str]:
    """Imports of what turns values into JSON bodies and back."""
    return imports_of(source, "pydantic", "json", "app.schemas")


def secret_libraries(source: str) -> list[str]:
    """Imports of the libraries that sign tokens and hash passwords."""
    return imports_of(source, "jose", "passlib", "argon2", "jwt", "bcrypt")


def imports_of(source: str, *packages: str) -> list[str]:
    """Which of the packages, or modules in them, are imported."""
    tree = ast.parse(source)
    modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    for node in _imports_from(tree):
        modules += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in modules if any(f"{name}.".startswith(f"{package}.") for package in packages)]


def missing_docstrings(source: str) -> list[str]:
    """The module, its public classes and functions without a sentence.

    An error class that states its `message` has one there.
    """
    tree = ast.parse(source)
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        says = ast.get_docstring(node) or (isinstance(node, ast.ClassDef) and _assigns(node, "message"))
        if not says and not node.name.startswith("_"):
            missing.append(node.name)
    return missing


def service_classes(source: str) -> list[str]:
    """Classes with methods among the use cases, which are plain functions."""
    return [
        node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and _has_work(node)
    ]


def too_long(source: str, lines: int = 400) -> list[str]:
    """Files that want a second look."""
    count = len(source.splitlines())
    return [f"{count} lines"] if count > lines else []


def _rounds_money(node: ast.AST) -> bool:
    if isinstance(node, ast.AnnAssign):
        return _is_money(node.target) and _mentions_float(node.annotation)
    if isinstance(node, ast.arg):
        return _is_money(node) and _mentions_float(node.annotation)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _is_money(node) and _mentions_float(node.returns)
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        inexact = isinstance(node.op, ast.Div) or any(map(_is_float, sides))
        return inexact and any(map(_is_money, sides))
    if isinstance(node, ast.Call) and _last_name(node.func) in ("float", "round"):
        return any(map(_is_money, node.args))
    return False


def _has_work(node: ast.ClassDef) -> bool:
    methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(not _is_property(method) for method in methods)


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(_last_name(decorator) == "property" for decorator in node.decorator_list)


def _assigns(node: ast.ClassDef, name: str) -> bool:
    targets = [target for part in node.body if isinstance(part, ast.Assign) for target in part.targets]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _texts(tree: ast.AST) -> Iterator[str]:
    """String constants that are not documentation."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def _reached(tree: ast.AST, owner: str) -> Iterator[str]:
    """Names that are taken from `owner`: `owner.x`, `module.owner.x` or `from owner import x`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _last_name(node.value) == owner:
            yield node.attr
        if isinstance(node, ast.ImportFrom) and node.module == owner:
            yield from (alias.name for alias in node.names)


def _imports_from(tree: ast.AST) -> Iterator[ast.ImportFrom]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


def _is_money(node: ast.AST) -> bool:
    name = node.arg if isinstance(node, ast.arg) else getattr(node, "name", None) or _last_name(node)
    return _MONEY_WORD.search(name) is not None


def _is_float(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def _mentions_float(node: ast.AST | None) -> bool:
    return node is not None and any(
        isinstance(part, ast.Name) and part.id == "float" for part in ast.walk(node)
    )


def _is_text(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text
