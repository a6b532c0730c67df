//! TLS and tokens, from an entry and from the environment. W50 to W54

use std::future::pending;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cpex_remote::tls::{ClientAuth, ServerTls};
use cpex_remote::{Secret, grpc, mcp};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::certificates::{Authority, PASSWORD};
use crate::probe::Probe;
use crate::world::{ask, host, merged};

const TOKEN: &str = "hunter2";

/// Servers that ask for a certificate and a token; the sections that lead to them, without what they ask for.
async fn guarded(authority: &Authority) -> [(&'static str, Value); 2] {
    let loopback = || mcp::Target::Tcp("127.0.0.1:0".to_owned());
    let tls = || {
        let clients = ClientAuth::Required(authority.bundle());
        Some(ServerTls { identity: authority.identity("localhost"), clients })
    };
    let access = || mcp::Access { token: Some(Secret::new(TOKEN)), ..mcp::Access::default() };
    let config = mcp::ServerConfig { tls: tls(), access: access(), ..mcp::ServerConfig::new(loopback()) };
    let over_mcp = mcp::Server::bind(config).await.unwrap();
    let config = grpc::ServerConfig { tls: tls(), access: access(), ..grpc::ServerConfig::new(loopback()) };
    let over_grpc = grpc::Server::bind(config).await.unwrap();
    let [mcp, grpc] = [over_mcp.local_addr(), over_grpc.local_addr()].map(|address| address.unwrap().port());
    tokio::spawn(over_mcp.serve(Arc::new(Probe), pending()));
    tokio::spawn(over_grpc.serve(Arc::new(Probe), pending()));
    let url = format!("https://localhost:{mcp}/mcp");
    [
        ("mcp", json!({"mcp": {"proto": "STREAMABLEHTTP", "url": url, "reconnect_attempts": 0}})),
        ("grpc", json!({"grpc": {"target": format!("localhost:{grpc}"), "reconnect_attempts": 0}})),
    ]
}

async fn denies(section: Value) -> Result<bool, String> {
    let manager = host(section).await.map_err(|error| error.to_string())?;
    Ok(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed())
}

#[tokio::test]
async fn a_server_is_shown_what_it_asks_for() {
    let authority = Authority::new();
    let identity = authority.encrypted_identity("client");
    let shown = json!({
        "certfile": identity.certfile, "keyfile": identity.keyfile, "keyfile_password": PASSWORD,
        "ca_bundle": authority.bundle(),
    });
    for (name, section) in guarded(&authority).await {
        let with = |more: Value| merged(section.clone(), json!({ (name): more }));
        assert_eq!(denies(with(json!({"tls": shown, "token": TOKEN}))).await, Ok(true), "{name}");
        let wrong = [
            json!({"tls": shown, "token": "another"}),
            json!({"tls": shown}),
            json!({"tls": {"ca_bundle": authority.bundle()}, "token": TOKEN}),
            json!({"tls": {"certfile": identity.certfile, "keyfile": identity.keyfile}, "token": TOKEN}),
        ];
        // Each is tried for some seconds.
        for ended in join_all(wrong.map(|wrong| denies(with(wrong)))).await {
            let error = ended.unwrap_err();
            assert!(error.contains("connection failed"), "{name}: {error}");
            assert!(!error.contains(TOKEN) && !error.contains(PASSWORD), "{error}");
        }
    }
}

#[tokio::test]
async fn a_name_is_checked_unless_the_entry_says_otherwise() {
    let authority = Authority::new();
    let server = ServerTls { identity: authority.identity("elsewhere"), clients: ClientAuth::None };
    let config = mcp::ServerConfig {
        tls: Some(server),
        ..mcp::ServerConfig::new(mcp::Target::Tcp("127.0.0.1:0".to_owned()))
    };
    let server = mcp::Server::bind(config).await.unwrap();
    let url = format!("https://localhost:{}/mcp", server.local_addr().unwrap().port());
    tokio::spawn(server.serve(Arc::new(Probe), pending()));
    let (bundle, stranger) = (authority.bundle(), Authority::new());
    for (tls, is_reached) in [
        (json!({"ca_bundle": bundle}), false),
        (json!({"ca_bundle": bundle, "check_hostname": false}), true),
        (json!({"ca_bundle": stranger.bundle(), "check_hostname": false}), false),
        (json!({"ca_bundle": stranger.bundle(), "verify": false}), true),
    ] {
        let section = json!({"proto": "STREAMABLEHTTP", "url": url, "tls": tls, "reconnect_attempts": 0});
        assert_eq!(denies(json!({"mcp": section})).await.is_ok(), is_reached, "{tls}");
    }
}

/// Says whether the plugin of the variable `TEST_SECTION` is reached.
#[tokio::test]
#[ignore = "run by the one below, in a process of its own"]
async fn child() {
    let section = serde_json::from_str(&std::env::var("TEST_SECTION").unwrap()).unwrap();
    println!("said: {:?}", denies(section).await);
}

/// What the one above says, with these variables.
async fn said(section: &Value, variables: Vec<(String, String)>) -> String {
    let section = section.to_string();
    let child = move || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "tls::child", "--ignored", "--nocapture"]);
        child.env("TEST_SECTION", section).envs(variables).output().unwrap()
    };
    String::from_utf8(tokio::task::spawn_blocking(child).await.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn the_environment_stands_in_for_what_an_entry_does_not_say() {
    let authority = Authority::new();
    let identity = authority.encrypted_identity("client");
    let path = |path: &Path| path.display().to_string();
    for (name, section) in guarded(&authority).await {
        let tls = match name {
            "mcp" => "PLUGINS_CLIENT_MTLS_",
            _ => "PLUGINS_GRPC_CLIENT_MTLS_",
        };
        let all = vec![
            (format!("{tls}CERTFILE"), path(&identity.certfile)),
            (format!("{tls}KEYFILE"), path(identity.keyfile.as_ref().unwrap())),
            (format!("{tls}KEYFILE_PASSWORD"), PASSWORD.to_owned()),
            (format!("{tls}CA_BUNDLE"), path(&authority.bundle())),
        ];
        let with_token = merged(section.clone(), json!({ (name): {"token": TOKEN} }));
        let reached = said(&with_token, all.clone()).await;
        assert!(reached.contains("said: Ok(true)"), "{name}: {reached}");
        // One token for the servers of all plugins would be told to each of them.
        let tokens = ["PLUGINS_CLIENT_TOKEN", "PLUGINS_GRPC_CLIENT_TOKEN"]
            .map(|name| (name.to_owned(), TOKEN.to_owned()));
        let refused = said(&section, all.into_iter().chain(tokens).collect()).await;
        assert!(refused.contains("said: Err("), "{name}: {refused}");
        let missing = said(&section, vec![(format!("{tls}CA_BUNDLE"), "/no/such".to_owned())]).await;
        assert!(missing.contains(&format!("{tls}CA_BUNDLE: there is no such file")), "{name}: {missing}");
    }
}

#[tokio::test]
async fn over_mcp_the_authorities_of_the_system_are_believed_besides_those_of_a_bundle() {
    // W51; over gRPC the bundle is all there is, as in CPEX 0.1.x.
    let (authority, stranger) = (Authority::new(), Authority::new());
    let identity = authority.encrypted_identity("client");
    let shown = json!({
        "certfile": identity.certfile, "keyfile": identity.keyfile, "keyfile_password": PASSWORD,
        "ca_bundle": stranger.bundle(),
    });
    for (name, section) in guarded(&authority).await {
        let section = merged(section, json!({ (name): {"tls": shown, "token": TOKEN} }));
        let system = vec![("SSL_CERT_FILE".to_owned(), authority.bundle().display().to_string())];
        let reached = said(&section, system).await;
        assert_eq!(reached.contains("said: Ok(true)"), name == "mcp", "{name}: {reached}");
        let strangers = vec![("SSL_CERT_FILE".to_owned(), stranger.bundle().display().to_string())];
        let refused = said(&section, strangers).await;
        assert!(refused.contains("said: Err("), "{name}: {refused}");
    }
}

#[tokio::test]
async fn the_addresses_of_names_are_checked_if_that_is_asked_for() {
    // B29
    let server = mcp::ServerConfig::new(mcp::Target::Tcp("127.0.0.1:0".to_owned()));
    let server = mcp::Server::bind(server).await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(server.serve(Arc::new(Probe), pending()));
    let at = |host: &str| {
        let url = format!("http://{host}:{port}/mcp");
        json!({"mcp": {"proto": "STREAMABLEHTTP", "url": url, "reconnect_attempts": 0}})
    };
    let named = Command::new("hostname").output().unwrap().stdout;
    let section = at(String::from_utf8(named).unwrap().trim());
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let checked = variable("PLUGINS_SSRF_CHECK_ADDRESSES", "true");
    let refused = said(&section, vec![checked.clone()]).await;
    assert!(refused.contains("is an address of a private network"), "{refused}");
    for unchecked in [vec![], vec![checked.clone(), variable("PLUGINS_SSRF_PROTECTION_ENABLED", "false")]] {
        let said = said(&section, unchecked).await;
        assert!(!said.contains("private network"), "{said}");
    }
    // Of this name everybody knows what it is.
    let reached = said(&at("localhost"), vec![checked]).await;
    assert!(reached.contains("said: Ok(true)"), "{reached}");
}
