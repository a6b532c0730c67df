"""A JSON response for Starlette and FastAPI applications, rendered by orjson."""

from typing import Any

import orjson
from starlette.responses import JSONResponse


class ORJSONResponse(JSONResponse):
    """Renders its content with orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Renders the body.

        Args:
            content: JSON-compatible values; keys need not be strings, numpy values are allowed.

        Returns:
            The body.
        """
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)


ORJSONResponse.__module__ = "cpex.framework.utils"
