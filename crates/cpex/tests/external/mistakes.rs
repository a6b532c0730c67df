//! What is wrong with an entry is told with its path, and what would be right.

use cpex::{Error, Manager, config::Config};

async fn told(entry: &str) -> String {
    let yaml = format!("plugins:\n  - {{name: it, kind: external, required: true, {entry}}}\n");
    let config = Config::parse(&yaml, "plugins.yaml").unwrap();
    match Manager::builder().config(config).start().await.unwrap_err() {
        Error::Load(failure) => failure.to_string(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn mistakes_are_told_with_the_path_of_the_field() {
    // F6 to F11
    for (entry, path, right) in [
        ("hooks: [a]", "plugins[0]: ", "one of the sections mcp, grpc and unix_socket"),
        ("grpc: {target: 'a:1'}, mcp: {proto: STDIO}", "plugins[0]: ", "not several"),
        ("config: {a: 1}, grpc: {target: 'a:1'}", "plugins[0].config: ", "its server's"),
        ("grpc: {target: nowhere}", "plugins[0].grpc.target: ", "host:port"),
        ("grpc: {}", "plugins[0].grpc: ", "\"target\" is missing"),
        ("grpc: {endpoints: ['a:1', b]}", "plugins[0].grpc.endpoints[1]: ", "host:port"),
        ("grpc: {endpoints: []}", "plugins[0].grpc.endpoints: ", "at least one"),
        ("grpc: {target: 'a:1', timeout: 0}", "plugins[0].grpc.timeout: ", "more than 0"),
        (
            "grpc: {target: 'a:1', reconnect_attempts: -1}",
            "plugins[0].grpc.reconnect_attempts: ",
            "not negative",
        ),
        (
            "grpc: {target: 'a:1', breaker: {failures: no}}",
            "plugins[0].grpc.breaker.failures: ",
            "found a boolean",
        ),
        (
            "grpc: {target: 'a:1', health_check: {interval: 0}}",
            "plugins[0].grpc.health_check.interval: ",
            "more than 0",
        ),
        (
            "mcp: {proto: STDIO, cmd: [a], health_check: {misses: 0}}",
            "plugins[0].mcp.health_check.misses: ",
            "above 0",
        ),
        (
            "unix_socket: {path: /s, repeat: {retries: -1}}",
            "plugins[0].unix_socket.repeat.retries: ",
            "not negative",
        ),
        (
            "grpc: {target: 'a:1', repeat: {hedge_after: 0}}",
            "plugins[0].grpc.repeat.hedge_after: ",
            "more than 0",
        ),
        ("grpc: {target: 'a:1', token: ' '}", "plugins[0].grpc.token: ", "expected a token"),
        ("grpc: {target: 'a:1', token: t}", "plugins[0].grpc.token: ", "on its way to a:1: set tls"),
        (
            "grpc: {endpoints: ['127.0.0.1:1', 'a:1'], token: t}",
            "plugins[0].grpc.token: ",
            "on its way to a:1: set tls",
        ),
        (
            "mcp: {proto: STREAMABLEHTTP, url: 'http://a/mcp?k=v', token: t}",
            "plugins[0].mcp.token: ",
            "on its way to http://a/mcp: use https",
        ),
        (
            "grpc: {target: 'a:1', timeout: 1, connect_timeout: 2}",
            "plugins[0].grpc.connect_timeout: ",
            "no more seconds than timeout",
        ),
        (
            "mcp: {proto: STDIO, cmd: [a], connect_timeout: 2}",
            "plugins[0].mcp.connect_timeout: ",
            "only valid if proto is STREAMABLEHTTP",
        ),
        (
            "grpc: {target: 'a:1', tls: {keyfile: /etc/hosts}}",
            "plugins[0].grpc.tls.keyfile: ",
            "set certfile",
        ),
        (
            "grpc: {target: 'a:1', tls: {ca_bundle: /no/such}}",
            "plugins[0].grpc.tls.ca_bundle: ",
            "no such file",
        ),
        ("grpc: {uds: /tmp/s, tls: {}}", "plugins[0].grpc.tls: ", "not supported for Unix"),
        ("grpc: {uds: /no/such/s}", "plugins[0].grpc.uds: ", "directory"),
        ("unix_socket: {path: here}", "plugins[0].unix_socket.path: ", "absolute"),
        ("unix_socket: {path: /s, timeout: -1}", "plugins[0].unix_socket.timeout: ", "seconds"),
        ("mcp: {proto: SSE, url: 'http://a'}", "plugins[0].mcp.proto: ", "STREAMABLEHTTP, STDIO"),
        ("mcp: {proto: STREAMABLEHTTP}", "plugins[0].mcp: ", "\"url\" is missing"),
        (
            "mcp: {proto: STREAMABLEHTTP, url: 'http://10.0.0.1/mcp'}",
            "plugins[0].mcp.url: ",
            "private network",
        ),
        (
            "mcp: {proto: STREAMABLEHTTP, endpoints: ['http://a/mcp', 'ftp://b']}",
            "plugins[0].mcp.endpoints[1]: ",
            "https://",
        ),
        ("mcp: {proto: STREAMABLEHTTP, url: 'http://a', cmd: [x]}", "plugins[0].mcp.cmd: ", "only valid if"),
        (
            "mcp: {proto: STREAMABLEHTTP, url: 'http://a', uds: /tmp/s, tls: {}}",
            "plugins[0].mcp.tls: ",
            "Unix",
        ),
        ("mcp: {proto: STDIO}", "plugins[0].mcp: ", "\"cmd\" is missing"),
        ("mcp: {proto: STDIO, cmd: []}", "plugins[0].mcp.cmd: ", "a program"),
        ("mcp: {proto: STDIO, cmd: [a], script: b.py}", "plugins[0].mcp.script: ", "not both"),
        ("mcp: {proto: STDIO, cmd: [a], cwd: /no/such}", "plugins[0].mcp.cwd: ", "directory"),
        ("mcp: {proto: STDIO, script: /no/such.py}", "plugins[0].mcp.script: ", "does not exist"),
        (
            concat!("mcp: {proto: STDIO, script: ", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml}"),
            "plugins[0].mcp.script: ",
            "not executable",
        ),
        ("mcp: {proto: STDIO, cmd: [a], url: 'http://a'}", "plugins[0].mcp.url: ", "only valid if"),
    ] {
        let told = told(entry).await;
        assert!(told.starts_with("plugins.yaml:2:"), "{entry}: {told}");
        assert!(told.contains(&format!("cannot be loaded: {path}")), "{entry}: {told}");
        assert!(told.contains(right), "{entry}: {told}");
    }
}

#[tokio::test]
async fn a_misspelt_kind_is_told_with_the_one_that_is_meant() {
    let config = "plugins:\n  - {name: it, kind: extrenal, required: true, grpc: {target: 'a:1'}}\n";
    let config = Config::parse(config, "plugins.yaml").unwrap();
    let told = Manager::builder().config(config).start().await.unwrap_err().to_string();
    assert!(told.starts_with("plugins.yaml:2:") && told.contains("did you mean \"external\"?"), "{told}");
}

#[tokio::test]
async fn no_mistake_shows_a_secret() {
    for entry in [
        "grpc: {target: 'hunter2'}",
        "mcp: {proto: STREAMABLEHTTP, url: 'http://me:hunter2@localhost/mcp'}",
        "grpc: {target: 'a:1', token: [hunter2]}",
        "grpc: {target: 'a:1', tls: {certfile: /etc/hosts, keyfile_password: hunter2, ca_bundle: /no/such}}",
    ] {
        let told = told(entry).await;
        assert!(!told.contains("hunter2"), "{told}");
    }
    let config = "plugins: [{name: it, kind: external, grpc: {target: 'a:1', token: hunter2}}]";
    let config = Config::parse(config, "plugins.yaml").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
