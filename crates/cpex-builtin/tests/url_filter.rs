//! Which URLs pass, and how they hide.

#![cfg(feature = "url_filter")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_builtin::inspect;
use cpex_builtin::url_filter::{UrlFilter, UrlFilterConfig};
use serde_json::{Value, json};

fn read(config: Value) -> Result<UrlFilter, String> {
    let config = serde_json::from_value::<UrlFilterConfig>(config).map_err(|error| error.to_string())?;
    UrlFilter::new(config).map_err(|error| error.to_string())
}

fn filter(config: Value) -> UrlFilter {
    read(config).unwrap()
}

/// What is found in a payload: the kind and the text.
fn found(filter: &UrlFilter, payload: &Value) -> Option<String> {
    let inspection = inspect(payload, &[filter]).unwrap();
    inspection.denied().map(|report| report.sightings()[0].finding.kind.to_string())
}

#[test]
fn urls_are_read_as_browsers_do() {
    let default = filter(json!({}));
    for private in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:a00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://169.254.169.254/latest/",
        "http://localhost:8080/",
        "http://db.internal/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://100.64.0.1/",
        "http://0/",
        "http:\\\\127.0.0.1\\",
        "http://ⓛocalhost/",
        "http://１２７.0.0.1/",
        "http://127.0.0.1./",
        "http://127.0.0.1../",
        "http://%31%32%37.0.0.1/",
        "http://localhost./",
        "http:///127.0.0.1/",
        "http:127.0.0.1",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b:1::7f00:1]/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://127。0。0。1/",
        "http://10.0.0.1.nip.io/",
        "http://redis.prod.svc/",
    ] {
        assert_eq!(default.objection(private), Some("private_address"), "{private}");
    }
    for (url, objection) in [
        ("https://example.com/a?b", None),
        ("http://93.184.215.14/", None),
        ("https://user:pw@example.com/", Some("userinfo")),
        ("https://example.com@evil.test/", Some("userinfo")),
        ("ftp://example.com/", Some("denied_scheme")),
        ("javascript:alert(1)", Some("denied_scheme")),
        ("http://[::1", Some("malformed_url")),
        ("http://[fe80::1%25eth0]/", Some("malformed_url")),
        ("http://127.0.0.1 .example.com/", Some("malformed_url")),
        ("https://example.com\\@10.0.0.1/", None),
        ("https://example.com?@10.0.0.1/", None),
        ("https://example.com/?next=http://10.0.0.1/", Some("private_address")),
        ("https://example.com/?next=http%3A%2F%2F10.0.0.1%2F", Some("private_address")),
        ("https://example.com/proxy/http://10.0.0.1/", Some("private_address")),
        ("https://example.com/?next=%20http://10.0.0.1/", Some("private_address")),
        ("https://example.com/?next=+http://10.0.0.1/", Some("private_address")),
        ("https://example.com/?next=ht%09tp://10.0.0.1/", Some("private_address")),
        ("https://example.com/?next=%00http:%0A//10.0.0.1/", Some("private_address")),
        ("https://example.com/?next=//10.0.0.1", Some("private_address")),
        ("https://example.com/?next=/%09/10.0.0.1", Some("private_address")),
        ("https://example.com/?next=%5C%5C10.0.0.1", Some("private_address")),
        ("https://example.com/?next=/%5C10.0.0.1/a", Some("private_address")),
        ("https://example.com/?next=//example.org/a", None),
        ("https://example.com/?next=/a/b&q=a+//+b&comment=//+b", None),
        ("https://example.com/?next=javascript:alert(1)", Some("denied_scheme")),
        ("https://example.com/wiki/File:Map.svg", None),
        ("https://example.com/?next=https://example.org/", None),
        ("https://example.com/?http://10.0.0.1/=1", Some("private_address")),
        ("https://example.com/?http%3A%2F%2F10.0.0.1", Some("private_address")),
        ("https://example.com/?a=1&//10.0.0.1", Some("private_address")),
        ("https://example.com/?next=http%253A%252F%252F10.0.0.1", Some("private_address")),
        ("https://example.com/?next=http%25253A%25252F%25252F10.0.0.1", Some("private_address")),
        ("https://example.com/?next=%2525252525252525", Some("nested_url")),
        ("https://example.com/?next=%252F%252F10%252e0.0.1", Some("private_address")),
        ("https://example.com/#http://10.0.0.1/", Some("private_address")),
        ("https://example.com/#http%3a//10%2e0.0.1/", Some("private_address")),
        ("https://example.com/#a=b&url=http://10.0.0.1/", Some("private_address")),
        ("https://example.com/#/open?url=http%3A%2F%2F10.0.0.1", Some("private_address")),
        ("https://example.com/#javascript:alert(1)", Some("denied_scheme")),
        ("https://example.com/#/docs/page", None),
        ("https://example.com/a%20b?c=d%20e%2525#f%20g", None),
        ("https://example.com/proxy/http%3A%2F%2F10.0.0.1%2F", Some("private_address")),
        ("https://example.com/proxy/http%253a%252f%252f10.0.0.1", Some("private_address")),
        ("https://example.com/proxy/http:/10.0.0.1/", Some("private_address")),
        ("https://example.com/proxy/http:%5C%5C10.0.0.1", Some("private_address")),
        ("https://example.com/proxy/http:%5C/10.0.0.1", Some("private_address")),
        ("https://example.com/proxy/http:%09//10.0.0.1", Some("private_address")),
        ("https://example.com/%2525252525252525", Some("nested_url")),
        ("http://10%2e0%2e0%2e1/", Some("private_address")),
        ("http://10%2E0.0.1%2e/", Some("private_address")),
        ("http://metadata%2einternal/", Some("private_address")),
        ("http://10.0.0.1#.example.com/", Some("private_address")),
        ("http://10.0.0.1%23.example.com/", Some("malformed_url")),
        ("http%3A%2F%2F10.0.0.1%2F", Some("private_address")),
        ("https%3A%2F%2Fexample.com%2F", None),
        ("data:text/html;base64,PGI+", Some("denied_scheme")),
        ("file:///etc/passwd", Some("denied_scheme")),
    ] {
        assert_eq!(default.objection(url), objection, "{url}");
    }
    let narrow =
        filter(json!({"allow_hosts": ["example.com", "*.example.org"], "deny_hosts": ["bad.example.org"]}));
    for (url, allowed) in [
        ("https://EXAMPLE.com./", true),
        ("https://a.example.org/", true),
        ("https://example.org/", false),
        ("https://bad.example.org/", false),
        ("https://notexample.com/", false),
        ("https://example.com.evil.test/", false),
        ("https://evil.test/#example.com", false),
        ("https://evil.test%2fexample.com/", false),
        ("https://evil%2etest/example.com", false),
        ("https://bad%2eexample%2eorg/", false),
        ("https://a%2eexample.org/", true),
        ("https://example.com/?next=https%3A%2F%2Fevil.test", false),
        ("https://example.com/https%3A%2F%2Fevil.test", false),
        ("https://example.com/#https%3A%2F%2Fevil.test", false),
    ] {
        assert_eq!(narrow.objection(url).is_none(), allowed, "{url}");
    }
    let payload = json!({"host": "127.0.0.1", "text": "see https://example.com."});
    let inspection = inspect(&payload, &[&default]).unwrap();
    assert_eq!(inspection.denied().unwrap().sightings()[0].place, "/host");
    let foreign = filter(json!({"allow_international": false}));
    assert_eq!(foreign.objection("https://еxample.com/"), Some("international_host"));
}

