//! B29: what a name may stand for.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, SocketAddr};

use super::Reach;

fn reached(reach: Reach, host: &str, addresses: &[&str]) -> Result<usize, String> {
    let addresses = addresses.iter().map(|text| SocketAddr::new(text.parse::<IpAddr>().unwrap(), 80));
    reach.within(host, addresses).map(|addresses| addresses.len()).map_err(|error| error.to_string())
}

#[test]
fn a_name_may_not_stand_for_a_machine_of_the_private_network() {
    for private in [
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ] {
        let address: IpAddr = private.parse().unwrap();
        let refused = format!("example.com stands for {address}, which is blocked by SSRF protection");
        assert_eq!(reached(Reach::Public, "example.com", &["93.184.216.34", private]), Err(refused));
        assert_eq!(reached(Reach::Anywhere, "example.com", &[private]), Ok(1));
        assert_eq!(reached(Reach::Public, "LocalHost", &[private]), Ok(1));
    }
}

#[test]
fn public_addresses_are_reached() {
    for public in ["93.184.216.34", "172.32.0.1", "11.0.0.1", "2606:4700::1111"] {
        assert_eq!(reached(Reach::Public, "example.com", &[public]), Ok(1), "{public}");
    }
}
