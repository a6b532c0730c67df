"""The messages of `crates/cpex-remote/proto/cpex.proto` as classes of protobuf, for programs that speak them.

Neither our clients nor our servers need them. `plugin_service_pb2` needs the package `protobuf`,
`plugin_service_pb2_grpc` needs `grpcio` as well.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpex.framework.external.grpc.proto import plugin_service_pb2 as plugin_service_pb2
    from cpex.framework.external.grpc.proto import plugin_service_pb2_grpc as plugin_service_pb2_grpc

__all__ = ["plugin_service_pb2", "plugin_service_pb2_grpc"]

_PACKAGES = {"google": "protobuf", "grpc": "grpcio"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return generated(name)


def generated(name: str) -> Any:
    """Import a generated module.

    Args:
        name: The module's name.

    Returns:
        The module.

    Raises:
        ImportError: If a package it needs is not installed; says which, and how to get it.
    """
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        package = _PACKAGES.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        problem = f"{__name__}.{name} needs the package '{package}'; install it with: pip install {package}"
        raise ImportError(problem, name=error.name) from error
