//! DNS rebinding: names that are not this machine's are not answered by a server that only this machine reaches.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::Uri;

use super::{Access, Denied, Guard};

fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
}

fn guard(local: bool, hosts: &[&str], origins: &[&str]) -> Guard {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Guard::new(Access { hosts: owned(hosts), origins: owned(origins), ..Access::default() }, local)
}

#[test]
fn a_local_server_has_the_names_of_this_machine_at_any_port() {
    let guard = guard(true, &["guards.internal", "other.internal:81"], &[]);
    let asked = |values: &[&str]| guard.check_host(&Uri::from_static("/mcp"), &headers(HOST, values));
    for known in [
        "localhost",
        "LOCALHOST:8000",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:8000",
        "guards.internal",
        "Guards.Internal:9000",
        "other.internal:81",
    ] {
        assert_eq!(asked(&[known]), Ok(()), "{known}");
    }
    for strange in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost.",
        "::1",
        "[::2]",
        "localhost@evil.example",
        "other.internal",
        "other.internal:82",
        "0.0.0.0",
        "",
        "a b",
        "[::1",
    ] {
        assert_eq!(asked(&[strange]), Err(Denied::Host), "{strange}");
    }
    assert_eq!(asked(&["localhost", "localhost"]), Err(Denied::Host), "which of them?");
    assert_eq!(asked(&[]), Err(Denied::Host));
    let named = Uri::from_static("http://[::1]:8000/mcp");
    assert_eq!(guard.check_host(&named, &HeaderMap::new()), Ok(()), ":authority of HTTP/2");
}

#[test]
fn a_local_server_is_asked_by_pages_of_this_machine_only() {
    let guard = guard(true, &[], &["https://app.example:8443"]);
    let asked = |values: &[&str]| guard.check_origin(&headers(ORIGIN, values));
    for known in [
        "http://localhost",
        "http://localhost:3000",
        "http://[::1]:3000",
        "https://127.0.0.1",
        "https://APP.example:8443",
    ] {
        assert_eq!(asked(&[known]), Ok(()), "{known}");
    }
    assert_eq!(asked(&[]), Ok(()), "no page");
    for strange in [
        "null",
        "https://app.example",
        "https://evil.example",
        "http://localhost.evil.example",
        "file://",
        "",
    ] {
        assert_eq!(asked(&[strange]), Err(Denied::Origin), "{strange}");
    }
}

#[test]
fn a_public_server_has_the_names_that_are_listed_or_all() {
    let asked = |guard: Guard, host| guard.check_host(&Uri::from_static("/"), &headers(HOST, &[host]));
    assert_eq!(asked(guard(false, &[], &[]), "guards.example"), Ok(()));
    assert_eq!(asked(guard(false, &["guards.example"], &[]), "guards.example:443"), Ok(()));
    assert_eq!(asked(guard(false, &["guards.example"], &[]), "localhost"), Err(Denied::Host));
}
