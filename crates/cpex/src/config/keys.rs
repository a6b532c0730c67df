//! The keys that a configuration file may have.

use cpex_config::Keys;

/// Those of the whole file. What only the Python host reads is known as well: one file serves both.
pub(super) fn known() -> Keys {
    let conditions = [
        "server_ids",
        "tenant_ids",
        "tools",
        "prompts",
        "resources",
        "agents",
        "user_patterns",
        "content_types",
    ];
    let plugin = [
        "name",
        "description",
        "author",
        "kind",
        "namespace",
        "version",
        "hooks",
        "tags",
        "mode",
        "on_error",
        "priority",
        "max_content_size",
        "applied_to",
        "capabilities",
        "config",
        "mcp",
        "grpc",
        "unix_socket",
        "required",
        "on_missing",
        "timeout_ms",
    ];
    let settings = ["isolation", "execution_detail", "extension_tiers", "allowed_dirs"];
    let top = ["plugin_dirs", "server_settings", "grpc_server_settings", "unix_socket_server_settings"];
    let plugin = mapping(&plugin, [("conditions", each(mapping(&conditions, [])))]);
    mapping(&top, [("plugins", each(plugin)), ("plugin_settings", mapping(&settings, []))])
}

fn mapping<const N: usize>(free: &[&str], below: [(&str, Keys); N]) -> Keys {
    let free = free.iter().map(|name| ((*name).to_owned(), Keys::Free));
    Keys::Known(free.chain(below.map(|(name, keys)| (name.to_owned(), keys))).collect())
}

fn each(keys: Keys) -> Keys {
    Keys::Each(Box::new(keys))
}
