"""Models whose content is made when somebody first looks at it.

The engine makes a context and an execution record for every plugin it calls, and most of them are never read. It
hands out instances of the classes made here instead: whatever asks one for something the engine has left out makes it
whole, and from then on it is an ordinary instance of its model.
"""

from __future__ import annotations

from abc import ABCMeta
from typing import Any

from pydantic import BaseModel

from cpex import _core


def pending_class(model: type[BaseModel]) -> type[BaseModel]:
    """Make the class of the unfinished instances of a model.

    Args:
        model: The model.

    Returns:
        A class with the same layout, that says it is the model.
    """

    set_class = vars(object)["__class__"].__set__

    def missing(self: BaseModel, name: str) -> Any:
        _core.complete(self)
        return getattr(self, name)

    def fields(self: BaseModel) -> dict[str, Any]:
        _core.complete(self)
        return self.__dict__

    def set_fields(self: BaseModel, values: dict[str, Any]) -> None:
        set_class(self, model)
        object.__setattr__(self, "__dict__", values)

    def private(self: BaseModel) -> dict[str, Any] | None:
        _core.complete(self)
        return self.__pydantic_private__

    def initialized(self: BaseModel, *args: Any, **values: Any) -> None:
        set_class(self, model)
        model.__init__(self, *args, **values)

    def deleted(self: BaseModel, name: str) -> None:
        _core.complete(self)
        delattr(self, name)

    def copied(self: BaseModel) -> BaseModel:
        _core.complete(self)
        return self.__copy__()

    def deep_copied(self: BaseModel, memo: dict[int, Any] | None = None) -> BaseModel:
        _core.complete(self)
        return self.__deepcopy__(memo)

    def reduced(self: BaseModel, protocol: int) -> Any:
        _core.complete(self)
        return self.__reduce_ex__(protocol)

    namespace = {
        "__slots__": (),
        "__module__": model.__module__,
        "__qualname__": model.__qualname__,
        "__doc__": model.__doc__,
        "__class__": property(lambda self: model),
        "__dict__": property(fields, set_fields),
        "__pydantic_private__": property(private),
        # Whoever makes another one of `type(instance)` gets an ordinary one.
        "__init__": initialized,
        "__delattr__": deleted,
        "__getattr__": missing,
        "__copy__": copied,
        "__deepcopy__": deep_copied,
        "__reduce_ex__": reduced,
    }
    # Past pydantic's metaclass: the fields, validator and serializer are the model's own.
    return ABCMeta.__new__(type(model), model.__name__, (model,), namespace)
