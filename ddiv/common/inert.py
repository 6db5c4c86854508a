"""Statements that do nothing but bind their own names.

Whatever else stands at the top level of a file may change what a function of the file does: a call,
an assignment to an attribute or to an element, a decorator that registers. So the question is not
what a statement changes but whether it certainly changes nothing. In doubt it is not inert.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable

from ddiv.common.modules import Module, bound, executed
from ddiv.common.names import (
    Names,
    arguments_of,
    defaults,
    dotted,
    outside_calls,
    parameters,
    reached,
    root_of,
)

# Those that neither change their arguments nor anything else.
_PURE = re.compile(
    r"abs|all|any|bool|bytes|callable|chr|classmethod|complex|dict|divmod|enumerate|filter|float"
    r"|format|frozenset|getattr|hasattr|hash|int|isinstance|issubclass|len|list|map|max|min|object"
    r"|ord|pow|print|property|range|repr|reversed|round|set|slice|sorted|staticmethod|str|sum|super"
    r"|tuple|type|zip|\w+Error|\w+Warning"
)

_PURE_METHODS = re.compile(
    r"as_posix|copy|count|endswith|format|get|index|items|join|joinpath|keys|lower|lstrip|rstrip"
    r"|split|splitlines|startswith|strip|title|upper|values|with_name|with_suffix"
)

# What is called on a type of Python's and changes nothing it is given: `dict.fromkeys(NAMES)`.
_OF_TYPES = re.compile(rf"fromkeys|maketrans|{_PURE_METHODS.pattern}")

# Libraries whose calls change neither their arguments nor anything that a trial reads.
_HARMLESS = ("ddiv", "msgspec", "warnings", "logging", "typing")

_HARMLESS_DECORATORS = (*_HARMLESS, "abc", "contextlib", "dataclasses", "functools")

_OF_TORCH = {"torch.no_grad", "torch.inference_mode", "torch.compile", "torch.jit.ignore"}

_FUNCTION = "<function>"  # among the local names of what stands in a function

_METHODS_OF_CREATION = {"__init_subclass__", "__set_name__", "__class_getitem__", "__new__"}

# What making a value of a frozen kind, and a treatment of it, calls; all else waits for training.
_CALLED_WHEN_MADE = {
    *("__new__", "__init__", "__post_init__", "__hash__", "__eq__"),
    *("label", "family", "does_nothing", "stream"),
}


class Inert:
    """Judges statements of one file."""

    def __init__(self, module: Module) -> None:
        self.module, self.names = module, Names(module)
        self._judged: dict[str, bool] = {}

    def statement(self, node: ast.stmt, local: frozenset[str] = frozenset()) -> bool:
        """Whether a statement binds its own names and does nothing else.

        `local` are the names of the function that it stands in; none: it is at the top level.
        """
        match node:
            case ast.Expr(ast.Constant()) | ast.Pass() | ast.Raise():
                return True
            case ast.Break() | ast.Continue() | ast.Nonlocal():
                return True
            case ast.Import() | ast.ImportFrom():
                # What a module does when it is imported is judged where it stands.
                return _FUNCTION not in local or not self.names.imports_own(node)
            case ast.Expr(value=value) | ast.Assert(test=value):
                alone = isinstance(node, ast.Expr)
                # An operator, an element or an attribute that nobody takes acts, or is nothing.
                acts = alone and not isinstance(value, ast.Call) and self._names_own(value, local)
                return not acts and self._value(value, local, alone)
            case ast.Return(value=value):
                return self._stays(value, local)
            case ast.Assign(targets=targets, value=value):
                return self._targets(targets, local) and self._stays(value, local)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                return (
                    self._targets([target], local)
                    and self._value(annotation, local)
                    and self._stays(value, local)
                )
            case ast.AugAssign(target=target, value=value):
                # It may change what another name stands for, too.
                inside = _FUNCTION in local
                return inside and self._targets([target], local) and self._value(value, local)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                annotations = [
                    each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg)
                ]
                values = [*defaults(node.args), *filter(None, [*annotations, node.returns])]
                return all(map(self._decorator, node.decorator_list)) and all(
                    self._value(value, local) for value in values
                )
            case ast.ClassDef():
                return self._class(node)
            case ast.If(test=test) if _never(test):
                return all(self.statement(each, local) for each in node.orelse)
            case ast.If() | ast.While() | ast.For() | ast.Try():
                return self._compound(node, local)
            case ast.With() if _FUNCTION in local:
                return self._compound(node, local)
        return type(node).__name__ == "TypeAlias"

    # --- statements with statements in them -------------------------------------------------------

    def _compound(self, node: ast.stmt, local: frozenset[str]) -> bool:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.stmt():
                    fine = self.statement(child, local)
                case ast.ExceptHandler():
                    fine = all(self.statement(each, local) for each in child.body)
                case ast.withitem():
                    fine = self._stays(child.context_expr, local)
                case ast.expr() if isinstance(getattr(child, "ctx", None), ast.Store):
                    fine = self._targets([child], local)
                case ast.expr():
                    fine = self._stays(child, local)
                case _:
                    fine = False
            if not fine:
                return False
        return True

    def _class(self, node: ast.ClassDef) -> bool:
        """Whether making a class does nothing else: no metaclass and no base that registers it."""
        inside = frozenset(name for each in node.body for name in bound(each)) | {node.name}
        return (
            all(map(self._decorator, node.decorator_list))
            and all(
                keyword.arg == "metaclass" and dotted(keyword.value) in ("ABCMeta", "abc.ABCMeta")
                for keyword in node.keywords
                if not self._is_value(node)
            )
            and all(self._base(base) for base in node.bases)
            and all(self.statement(each, inside) for each in node.body)
        )

    def _is_value(self, node: ast.ClassDef) -> bool:
        """Whether a class is a kind of a frozen value of ddiv's, as a treatment's part is.

        Its keywords (`frozen=True`) are msgspec's, and its methods are called by training alone.
        """
        constant = all(isinstance(keyword.value, ast.Constant) for keyword in node.keywords)
        return constant and bool(node.bases) and all(map(self._is_base_of_values, node.bases))

    def _is_base_of_values(self, base: ast.expr) -> bool:
        name = dotted(base).partition(".")[0]
        if name in self.module.imports:
            return self.names.comes_from(name, ("ddiv",))
        return any(self._is_value(each) for each in self._class_once(name))

    def _class_once(self, name: str) -> list[ast.ClassDef]:
        """The class of this name in the file; none where the name is bound twice, or to its base.

        Such a class may be derived from itself (`class A(A)`), one after another without end.
        """
        return [
            each
            for each in self.module.binding.get(name, [])
            if isinstance(each, ast.ClassDef)
            and len(self.module.binding[name]) == 1
            and not hasattr(builtins, name)
        ]

    def _base(self, base: ast.expr) -> bool:
        """Whether a base class does nothing when a class is derived from it."""
        name = dotted(base).partition(".")[0]
        if self.names.kind(name, frozenset()) in ("foreign", "ours", "builtin"):
            return True
        return any(
            (not each.keywords or self._is_value(each))
            and not {inner.name for inner in each.body if isinstance(inner, ast.FunctionDef)}
            & _METHODS_OF_CREATION
            and all(self._base(further) for further in each.bases)
            for each in self._class_once(name)
        )

    def _decorator(self, node: ast.expr) -> bool:
        """Whether a decorator registers nothing."""
        name = dotted(node.func if isinstance(node, ast.Call) else node)
        first = name.partition(".")[0]
        if isinstance(node, ast.Call) and not all(
            self._value(value, frozenset()) for value in arguments_of(node)
        ):
            return False
        match self.names.kind(first, frozenset()):
            case "builtin":
                return _PURE.fullmatch(first) is not None
            case "ours" | "foreign":
                return self.names.comes_from(first, _HARMLESS_DECORATORS) or name in _OF_TORCH
            case "own":
                return self._harmless(first) if name == first else False
        # Within a class: `@size.setter`.
        return name.endswith((".setter", ".getter", ".deleter"))

    def _targets(self, targets: Iterable[ast.expr], local: frozenset[str]) -> bool:
        """Whether an assignment binds names only, or parts of what belongs to a function."""
        for target in targets:
            for node in ast.walk(target):
                if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(
                    node.ctx, (ast.Store, ast.Del)
                ):
                    name = root_of(node)
                    if not isinstance(name, ast.Name) or name.id not in local:
                        return False
        return True

    # --- values -----------------------------------------------------------------------------------

    def _stays(self, value: ast.expr | None, local: frozenset[str]) -> bool:
        """Whether a value is inert, and within a function nothing of the file gets another name."""
        if value is None:
            return True
        if _FUNCTION in local and self._names_own(value, local):
            return False
        return self._value(value, local)

    def _names_own(self, value: ast.expr, local: frozenset[str]) -> bool:
        """Whether a value may be, or hold, a function, a class or data of the file."""
        return any(
            isinstance(node, ast.Name) and self.names.kind(node.id, local) in ("own", "data")
            for node in reached(value)
        )

    def _value(self, value: ast.expr, local: frozenset[str], alone: bool = False) -> bool:
        """Whether computing a value changes nothing. `alone`: nobody takes the value."""
        local = local | {
            node.id
            for node in ast.walk(value)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        return all(
            self._call(node, local, alone and node is value)
            if isinstance(node, ast.Call)
            # Within a function it is called under a name that tells nothing.
            else self._value(node.body, local | parameters(node.args))
            for node in executed(value)
            if isinstance(node, ast.Call) or (isinstance(node, ast.Lambda) and _FUNCTION in local)
        )

    def _call(self, call: ast.Call, local: frozenset[str], alone: bool) -> bool:
        """Whether a call changes nothing, those in it left aside."""
        root = root_of(call.func)
        if isinstance(root, ast.Call):  # a method of what another call returns, judged above
            return self._is_fresh(root, local)
        if not isinstance(root, ast.Name):
            return isinstance(root, (ast.Constant, ast.JoinedStr))
        name, direct = root.id, root is call.func
        kind = self.names.kind(name, local)
        if not self._lambdas(call, local):
            return False
        if kind == "builtin":
            if not direct:  # `dict.update(TABLE, ..)`
                pure = isinstance(call.func, ast.Attribute) and _OF_TYPES.fullmatch(call.func.attr)
                return bool(pure) or self._hands_over_nothing(call, local)
            return bool(_PURE.fullmatch(name)) and self._reads(call, local)
        if kind == "ours" or (kind == "foreign" and self.names.comes_from(name, _HARMLESS)):
            return True
        if kind == "local" and direct:  # elsewhere than in a function it may be anything
            return _FUNCTION in local and self._hands_over_nothing(call, local)
        if kind == "constant" or (kind == "local" and _FUNCTION in local):
            return True
        if kind == "foreign":
            return not alone and self._hands_over_nothing(call, local)
        if kind == "own":
            return (
                direct
                and self._harmless(name)
                and not any(self._names_own(value, local) for value in arguments_of(call))
            )
        return (
            not direct
            and isinstance(call.func, ast.Attribute)
            and (_PURE_METHODS.fullmatch(call.func.attr) is not None and not alone)
        )

    def _reads(self, call: ast.Call, local: frozenset[str]) -> bool:
        """Whether Python's own function only reads its arguments, and calls none that may change.

        It may call a function, and a method, that it is given.
        """
        nodes = [node for value in arguments_of(call) for node in executed(value)]
        named = [node.id for node in nodes if isinstance(node, ast.Name)]
        own = [name for name in named if self.names.kind(name, local) == "own"]
        methods = [
            node
            for node in nodes
            if isinstance(node, ast.Attribute)
            and isinstance(root := root_of(node), ast.Name)
            and self.names.kind(root.id, local) == "data"
        ]
        data = any(self.names.kind(name, local) == "data" for name in named)
        return not methods and not (own and data) and all(map(self._harmless, own))

    def _lambdas(self, call: ast.Call, local: frozenset[str]) -> bool:
        """Whether the small functions among a call's arguments change nothing."""
        return all(
            self._value(node.body, local | parameters(node.args))
            for value in arguments_of(call)
            for node in executed(value)
            if isinstance(node, ast.Lambda)
        )

    def _is_fresh(self, call: ast.Call, local: frozenset[str]) -> bool:
        """Whether what a call returns belongs to nobody else."""
        root = root_of(call.func)
        if isinstance(root, ast.Call):
            return self._is_fresh(root, local)
        return not isinstance(root, ast.Name) or self.names.kind(root.id, local) in (
            "builtin",
            "ours",
            "foreign",
            "constant",
        )

    def _hands_over_nothing(self, call: ast.Call, local: frozenset[str]) -> bool:
        """Whether no function, class or data of the file is an argument of a call."""
        return not any(
            isinstance(node, ast.Name) and self.names.kind(node.id, local) in ("own", "data")
            for value in arguments_of(call)
            for node in outside_calls(value)
        )

    def _harmless(self, name: str) -> bool:
        """Whether calling this function or class of the file changes nothing."""
        if name in self._judged:
            return self._judged[name]
        self._judged[name] = True  # for a function that calls itself
        statements = self.module.binding.get(name, [])
        self._judged[name] = bool(statements) and all(map(self._harmless_to_call, statements))
        return self._judged[name]

    def _harmless_to_call(self, statement: ast.stmt, local: frozenset[str] = frozenset()) -> bool:
        match statement:
            case ast.ClassDef():
                return all(
                    self._harmless_to_call(each, local)
                    for each in statement.body
                    if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and (each.name in _CALLED_WHEN_MADE or not self._is_value(statement))
                ) and all(self._base(base) for base in statement.bases)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                inside = local | {_FUNCTION} | parameters(statement.args)
                inside |= {name for each in statement.body for name in bound(each)}
                if any(isinstance(each, ast.Global) for each in ast.walk(statement)):
                    return False
                # What a parameter is by default is changed under the parameter's name.
                return all(
                    self._stays(value, inside) for value in defaults(statement.args)
                ) and all(
                    self.statement(each, inside)
                    and (
                        not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                        or self._harmless_to_call(each, inside)
                    )
                    for each in statement.body
                )
        return False


def _never(test: ast.expr) -> bool:
    """Whether a condition is false where a study file is read: `__name__ == "__main__"`."""
    match test:
        case ast.Compare(ast.Name("__name__"), [ast.Eq()], [ast.Constant("__main__")]):
            return True
        case ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False
