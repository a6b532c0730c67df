//! Any text before the URL filter: what names a private address for who opens it is never let through.

#![no_main]

use std::net::IpAddr;
use std::sync::LazyLock;

use cpex_builtin::inspect;
use cpex_builtin::url_filter::{UrlFilter, UrlFilterConfig, is_public};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use url::{Host, Url};

static FILTER: LazyLock<UrlFilter> =
    LazyLock::new(|| UrlFilter::new(UrlFilterConfig::default()).expect("the configuration is right"));

fn is_harmful(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => !is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => !is_public(IpAddr::V6(address)),
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        None => true,
    }
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let denied = |payload| inspect(&payload, &[&*FILTER]).expect("it is flat").denied().is_some();
    let in_text = denied(json!({"text": text}));
    let in_field = denied(json!({"url": text}));
    let Ok(url) = Url::parse(&text) else { return };
    if !matches!(url.scheme(), "http" | "https") {
        return;
    }
    if is_harmful(&url) {
        assert!(FILTER.objection(&text).is_some(), "{text:?}");
        assert!(in_field, "{text:?} in a field");
        assert!(in_text || text.contains(char::is_whitespace), "{text:?} in a text");
    }
});
