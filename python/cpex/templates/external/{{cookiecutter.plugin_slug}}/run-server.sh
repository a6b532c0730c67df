#!/bin/sh
# Serves the plugins of resources/plugins/config.yaml over MCP. An application that starts this script itself talks to it
# over its standard input, a pipe or a socket; otherwise the server listens for HTTP. PLUGINS_TRANSPORT (http or stdio)
# decides it, if set.
set -eu
cd "$(dirname "$0")"
if [ -z "${PLUGINS_TRANSPORT:-}" ]; then
    if [ -p /dev/stdin ] || [ -S /dev/stdin ]; then PLUGINS_TRANSPORT=stdio; else PLUGINS_TRANSPORT=http; fi
fi
export PLUGINS_TRANSPORT
export PLUGINS_CONFIG_PATH="${PLUGINS_CONFIG_PATH:-resources/plugins/config.yaml}"
exec "${PYTHON:-python}" -m cpex.framework.external.mcp.server.runtime
