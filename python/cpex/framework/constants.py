"""Names shared by the framework: plugin kinds, wire keys and MCP server identity."""

BUILTIN_PLUGIN_TYPE = "builtin"
EXTERNAL_PLUGIN_TYPE = "external"
ISOLATED_VENV_PLUGIN_TYPE = "isolated_venv"
NATIVE_PLUGIN_TYPE = "native"
PDP_PLUGIN_TYPE = "PDP"
WASM_PLUGIN_TYPE = "wasm"
KNOWN_PLUGIN_KINDS = frozenset(
    {
        BUILTIN_PLUGIN_TYPE,
        EXTERNAL_PLUGIN_TYPE,
        ISOLATED_VENV_PLUGIN_TYPE,
        NATIVE_PLUGIN_TYPE,
        PDP_PLUGIN_TYPE,
        WASM_PLUGIN_TYPE,
    }
)

PYTHON_SUFFIX = ".py"

URL = "url"
SCRIPT = "script"
CMD = "cmd"
ENV = "env"
CWD = "cwd"
UDS = "uds"

NAME = "name"
PAYLOAD = "payload"
CONTEXT = "context"
RESULT = "result"
ERROR = "error"
PLUGIN_NAME = "plugin_name"
HOOK_TYPE = "hook_type"
IGNORE_CONFIG_EXTERNAL = "ignore_config_external"

GET_PLUGIN_CONFIG = "get_plugin_config"
GET_PLUGIN_CONFIGS = "get_plugin_configs"
INVOKE_HOOK = "invoke_hook"

MCP_SERVER_NAME = "MCP Plugin Server"
MCP_SERVER_INSTRUCTIONS = "External plugin server for ContextForge"

TOOL_METADATA = "tool"
GATEWAY_METADATA = "gateway"