#[test]
fn a_url_that_a_text_hides_is_found() {
    let default = filter(json!({}));
    for (payload, kind) in [
        (
            json!({"note": "see https://example.com/a (or https://example.org/b_(c)), [x](https://example.com)!"}),
            None,
        ),
        (json!({"note": "see http://10.0.0.1."}), Some("private_address")),
        (json!({"note": "_http://10.0.0.1/"}), Some("private_address")),
        (json!({"note": "[v6](http://[2606:4700::1111])"}), None),
        (json!({"note": "http://[::1]."}), Some("private_address")),
        (json!({"note": "http:\\/\\/10.0.0.1"}), Some("private_address")),
        (json!({"note": "open http://example.com|@10.0.0.1/ please"}), Some("userinfo")),
        (json!({"note": "open http://example.com\"@10.0.0.1/ please"}), Some("userinfo")),
        (json!({"target": "http://example.com\n@10.0.0.1/"}), Some("userinfo")),
        (json!({"target": "ht\ttp://10.0.0.1/"}), Some("denied_scheme")),
        (json!({"target": "https://example.com/\nhttps://example.org/"}), None),
        (json!({"http://10.0.0.1/": 1}), Some("private_address")),
        (json!({"url": "10.0.0.1/?q=https://example.com/"}), Some("private_address")),
        (json!({"url": "//10.0.0.1/"}), Some("private_address")),
        (json!({"url": "/\t/10.0.0.1/"}), Some("private_address")),
        (json!({"url": "\\\\10.0.0.1\\share"}), Some("private_address")),
        (json!({"imageUrl": "localhost:8080"}), Some("private_address")),
        (json!({"callback_url": ["10.0.0.1"]}), Some("private_address")),
        (json!({"url": "javascript:1"}), Some("denied_scheme")),
        (json!({"url": "example.com:8443/x"}), None),
        (json!({"href": "/docs/page#top"}), None),
        (json!({"href": "../page?x=1"}), None),
        (json!({"curl": "10.0.0.1"}), None),
        (json!({"url": "10%2e0%2e0%2e1/x"}), Some("private_address")),
        (json!({"url": "http%3A%2F%2F10.0.0.1"}), Some("private_address")),
        (json!({"url": "https%3A%2F%2Fexample.com%2F"}), None),
        (json!({"body": "a=1&next=http%3A%2F%2F10.0.0.1%2Fa&b=2"}), Some("private_address")),
        (
            json!({"body": "a=1&next=https%253A%252F%252Fexample.com&next=http%253a%252f%252f10.0.0.1"}),
            Some("private_address"),
        ),
        (json!({"body": "a=1&next=https%3A%2F%2Fexample.com&b=2"}), None),
    ] {
        assert_eq!(found(&default, &payload).as_deref(), kind, "{payload}");
    }
    let addresses = filter(json!({"allow_hosts": ["::1", "[fd00::1]", "10.0.0.1"]}));
    for url in ["http://[::1]/", "http://[fd00::1]/", "http://10.0.0.1/"] {
        assert_eq!(addresses.objection(url), None, "{url}");
    }
    let ports = filter(json!({"ports": [443, 8443], "allow_userinfo": true, "allow_inner": true}));
    for (url, objection) in [
        ("https://example.com/", None),
        ("https://example.com:8443/", None),
        ("https://example.com:6379/", Some("denied_port")),
        ("http://example.com/", Some("denied_port")),
        ("https://example.com/?next=http://10.0.0.1/", None),
        ("https://example.com/http%3A%2F%2F10.0.0.1/?http://10.0.0.1/#http://10.0.0.1/", None),
    ] {
        assert_eq!(ports.objection(url), objection, "{url}");
    }
    let users = json!({"note": "http://a|b@10.0.0.1:443/"});
    assert_eq!(found(&ports, &users).as_deref(), Some("private_address"));
}

