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
    let transport = || {
        [
            ("breaker", mapping(&["failures", "wait", "longest_wait", "successes"], [])),
            ("health_check", mapping(&["interval", "timeout", "misses"], [])),
            ("repeat", mapping(&["retries", "wait", "hedge_after"], [])),
        ]
    };
    let tls = || {
        let names = ["certfile", "keyfile", "keyfile_password", "ca_bundle", "verify", "check_hostname"];
        ("tls", mapping(&names, []))
    };
    let mcp = ["proto", "url", "uds", "script", "cmd", "cwd", "token", "env"];
    let below = [
        ("conditions", each(mapping(&conditions, []))),
        ("mcp", mapping(&[&mcp[..], &TRANSPORT].concat(), transport().into_iter().chain([tls()]))),
        (
            "grpc",
            mapping(
                &[&["target", "uds", "token"][..], &TRANSPORT].concat(),
                transport().into_iter().chain([tls()]),
            ),
        ),
        ("unix_socket", mapping(&[&["path"][..], &TRANSPORT].concat(), transport())),
    ];
    let plugin = mapping(&plugin, below);
    mapping(&top, [("plugins", each(plugin)), ("plugin_settings", mapping(&settings, []))])
}

/// What every way to reach an external plugin has.
const TRANSPORT: [&str; 4] = ["endpoints", "timeout", "reconnect_attempts", "reconnect_delay"];

fn mapping<'n>(free: &[&str], below: impl IntoIterator<Item = (&'n str, Keys)>) -> Keys {
    let free = free.iter().map(|name| ((*name).to_owned(), Keys::Free));
    Keys::Known(free.chain(below.into_iter().map(|(name, keys)| (name.to_owned(), keys))).collect())
}

fn each(keys: Keys) -> Keys {
    Keys::Each(Box::new(keys))
}
