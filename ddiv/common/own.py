"""Functions and classes of a user's own, and the values that stand for them in studies and keys.

A value holds the name, the digest of the source (`ddiv.common.digests.source_digest`) and the
options. What is behind it belongs to a process: each one that needs it reads the user's file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast

import msgspec

from ddiv.common.digests import source_digest
from ddiv.common.errors import NoModel, TrialFailed
from ddiv.common.raised import place
from ddiv.common.values import Value, require_name

Option = str | int | float | bool


class OwnValue(Value, frozen=True):
    """What a function or class of a user's own does with these options.

    `name` is that of the function, `source` the SHA-256 of the code that defines it.
    """

    name: str
    source: str
    options: tuple[tuple[str, Option], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        require_name(f"the name of an {_words(type(self))}", self.name)

    @property
    def label(self) -> str:
        """The name with the options, as a call would say it."""
        options = ", ".join(f"{name}={value!r}" for name, value in self.options)
        return f"{self.name}({options})" if options else self.name


class Own(Protocol):
    """A value with a name and a source. Its kind is its msgspec tag ("own-model")."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str: ...


OwnT = TypeVar("OwnT", bound=msgspec.Struct)

# By kind, name and source.
_things: dict[tuple[str, str, str], Callable[..., Any]] = {}


def own(
    kind: type[OwnT],
    thing: Callable[..., Any],
    options: Mapping[str, Any],
    arguments: tuple[str, ...] | None = None,
    *,
    asked_by: bool = True,
    **fields: object,
) -> OwnT:
    """The value of this kind that stands for a function or class, which this process now knows.

    `options` are what it is called with by name. `arguments`: what it is called with otherwise, in
    words; a class is then made with the options, and its objects are called with the arguments.
    None: it is called without any. `asked_by` is that of `source_digest`; `fields` are further
    fields of the value. Raises ValueError on anything but a function or class at the top level of a
    file, on one that cannot be called so, and on options that are neither text nor number.
    """
    words = _words(kind)
    for name, value in options.items():
        if not isinstance(value, (str, int, float, bool)):
            raise ValueError(
                f"the option {name} of an {words} is neither text nor number: such a value names "
                "a trial"
            )
    source = source_digest(thing, asked_by=asked_by)
    _require_call(words, thing, options, arguments)
    if options:
        fields["options"] = tuple(sorted(options.items()))
    spec = kind(name=thing.__name__, source=source, **fields)
    know(kind, source, thing)
    return spec


def know(kind: type, source: str, thing: Callable[..., Any]) -> None:
    """Make what is behind values of this kind and source known to this process."""
    _things[_tag(kind), thing.__name__, source] = thing


def known() -> dict[tuple[str, str, str], Callable[..., Any]]:
    """All functions and classes that this process knows, by kind, name and source."""
    return dict(_things)


def know_all(things: Mapping[tuple[str, str, str], Callable[..., Any]]) -> None:
    """Make known to this process what another one knew (`known`)."""
    _things.update(things)


def behind(spec: Own) -> Callable[..., Any] | None:
    """The function or class behind a value; None where this process does not know it."""
    return _things.get((_tag(type(spec)), spec.name, spec.source))


def _require_call(
    words: str,
    thing: Callable[..., Any],
    options: Mapping[str, Any],
    arguments: tuple[str, ...] | None,
) -> None:
    """Raise ValueError where a function cannot be called with these arguments and options."""
    calls: list[tuple[Callable[..., Any], tuple[str, ...], Mapping[str, Any]]]
    if arguments is not None and isinstance(thing, type):
        if "__call__" not in dir(thing):
            raise ValueError(
                f"the objects of the class {thing.__name__} cannot be called: an {words} has "
                f"`def __call__(self, {', '.join(arguments)})`"
            )
        calls = [(thing, (), options), (thing.__call__, ("self", *arguments), {})]
    else:
        calls = [(thing, arguments or (), options)]
    for function, positions, named in calls:
        try:
            inspect.signature(function).bind(*positions, **named)
        except TypeError as error:
            given = [*positions, *(f"{name}={value!r}" for name, value in named.items())]
            raise ValueError(
                f"the {words} {thing.__name__} is called as {thing.__name__}"
                f"({', '.join(part for part in given if part != 'self')}), and cannot be: {error}"
            ) from error


def absent(spec: Own) -> str | None:
    """In one line why what is behind a value is not known to this process; None where it is."""
    if behind(spec) is not None:
        return None
    return (
        f"no study or claim file of this run defines the {_words(type(spec))} {spec.name!r} "
        f"({spec.source[:12]}...): give --study the file that does, unchanged"
    )


def made(spec: Own) -> Any:
    """What the function or class behind a value makes of its options.

    Raises NoModel where no file of this run defines it, TrialFailed where it raises.
    """
    thing = _required(spec)
    return _watched(spec, lambda: thing(**dict(getattr(spec, "options", ()))))


def called(spec: Own, *arguments: Any) -> Any:
    """What the function behind a value returns; of a class, what its object of this process does.

    Raises as `made` does.
    """
    thing = _required(spec)
    if isinstance(thing, type):
        kept = _kept(cast(Any, spec), thing)
        return _watched(spec, lambda: kept(*arguments))
    return _watched(spec, lambda: thing(*arguments, **dict(getattr(spec, "options", ()))))


def _required(spec: Own) -> Callable[..., Any]:
    if (thing := behind(spec)) is None:
        raise NoModel(absent(spec))
    return thing


@lru_cache(maxsize=8)
def _kept(spec: Any, thing: type) -> Any:
    """One object serves all calls: making it may mean reading a model's weights."""
    return made(spec)


def _watched(spec: Own, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        if isinstance(error, TrialFailed):
            raise
        raise TrialFailed(
            f"{titled(spec)} raised {type(error).__name__}: {error}{place(error)}"
        ) from error


def titled(spec: Own) -> str:
    """What messages call it: the own model net(width=8)."""
    return f"the {_words(type(spec))} {getattr(spec, 'label', spec.name)}"


def _words(kind: type) -> str:
    return _tag(kind).replace("-", " ")


def _tag(kind: type) -> str:
    return str(kind.__struct_config__.tag)  # type: ignore[attr-defined]
