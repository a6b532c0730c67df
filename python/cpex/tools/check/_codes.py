"""What `cpex check` can find: the table of codes."""

from enum import StrEnum
from typing import Self


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


class Code(StrEnum):
    """The stable name of a kind of finding; `docs/reference/check.md` explains each.

    Attributes:
        severity: Whether it is an error, a warning, or only worth a note.
        summary: What it means, in one line.
    """

    severity: Severity
    summary: str

    def __new__(cls, name: str, severity: Severity, summary: str) -> Self:
        code = str.__new__(cls, name)
        code._value_ = name
        code.severity, code.summary = severity, summary
        return code

    UNREADABLE = "unreadable", _ERROR, "the file cannot be read as text"
    SYNTAX = "syntax", _ERROR, "the text is not YAML"
    TEMPLATE = "template", _ERROR, "a template does not parse or render"
    NOT_A_MAPPING = "not-a-mapping", _ERROR, "the top level is not a mapping"

    UNKNOWN_KEY = "unknown-key", _ERROR, "nothing reads this key"
    DUPLICATE_KEY = "duplicate-key", _ERROR, "a key stands twice in one mapping; the last one counts"
    MISSING_KEY = "missing-key", _ERROR, "a key that must be given is missing"
    INVALID_VALUE = "invalid-value", _ERROR, "a value is not what its key takes"
    UNQUOTED_VERSION = "unquoted-version", _ERROR, "a version without quotes is a number to YAML"
    UNKNOWN_CAPABILITY = "unknown-capability", _ERROR, "no such capability"
    CAPABILITIES_FORM = "capabilities-form", _WARNING, "capabilities is not a list"
    EXTERNAL_CONFIG = "external-config", _ERROR, "an external plugin has a config section"
    EXTERNAL_SERVER = "external-server", _ERROR, "what an external plugin says of its server reaches none"
    ISOLATED_PLUGIN = "isolated-plugin", _ERROR, "an isolated plugin cannot start as it is written"
    TLS_FILE = "tls-file", _ERROR, "a TLS file does not exist"
    BLOCKED_URL = "blocked-url", _ERROR, "a URL points into a network that SSRF protection blocks"
    INVALID_SETTING = "invalid-setting", _ERROR, "a switch under plugin_settings has a value it does not take"
    INVALID_VARIABLE = "invalid-variable", _ERROR, "a PLUGINS_* variable has a value it does not take"
    UNKNOWN_VARIABLE = "unknown-variable", _WARNING, "a variable whose name is nearly one that is read"
    UNSET_ENV = "unset-env", _WARNING, "a template names a variable that is not set"
    HOOK_POLICY = "hook-policy", _WARNING, "a policy of the host names an unknown hook or field"

    NO_PLUGINS = "no-plugins", _WARNING, "the file names no plugins: everything is allowed"
    LEGACY_MODE = "legacy-mode", _NOTE, "a mode under the name it had in older files"

    DUPLICATE_NAME = "duplicate-name", _ERROR, "two plugins have the same name; only the first is loaded"
    UNKNOWN_HOOK = "unknown-hook", _ERROR, "a hook that nobody registered, and that is probably misspelt"
    NO_HOOKS = "no-hooks", _WARNING, "a plugin without hooks never runs"
    REPEATED_HOOK = "repeated-hook", _WARNING, "a hook is listed twice; it runs once"

    NOT_CHECKED = "not-checked", _NOTE, "with --no-import: what only the plugin's own code can tell"
    KIND_UNAVAILABLE = "kind-unavailable", _ERROR, "a kind of plugin that cannot be run here"
    PLUGIN_IMPORT = "plugin-import", _ERROR, "the class of a plugin cannot be imported"
    PLUGIN_CONSTRUCT = "plugin-construct", _ERROR, "the constructor of a plugin raises"
    PLUGIN_INITIALIZE = "plugin-initialize", _ERROR, "initialize() of a plugin raises"
    HOOK_METHOD = "hook-method", _ERROR, "a plugin has no usable method for one of its hooks"
    UNUSED_CAPABILITIES = "unused-capabilities", _WARNING, "no method of the plugin takes the extensions"

    DEAD_CONDITION = "dead-condition", _WARNING, "a condition that can never match"
    EMPTY_CONDITION = "empty-condition", _WARNING, "a condition, or a key of one, that tests nothing"
    IGNORED_CONDITION = "ignored-condition", _WARNING, "a key that is not looked at on some of the plugin's hooks"
    MOOT_CONDITION = "moot-condition", _WARNING, "conditions beside one that is always true"
    DISABLED_REQUIRED = "disabled-required", _WARNING, "a disabled plugin is required, or denies when it is missing"

    GUARD_BEFORE_REWRITE = "guard-before-rewrite", _WARNING, "a plugin judges what a later one may still rewrite"
    PRIORITY_TIE = "priority-tie", _WARNING, "only the order in the file decides which of two plugins goes first"

    SECRET_IN_CLEAR = "secret-in-clear", _WARNING, "a secret stands in the file"
    PLUGIN_DIR = "plugin-dir", _WARNING, "a directory of plugin_dirs does not exist or is not allowed"


UNUSABLE = frozenset({Code.UNREADABLE, Code.SYNTAX, Code.TEMPLATE, Code.NOT_A_MAPPING})
"""With these nothing else of the file can be checked."""

ELSEWHERE = frozenset({Code.INVALID_VARIABLE, Code.UNKNOWN_VARIABLE, Code.HOOK_POLICY})
"""What these are about does not stand in the file."""
