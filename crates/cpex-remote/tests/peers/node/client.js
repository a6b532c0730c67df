// A client made with the official TypeScript SDK of MCP: asks a server for everything and prints what it got.
//
// Usage: node client.js http URL | stdio PROGRAM ARGUMENT…
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [kind, first, ...words] = process.argv.slice(2);
const transport =
  kind === "http"
    ? new StreamableHTTPClientTransport(new URL(first))
    : new StdioClientTransport({ command: first, args: words });
const client = new Client({ name: "peer", version: "1" });
await client.connect(transport);

const call = (payload) => ({
  name: "invoke_hook",
  arguments: {
    hook_type: "tool_pre_invoke",
    plugin_name: "ProbePlugin",
    payload,
    context: { state: {}, metadata: {}, global_context: { request_id: "r" } },
  },
});
const text = (result) => result.content[0].text;
const config = async (name) => JSON.parse(text(await client.callTool({ name: "get_plugin_config", arguments: { name } })));

const { tools } = await client.listTools();
const configs = await client.callTool({ name: "get_plugin_configs", arguments: {} });
const unknown = await client.callTool({ name: "nope", arguments: {} });
const slow = call({ name: "sleep", args: { seconds: 600 } });
const gaveUp = await client.callTool(slow, undefined, { timeout: 500 }).then(
  () => false,
  () => true,
);
const modified = JSON.parse(text(await client.callTool(call({ name: "modify", args: { n: 7 } }))));
const answer = {
  server: client.getServerVersion().name,
  features: client.getServerCapabilities().experimental.cpex.features,
  tools: tools.map((tool) => tool.name).sort(),
  configs: configs.structuredContent.result.map((config) => config.name),
  config: (await config("probeplugin")).name,
  missing: await config("nobody"),
  invoked: modified.result.modified_payload.args,
  unknown: [unknown.isError, text(unknown)],
  gave_up: gaveUp,
};
if (kind === "http") {
  await transport.terminateSession();
}
await client.close();
console.log(JSON.stringify(answer));
