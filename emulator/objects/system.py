"""What the cloud tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud
    from emulator.registry import Table


def version(call: Call) -> str:
    """Tell which OpenNebula it behaves as."""
    return call.cloud.settings.version


def config(call: Call) -> str:
    """Show the settings of the front end; which database it has, only to administrators."""
    return call.cloud.configuration.document(whole=call.caller.is_admin)


def list_methods(cloud: Cloud) -> list[str]:
    """List the methods that are answered."""
    return list(cloud.methods)


def method_help(cloud: Cloud, name: str) -> str:
    """Tell what a method does."""
    return cloud.method(name).help


def method_signature(cloud: Cloud, name: str) -> list[list[str]]:
    """Tell the types of a method's result and parameters."""
    return [cloud.method(name).signature]


def method_exist(cloud: Cloud, name: str) -> bool:
    """Tell whether a method is answered."""
    return name in cloud.methods


def capabilities(cloud: Cloud) -> dict[str, object]:  # noqa: ARG001  (a handler's parameter)
    """Tell what kind of XML-RPC server this is."""
    return {"facility": "gurney embedded cloud", "version_major": 1, "version_minor": 0, "protocol_version": 2}


TABLE: Table = {
    "one.system.version": version,
    "one.system.config": config,
    "system.listMethods": list_methods,
    "system.methodHelp": method_help,
    "system.methodSignature": method_signature,
    "system.methodExist": method_exist,
    "system.capabilities": capabilities,
    "system.getCapabilities": capabilities,
}
