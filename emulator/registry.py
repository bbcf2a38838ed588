"""The methods of the API: names, declared parameters and the function that answers each."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.errors import Fault

if TYPE_CHECKING:
    from emulator.call import Call

Handler = Callable[..., Any]
Table = dict[str, Handler]

# XML-RPC's word for a parameter's type, and what a value of it is in Python.
TYPES: dict[str, tuple[str, type]] = {
    "int": ("integer", int),
    "str": ("string", str),
    "bool": ("boolean", bool),
    "list[int]": ("array", list),
}
SIGNATURE_WORDS = {"integer": "int", "string": "string", "boolean": "boolean", "array": "array"}
ALWAYS = {"one.zone.enable", "one.zone.raftstatus"}
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; `default` is REQUIRED where there is none."""

    name: str
    word: str
    type: type
    default: Any

    def accept(self, value: Any) -> Any:
        """The value, if it is of the declared type.

        Raises
        ------
        Fault
            -501 in the words of xmlrpc-c.
        """
        if type(value) is not self.type:
            raise Fault(-501, f"Parameter that is supposed to be {self.word} is not")
        return value


@dataclass(frozen=True)
class Method:
    """One method of the API."""

    name: str
    parameters: tuple[Parameter, ...]
    handler: Handler
    help: str

    @property
    def only_reads(self) -> bool:
        """Whether it is answered while the zone is disabled."""
        noun, _, verb = self.name.removeprefix("one.").partition(".")
        return verb == "info" or noun == "system" or noun.endswith("pool") or self.name in ALWAYS

    @property
    def signature(self) -> list[str]:
        """As `system.methodSignature` tells it: the result, the session, the parameters."""
        return ["array", "string", *(SIGNATURE_WORDS[parameter.word] for parameter in self.parameters)]

    def answer(self, call: Call, values: list[Any]) -> Any:
        """What the call returns.

        Raises
        ------
        Fault
            When parameters are missing or of another type. Superfluous ones are ignored, as OpenNebula does.
        Refused
            When OpenNebula would refuse.
        """
        return self.handler(call, *self.bind(values))

    def bind(self, values: list[Any]) -> list[Any]:
        """The values of all declared parameters, defaults filled in."""
        required = sum(parameter.default is REQUIRED for parameter in self.parameters)
        if len(values) < required:
            raise Fault(-501, "Not enough parameters")
        given = [one.accept(value) for one, value in zip(self.parameters, values, strict=False)]
        return given + [one.default for one in self.parameters[len(given) :]]


def method(name: str, handler: Handler) -> Method:
    """The method that a handler makes: its parameters are the handler's own, after the call."""
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    declared = tuple(Parameter(one.name, *TYPES[str(one.annotation)], default=one.default) for one in parameters)
    help_text = (inspect.getdoc(handler) or "").split("\n")[0].rstrip(".")
    return Method(name, declared, handler, help_text)
