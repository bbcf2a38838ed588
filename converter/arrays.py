"""The type of an array whose shape and dtype its docstring gives; imported by type checkers only."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
