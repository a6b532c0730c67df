//! What a policy says, and what is wrong with one that says nothing.

use cpex_sandbox::{Basis, Bytes, Counter, Endpoint, Gap, Network, Policy, Profile, Refusal, Support};
use serde_json::{Value, json};

fn read(value: Value) -> Result<Policy, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn a_name_is_a_profile() {
    assert_eq!(read(json!("none")).unwrap().network, Network::All);
    assert_eq!(read(json!("default")).unwrap(), Policy::default());
    let strict = read(json!("strict")).unwrap();
    assert_eq!((strict.profile, strict.limits.processes), (Profile::Strict, Some(0)));
}

#[test]
fn a_mapping_starts_from_a_profile() {
    let policy = read(json!({
        "profile": "strict",
        "network": ["api.example.com:443", "192.0.2.1:80", "[2001:db8::1]:8080"],
        "read": ["data"],
        "write": ["/var/cache/plugin"],
        "env": ["API_KEY"],
        "memory": "1GiB",
        "cpu_seconds": "unlimited",
        "processes": 2,
        "threads": 16,
        "file_size": 4096,
        "scratch": "2GiB",
    }))
    .unwrap();
    let Network::Hosts(hosts) = &policy.network else { panic!("{policy:?}") };
    let hosts: Vec<_> = hosts.iter().map(Endpoint::to_string).collect();
    assert_eq!(hosts, ["api.example.com:443", "192.0.2.1:80", "[2001:db8::1]:8080"]);
    assert_eq!(policy.limits.memory, Some(1 << 30));
    assert_eq!(policy.limits.cpu_seconds, None);
    assert_eq!((policy.limits.processes, policy.limits.threads), (Some(2), Some(16)));
    assert_eq!(policy.limits.file_size, Some(4096));
    assert_eq!(policy.limits.scratch, Some(2 << 30));
    assert_eq!(policy.limits.open_files, Policy::of(Profile::Strict).limits.open_files);
    assert_eq!(read(json!({})).unwrap(), Policy::default());
}

#[test]
fn what_is_wrong_says_what_would_be_right() {
    for (value, says) in [
        (json!("lax"), "`lax` is no profile: write `none`, `default` or `strict`"),
        (json!(true), "a profile (`none`, `default` or `strict`) or a mapping that starts from one"),
        (json!({"profile": "Strict"}), "`Strict` is no profile"),
        (json!({"netwrok": "none"}), "unknown field `netwrok`, expected one of `profile`, `network`"),
        (json!({"network": "internet"}), "expected `none`, `loopback`, `all` or a list of `host:port`"),
        (json!({"network": ["example.com"]}), "`example.com` has no port: write `host:port`"),
        (
            json!({"network": ["localhost"]}),
            "write `localhost:8080`, or `network: loopback` in place of the list",
        ),
        (json!({"network": ["127.0.0.1"]}), "`127.0.0.1` has no port: write `localhost:8080`, or"),
        (json!({"network": ["example.com:https"]}), "has no valid port"),
        (json!({"network": ["example.com:0"]}), "has no valid port"),
        (json!({"network": ["::1:80"]}), "has an address without brackets"),
        (json!({"network": ["https://example.com:443"]}), "has no valid host name"),
        (json!({"network": ["1.2.3:80"]}), "has no valid host name"),
        (json!({"network": ["a b:80"]}), "has no valid host name"),
        (json!({"memory": "512M"}), "`512M` is no size"),
        (json!({"memory": -1}), "a number of bytes, a text as `512MiB`, or `unlimited`"),
        (json!({"memory": 1024}), "`memory` is 1024: nothing runs with less than 16777216"),
        (json!({"memory": "99999999999GiB"}), "is no size"),
        (json!({"scratch": 0}), "`scratch` is 0: nothing runs with less than 1048576"),
        (json!({"cpu_seconds": 0.5}), "a whole number or `unlimited`"),
        (json!({"open_files": 3}), "`open_files` is 3"),
        (
            json!({"profile": "none", "memory": "1GiB"}),
            "profile `none` contains nothing and takes no other key",
        ),
        (
            json!({"profile": "none", "scratch": "1GiB"}),
            "profile `none` contains nothing and takes no other key",
        ),
    ] {
        let error = read(value.clone()).unwrap_err();
        assert!(error.contains(says), "{value}: {error}");
    }
}

/// Whoever writes a value where a name belongs may have written a secret.
#[test]
fn the_value_of_a_variable_is_not_shown() {
    let error = read(json!({"env": ["API_KEY=hunter2"]})).unwrap_err();
    assert!(error.contains("write its name only") && !error.contains("hunter2"), "{error}");
}

#[test]
fn sizes_are_shown_as_they_are_written() {
    for (bytes, text) in [(512 << 20, "512 MiB"), (2 << 30, "2 GiB"), (1000, "1000 B"), (0, "0 B")] {
        assert_eq!(Bytes(bytes).to_string(), text);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_there_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let policy = read(json!({"read": [".", "missing"]})).unwrap();
    let refusal = policy.prepare(&Basis::new(folder.path(), folder.path())).unwrap_err();
    let Refusal::Path { key, path, .. } = &refusal else { panic!("{refusal}") };
    assert_eq!((key.as_str(), path), ("read[1]", &folder.path().join("missing")));
    assert!(refusal.to_string().contains("`read[1]`"), "{refusal}");
}

/// Root is only counted by process ids, which cannot be few where there are many processors.
#[test]
fn a_number_that_cannot_be_counted_is_told() {
    let mut support = Support::probe().clone();
    (support.counters, support.fewest_tasks) = (vec![Counter::ProcessIds], 256);
    let told = |support: &Support, processes: u64| {
        let missing = support.missing(&read(json!({"processes": processes})).unwrap());
        missing.iter().any(|missing| missing.gap == Gap::ProcessCount)
    };
    assert_eq!([0, 1, 127, 128].map(|processes| told(&support, processes)), [false, true, true, false]);
    support.counters.push(Counter::ResourceLimit);
    assert!(!told(&support, 1), "which counts anybody else");
}

/// What the kernel does not give is told by `default`, and refused by `strict`.
#[test]
fn gaps_are_told() {
    let nothing = Support::default();
    let policy = Policy::of(Profile::Strict);
    let missing: Vec<_> = nothing.missing(&policy).into_iter().map(|missing| missing.gap).collect();
    assert_eq!(missing, [Gap::Everything]);
    assert_eq!(nothing.missing(&Policy::of(Profile::None)), []);
}
