"""What is raised for a configuration that can't be read. Kept apart because it imports PyYAML.

ValueError
 └─ ConfigError                 a configuration its author has to mend; path, line, column say where
     ├─ ConfigSyntaxError       not YAML (also a `yaml.YAMLError`)
     ├─ ConfigTemplateError     a template that does not parse or render
     └─ ConfigKeyError          unknown or duplicate keys, or no plugins, under `PLUGINS_STRICT_CONFIG`
"""

from __future__ import annotations

import yaml

__all__ = ["ConfigError", "ConfigKeyError", "ConfigSyntaxError", "ConfigTemplateError"]


class ConfigError(ValueError):
    """A configuration that its author has to mend."""

    def __init__(self, message: str, path: str, line: int, column: int) -> None:
        """Say what is wrong and where.

        Args:
            message: The whole message; it begins with the place and says what would be right.
            path: Name of the file.
            line: Line, from 1.
            column: Column, from 1.
        """
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """Give the message.

        Returns:
            Place, fault and remedy.
        """
        return self.message


class ConfigSyntaxError(ConfigError, yaml.MarkedYAMLError):
    """Text that is not one YAML document `yaml.safe_load` accepts."""

    def __init__(self, message: str, path: str, line: int, column: int) -> None:
        """Say what is wrong and where, also in PyYAML's terms (`problem`, `problem_mark`).

        Args:
            message: The whole message; it begins with the place and says what would be right.
            path: Name of the file.
            line: Line, from 1.
            column: Column, from 1.
        """
        super().__init__(message, path, line, column)
        self.context = self.context_mark = self.note = None
        self.problem = message.removeprefix(f"{path}:{line}:{column}: ")
        self.problem_mark = yaml.Mark(path, 0, line - 1, column - 1, None, 0)


class ConfigTemplateError(ConfigError):
    """A template that does not parse or render."""


class ConfigKeyError(ConfigError):
    """Keys that nothing reads, that stand twice in a mapping, or no plugins at all."""
