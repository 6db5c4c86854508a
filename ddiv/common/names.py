"""What the names and expressions in a user's file stand for, as far as its source tells."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable
from typing import Literal

from ddiv.common.modules import Module, locate

Kind = Literal["local", "builtin", "ours", "foreign", "own", "constant", "data"]


class Names:
    """The names of one file."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._constants: dict[str, bool] = {}

    def kind(self, name: str, local: frozenset[str]) -> Kind:
        """What a name stands for.

        "ours": of ddiv or of a library that is as harmless; "own": a function or class of the file,
        or anything from another file of the user's; "constant": a value that nobody can change.
        """
        if name in local:
            return "local"
        if name.startswith("__") and name.endswith("__"):
            return "constant"
        if name in self._module.imports:
            if any(self._located(module, level) for module, level, _ in self._module.imports[name]):
                return "own"
            return "ours" if self.comes_from(name, ("ddiv", "msgspec")) else "foreign"
        statements = self._module.binding.get(name)
        if statements is None:
            return "builtin" if hasattr(builtins, name) else "data"
        if all(
            isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            for each in statements
        ):
            return "own"
        if name not in self._constants:
            self._constants[name] = True  # for a name that is made of its own value before
            self._constants[name] = all(
                isinstance(each, ast.Assign) and self._constant(each.value) for each in statements
            )
        return "constant" if self._constants[name] else "data"

    def _constant(self, value: ast.expr) -> bool:
        match value:
            case ast.Constant():
                return True
            case ast.Tuple(elts=elements):
                return all(map(self._constant, elements))
            case ast.UnaryOp(operand=operand):
                return self._constant(operand)
            case ast.BinOp(left=left, right=right):
                return self._constant(left) and self._constant(right)
            case ast.Name(id=name):
                return self.kind(name, frozenset()) == "constant"
        return False

    def comes_from(self, name: str, packages: tuple[str, ...]) -> bool:
        return all(
            module.partition(".")[0] in packages for module, _, _ in self._module.imports[name]
        )

    def _located(self, module: str, level: int) -> bool:
        found = locate(module, level, self._module.path)
        return bool(found.files or found.compiled)

    def imports_own(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.ImportFrom):
            return self._located(node.module or "", node.level)
        return any(self._located(each.name, 0) for each in node.names)


def root_of(node: ast.expr) -> ast.expr:
    """What a chain of attributes and elements begins with."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node


def dotted(node: ast.expr) -> str:
    """A chain of attributes as it is written, without elements; "" where it begins otherwise."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{dotted(value)}.{attribute}"
        case ast.Subscript(value=value):  # Generic[T]
            return dotted(value)
    return ""


def arguments_of(call: ast.Call) -> list[ast.expr]:
    """The values that are given to a call."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def outside_calls(node: ast.AST) -> Iterable[ast.AST]:
    """The nodes of an expression that are handed on: not those within calls and comparisons."""
    yield node
    if isinstance(node, (ast.Call, ast.Compare, ast.BinOp, ast.JoinedStr, ast.Lambda)):
        return
    for child in ast.iter_child_nodes(node):
        yield from outside_calls(child)


# Of these calls comes nothing that was in what they are given.
_NEW = re.compile(
    r"abs|all|any|bool|bytes|callable|chr|complex|divmod|float|format|hasattr|hash|int|isinstance"
    r"|issubclass|len|ord|pow|print|range|repr|round|str|sum|\w+Error|\w+Warning"
)

_ELEMENTS = re.compile(r"copy|get|items|values|pop|setdefault|popitem|__getitem__")


def reached(node: ast.AST) -> Iterable[ast.AST]:
    """The nodes of an expression that its value may be, or hold, or lead to.

    Other than `outside_calls` it follows Python's own functions and methods that hand out the
    elements of what they are given.
    """
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            yield node
            if _ELEMENTS.fullmatch(name):
                yield from reached(value)
        case ast.Call(func=ast.Name(id=name)):
            yield node
            if hasattr(builtins, name) and not _NEW.fullmatch(name):
                for value in arguments_of(node):
                    yield from reached(value)
        case ast.Call() | ast.Compare() | ast.JoinedStr() | ast.Lambda():
            yield node
        case _:
            yield node
            for child in ast.iter_child_nodes(node):
                yield from reached(child)


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    """The values that a function's parameters have by default."""
    return [*arguments.defaults, *filter(None, arguments.kw_defaults)]


def parameters(arguments: ast.arguments) -> set[str]:
    """The names of a function's parameters."""
    return {each.arg for each in ast.walk(arguments) if isinstance(each, ast.arg)}
