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
        "required",
        "on_missing",
        "timeout_ms",
    ];
    let settings = ["isolation", "execution_detail", "extension_tiers", "allowed_dirs"];
    let top = ["plugin_dirs", "server_settings", "grpc_server_settings", "unix_socket_server_settings"];
    let breaker = || mapping(&["failures", "wait", "longest_wait", "successes"], []);
    let tls = || {
        let names = ["certfile", "keyfile", "keyfile_password", "ca_bundle", "verify", "check_hostname"];
        mapping(&names, [])
    };
    let mcp = ["proto", "url", "uds", "script", "cmd", "cwd", "token", "env"];
    let below = [
        ("conditions", each(mapping(&conditions, []))),
        ("mcp", mapping(&[&mcp[..], &TRANSPORT].concat(), [("tls", tls()), ("breaker", breaker())])),
        (
            "grpc",
            mapping(
                &[&["target", "uds", "token"][..], &TRANSPORT].concat(),
                [("tls", tls()), ("breaker", breaker())],
            ),
        ),
        ("unix_socket", mapping(&[&["path"][..], &TRANSPORT].concat(), [("breaker", breaker())])),
    ];
    let plugin = mapping(&plugin, below);
    mapping(&top, [("plugins", each(plugin)), ("plugin_settings", mapping(&settings, []))])
}

/// What every way to reach an external plugin has.
const TRANSPORT: [&str; 4] = ["endpoints", "timeout", "reconnect_attempts", "reconnect_delay"];

fn mapping<const N: usize>(free: &[&str], below: [(&str, Keys); N]) -> Keys {
    let free = free.iter().map(|name| ((*name).to_owned(), Keys::Free));
    Keys::Known(free.chain(below.map(|(name, keys)| (name.to_owned(), keys))).collect())
}

fn each(keys: Keys) -> Keys {
    Keys::Each(Box::new(keys))
}
