"""What a manifest may say as `kind`, and the class paths that installing turns into `isolated_venv`."""

import logging
from typing import Any

from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE

KNOWN_PLUGIN_KINDS = frozenset({"builtin", "isolated_venv", "wasm", "external", "PDP", "native"})
KIND_KNOWN = "known"
KIND_FQN = "fqn"
KIND_REJECT = "reject"

logger = logging.getLogger("cpex.tools.catalog")


def classify_plugin_kind(kind: str | None) -> str:
    """Says what sort of kind this is.

    Args:
        kind: The kind of a manifest.

    Returns:
        ``KIND_KNOWN`` for a word of the framework, ``KIND_FQN`` for the path of a class: at least two identifiers,
        the last of which begins in upper case, ``KIND_REJECT`` for all else.
    """
    text = kind.strip() if isinstance(kind, str) else ""
    if text in KNOWN_PLUGIN_KINDS:
        return KIND_KNOWN
    segments = text.split(".")
    is_path = len(segments) > 1 and all(segment.isidentifier() for segment in segments)
    return KIND_FQN if is_path and segments[-1][0].isupper() else KIND_REJECT


def supported_kinds_message() -> str:
    """Names the kinds a manifest may have.

    Returns:
        One sentence for an error.
    """
    return (
        f"Unsupported plugin 'kind'. Expected one of: {', '.join(sorted(KNOWN_PLUGIN_KINDS))}; or a Python class path "
        "(e.g. 'package.module.ClassName') to auto-convert to an isolated_venv plugin."
    )


def convert_fqn_kind_in_place(manifest_data: dict[str, Any], convert: bool = True) -> dict[str, Any]:
    """Turns the path of a class into the kind ``isolated_venv`` with that class.

    Args:
        manifest_data: A manifest; changed in place. A ``class_name`` in its ``default_config`` is kept.
        convert: Whether to convert; if not, a kind that is not known is only a warning.

    Returns:
        The manifest.

    Raises:
        ValueError: If the kind is neither known nor the path of a class, and `convert` is true.
    """
    kind = manifest_data.get("kind")
    sort = classify_plugin_kind(kind)
    if not convert:
        if sort == KIND_REJECT:
            logger.warning("Leaving kind %r unconverted (--no-convert): %s", kind, supported_kinds_message())
        return manifest_data
    if sort == KIND_REJECT:
        raise ValueError(supported_kinds_message())
    if sort == KIND_KNOWN:
        return manifest_data
    logger.info("Auto-converting FQN plugin kind %r to %s", kind, ISOLATED_VENV_PLUGIN_TYPE)
    settings = manifest_data.get("default_config")
    settings = dict(settings) if isinstance(settings, dict) else {}
    class_path = str(kind).strip()
    if settings.get("class_name") not in (None, "", class_path):
        logger.warning(
            "Manifest kind %r is an FQN but default_config.class_name %r is already set; "
            "keeping the explicit class_name.",
            class_path,
            settings["class_name"],
        )
    settings["class_name"] = settings.get("class_name") or class_path
    manifest_data["default_config"] = settings
    manifest_data["kind"] = ISOLATED_VENV_PLUGIN_TYPE
    return manifest_data