/// Long hostile texts end: were a step quadratic, this would not.
#[test]
fn time_is_linear_in_the_text() {
    let default = filter(json!({"allow_userinfo": true, "action": "report", "fields": []}));
    for part in [
        "http:a|",
        "http://a|",
        "a@",
        ")",
        "http://a/)",
        "_",
        "a:",
        "http://a\n",
        "%25",
        "http%3a%2f%2f",
        "http://a/%25",
    ] {
        let payload = json!({"note": format!("x {}", part.repeat((1 << 18) / part.len()))});
        inspect(&payload, &[&default]).unwrap();
    }
}

#[test]
fn what_is_no_host_or_scheme_is_an_error() {
    for (config, error) in [
        (json!({"schemes": []}), "schemes: empty"),
        (json!({"schemes": ["https", "http://"]}), "schemes[1]: \"http://\" is no scheme"),
        (
            json!({"allow_hosts": ["example.com", "https://example.org"]}),
            "allow_hosts[1]: \"https://example.org\" is no",
        ),
        (json!({"allow_hosts": ["*"]}), "allow_hosts[0]: \"*\" is no host (a star"),
        (json!({"deny_hosts": ["a.*.com"]}), "deny_hosts[0]: \"a.*.com\" is no host (a star"),
        (json!({"deny_hosts": ["*.10.0.0.1"]}), "deny_hosts[0]: \"*.10.0.0.1\" is no host (nothing is below"),
        (json!({"allow_host": []}), "unknown field `allow_host`"),
    ] {
        let told = read(config.clone()).map(|_| ()).unwrap_err();
        assert!(told.starts_with(error), "{config}: {told}");
    }
}
