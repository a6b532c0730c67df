"""The Jinja filters of the project templates: names that Python can import, and text that no file format trips over.

Python files of a template end in `.{{cookiecutter.__py}}`. That renders to `.py`, and keeps compilers and linters from
taking the template itself for a module.
"""

import builtins
import json
import keyword
import re
import sys
from typing import Any

from jinja2 import Environment
from jinja2.ext import Extension

import cpex.framework

_WORD = re.compile(r"[A-Za-z0-9]+")
_SLUG = re.compile(r"[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?")
_USED_IN_TEMPLATES = frozenset({"Any", "BaseModel"})


def package_name(slug: str) -> str:
    """Names the package of a project.

    Args:
        slug: Name of the project's folder.

    Returns:
        The slug with underscores for dashes.

    Raises:
        ValueError: Python could not import a package of that name, or would import another one.
    """
    package = slug.replace("-", "_")
    if not _SLUG.fullmatch(slug) or keyword.iskeyword(package):
        raise ValueError(
            f"{slug!r} cannot be the name of a Python package; "
            "take ASCII letters, digits, - and _, starting with a letter, such as my_filter"
        )
    if package in sys.stdlib_module_names or package in ("cpex", "tests"):
        raise ValueError(f"a package named {package!r} would hide another one; choose a name of its own")
    return package


def class_name(plugin_name: str) -> str:
    """Names the class of a plugin.

    Args:
        plugin_name: The plugin's name, any text.

    Returns:
        The ASCII words of the name in CamelCase: `my URL filter` becomes `MyURLFilter`.

    Raises:
        ValueError: What is left is not a class name, or means something else in the module of the plugin.
    """
    words: list[str] = _WORD.findall(plugin_name.replace("'", ""))
    name = "".join(word[0].upper() + word[1:] for word in words)
    if not name.isidentifier():
        raise ValueError(f"no class can be named after {plugin_name!r}; start with an ASCII letter, such as My Filter")
    if hasattr(builtins, name) or name in _USED_IN_TEMPLATES or name in cpex.framework.__all__:
        raise ValueError(f"a class named {name!r} would hide another one; choose another name for the plugin")
    return name


def quoted(text: str) -> str:
    """Quotes a text.

    Args:
        text: Any text.

    Returns:
        A string literal of YAML, TOML, JSON and Python alike, which holds no Jinja expression: configs are templates.
    """
    literal = json.dumps(text, ensure_ascii=False).replace("{", "\\u007b")
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in literal)


class TemplateNames(Extension):
    """Makes the filters known to cookiecutter; `_extensions` of each `cookiecutter.json` names it."""

    def __init__(self, environment: Environment) -> None:
        """Adds the filters.

        Args:
            environment: What renders the template.
        """
        super().__init__(environment)
        filters: dict[str, Any] = {"package_name": package_name, "class_name": class_name, "quoted": quoted}
        environment.filters.update(filters)
