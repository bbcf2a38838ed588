"""All methods of the API, from the tables of the nouns."""

from __future__ import annotations

from emulator.objects import TABLES
from emulator.registry import Method, method

METHODS: dict[str, Method] = {name: method(name, handler) for table in TABLES for name, handler in table.items()}
