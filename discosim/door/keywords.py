"""Keywords of the door's functions: their names, what they may be, and what is said of others."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from discosim.errors import DiscosimError, UnknownNameError

SHORT = {"hw": "hardware", "model": "network", "bw": "bandwidth"}
"""Keywords as commands spell them, and as functions do."""

WORDS: dict[object, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Sequence[str]: "several texts",
}
LEAST = {"seed": 0}
"""Whole numbers begin at 1, but for these."""


class _Words(str):
    """An annotation as it is shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def spelt_out(function: Callable[..., object]) -> inspect.Signature:
    """Return the signature with the keywords of an unpacked TypedDict by their names."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    dictionary = _unpacked(function)
    if dictionary is None:
        return signature
    parameters[-1:] = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in dictionary.__annotations__.items()
    ]
    return signature.replace(parameters=parameters)


def for_people(signature: inspect.Signature) -> inspect.Signature:
    """Return the signature with types that people read: those of several forms are left out."""
    return signature.replace(parameters=[_shown(each) for each in signature.parameters.values()])


def _shown(parameter: inspect.Parameter) -> inspect.Parameter:
    kinds = [_type(kind) for kind in _kinds(parameter)]
    if not kinds:
        return parameter.replace(annotation=parameter.empty)
    none = ["None"] * (parameter.default is None)
    return parameter.replace(annotation=_Words(" | ".join([*kinds, *none])))


def documented(function: Callable[..., object]) -> str:
    """Return the docstring of a function, with what its unpacked keywords mean."""
    dictionary = _unpacked(function)
    said = [function.__doc__, None if dictionary is None else dictionary.__doc__]
    return "\n\n".join(inspect.cleandoc(each) for each in said if each)


def check(name: str, signature: inspect.Signature, args: object, keywords: dict[str, Any]) -> None:
    """Raise DiscosimError for keywords that are not known, and values of another kind."""
    for keyword in keywords:
        if keyword not in signature.parameters:
            raise _unknown(name, keyword, signature)
    try:
        given = signature.bind(*args, **keywords)  # type: ignore[misc]
    except TypeError as error:
        bare = [each.replace(annotation=each.empty) for each in signature.parameters.values()]
        wanted = inspect.Signature(bare)
        raise DiscosimError(f"{name}: {error}; wanted {name}{wanted}") from None
    for keyword, value in given.arguments.items():
        kinds = _kinds(signature.parameters[keyword])
        if kinds and value is not None and not any(_is(value, kind, keyword) for kind in kinds):
            what = _named(kinds)
            if int in kinds:
                what += f" from {LEAST.get(keyword, 1)} up"
            raise DiscosimError(f"{name}: {keyword} {value!r:.60}; wanted {what}")


def _kinds(parameter: inspect.Parameter) -> tuple[object, ...]:
    """What a keyword may be beside None, if it is of WORDS alone: others say it themselves."""
    annotation = parameter.annotation
    union = get_origin(annotation) in (Union, UnionType)
    kinds = get_args(annotation) if union else (annotation,)
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    known = all(kind in WORDS for kind in kinds)
    return kinds if known and not (int in kinds and len(kinds) > 1) else ()


def _is(value: object, kind: object, keyword: str) -> bool:
    truth = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    if kind is bool or truth:
        return kind is bool and truth
    if kind is int:
        return isinstance(value, Integral) and int(value) >= LEAST.get(keyword, 1)
    if kind is float:
        return isinstance(value, Real) or hasattr(value, "as_integer_ratio")
    if kind is str:
        return isinstance(value, str)
    several = isinstance(value, Iterable) and not isinstance(value, str)
    return several and all(isinstance(each, str) for each in value)  # type: ignore[attr-defined]


def _type(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).rpartition("abc.")[2]


def _named(kinds: Sequence[object]) -> str:
    return " or ".join(WORDS[kind] for kind in kinds)


def _unpacked(function: Callable[..., object]) -> Any:
    """The TypedDict of a function's further keywords, or None."""
    for each in inspect.signature(function).parameters.values():
        if each.kind is inspect.Parameter.VAR_KEYWORD:
            [dictionary] = function.__annotations__[each.name].__args__
            return dictionary
    return None


def _unknown(name: str, keyword: str, signature: inspect.Signature) -> DiscosimError:
    """What is said of a keyword that there is not: the right one, or that it is the hardware's."""
    from discosim.hardware.quantities import SETTABLE

    known, word = signature.parameters, SHORT.get(keyword, keyword)
    if "hardware" in known and word in SETTABLE:
        return DiscosimError(
            f"unknown keyword of {name} {keyword!r}; it is the hardware's: "
            f"hardware=ds.hardware({known['hardware'].default!r}, {word}=...)"
        )
    like = [word] if word != keyword and word in known else []
    return UnknownNameError(f"keyword of {name}", keyword, known, like=like)
