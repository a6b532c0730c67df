//! Which URLs a server may have. The rules of CPEX 0.1.x, whose order decides which mistake is told first.

use std::net::Ipv4Addr;

use url::{Host, Url};

const LONGEST: usize = 2048;

const SCHEMES: [&str; 2] = ["http://", "https://"];

/// Not even as a part of a path: a URL that shows up elsewhere must do no harm there.
const DANGEROUS: [&str; 8] =
    ["javascript:", "data:", "vbscript:", "about:", "chrome:", "file:", "ftp:", "mailto:"];

const TAGS: [&str; 23] = [
    "script", "iframe", "object", "embed", "link", "meta", "base", "form", "img", "svg", "video", "audio",
    "source", "track", "area", "map", "canvas", "applet", "frame", "frameset", "html", "head", "body",
];

/// Checks the URL of a server. `is_guarded`: addresses of private networks are refused.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(url: &str, is_guarded: bool) -> Result<(), &'static str> {
    if url.is_empty() {
        return Err("expected a URL, found an empty text");
    }
    if url.chars().count() > LONGEST {
        return Err("it is longer than 2048 characters");
    }
    let lower = url.to_lowercase();
    if !SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) {
        return Err("expected http://… or https://…");
    }
    if DANGEROUS.iter().any(|protocol| lower.contains(protocol)) {
        return Err("it contains an unsupported or potentially dangerous protocol");
    }
    if url.contains(['[', ']']) {
        return Err("it contains an IPv6 address, which is not supported");
    }
    if url.contains(['\r', '\n']) {
        return Err("it contains line breaks");
    }
    if url.split('?').next().is_some_and(|before_query| before_query.contains(' ')) {
        return Err("it contains spaces");
    }
    let parsed = Url::parse(url).map_err(|_| "it is not a valid URL")?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("it contains credentials: use `token`");
    }
    if parsed.port() == Some(0) {
        return Err("its port is 0");
    }
    // However it is written: 127.1 and 0x7f000001 are the same as 127.0.0.1.
    if let Some(Host::Ipv4(address)) = parsed.host() {
        check_address(address, is_guarded)?;
    }
    if has_tag(&lower) {
        return Err("it contains HTML tags");
    }
    if has_handler(&lower) {
        return Err("it contains script patterns");
    }
    Ok(())
}

fn check_address(address: Ipv4Addr, is_guarded: bool) -> Result<(), &'static str> {
    if address.is_unspecified() {
        return Err("its address is 0.0.0.0");
    }
    if is_guarded && (address.is_private() || address.is_loopback() || address.is_link_local()) {
        return Err("its address is of a private network: use a name, such as localhost, or set \
                    PLUGINS_SSRF_PROTECTION_ENABLED=false");
    }
    Ok(())
}

fn has_tag(lower: &str) -> bool {
    lower.split('<').skip(1).any(|rest| {
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let name: &str = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        TAGS.contains(&name)
    })
}

/// `onload=` and the like, where an attribute could begin.
fn has_handler(lower: &str) -> bool {
    lower.split([' ', '"', '\'', '<', '>', '=']).enumerate().any(|(index, word)| {
        let is_name = word
            .strip_prefix("on")
            .is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_'));
        is_name && is_assigned(lower, index)
    })
}

/// Does `=` end this word, of those between such characters? Spaces may come first.
fn is_assigned(lower: &str, index: usize) -> bool {
    let mut ends = lower.match_indices([' ', '"', '\'', '<', '>', '=']).skip(index);
    ends.find(|(_, end)| *end != " ").is_some_and(|(_, end)| end == "=")
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_urls_of_servers_pass() {
        // F11, B29
        for url in ["http://localhost:8000/mcp", "https://guards.example/mcp?q=a b", "http://8.8.8.8/mcp"] {
            assert_eq!(check(url, true), Ok(()), "{url}");
        }
        for url in [
            "",
            "ftp://localhost",
            "http://user_profile:8/",
            "http://[::1]/mcp",
            "http://a/\nb",
            "http://a b/",
            "http://",
            "http://me:pass@host/",
            "http://host:0/",
            "http://host:99999/",
            "http://0.0.0.0/",
            "http://127.0.0.1/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://192.168.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://host/?a=<script>",
            "http://host/?a=</iframe",
            "http://host/?a=onload=1",
            "http://host/?a= onload =1",
        ] {
            assert!(check(url, true).is_err(), "{url}");
        }
        assert!(check(&format!("http://host/{}", "a".repeat(2048)), true).is_err());
        assert_eq!(check("http://127.0.0.1:8000/mcp", false), Ok(()));
        assert!(check("http://0.0.0.0/", false).is_err(), "always");
        assert_eq!(check("http://host/?once=1&only=2", true), Ok(()), "no attribute could begin there");
    }
}
