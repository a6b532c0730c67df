//! In a world where time is the test's.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Addresses, HEAD_START, connect_to_any};

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Port 1 is silent, 2 refuses, 3 takes its time, any other answers.
async fn connect(to: SocketAddr) -> io::Result<u16> {
    match to.port() {
        1 => pending().await,
        2 => Err(io::ErrorKind::ConnectionRefused.into()),
        3 => {
            sleep(HEAD_START * 3).await;
            Ok(3)
        }
        port => Ok(port),
    }
}

/// Which of these is connected to, which were tried, and after which time.
async fn race(ports: &[u16]) -> (Result<u16, io::ErrorKind>, Vec<u16>, Duration) {
    let (began, tried) = (Instant::now(), RefCell::new(Vec::new()));
    let connected = connect_to_any(ports.iter().copied().map(address), |to| {
        tried.borrow_mut().push(to.port());
        connect(to)
    });
    let connected = connected.await.map_err(|error| error.kind());
    (connected, tried.into_inner(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn every_address_is_tried_and_none_holds_up_the_others() {
    let now = Duration::ZERO;
    assert_eq!(race(&[4, 5]).await, (Ok(4), vec![4], now));
    assert_eq!(race(&[2, 2, 5]).await, (Ok(5), vec![2, 2, 5], now));
    assert_eq!(race(&[1, 1, 5]).await, (Ok(5), vec![1, 1, 5], HEAD_START * 2));
    assert_eq!(race(&[3, 1]).await, (Ok(3), vec![3, 1], HEAD_START * 3));
    assert_eq!(race(&[3, 2]).await, (Ok(3), vec![3, 2], HEAD_START * 3));
    assert_eq!(race(&[2, 2]).await, (Err(io::ErrorKind::ConnectionRefused), vec![2, 2], now));
    assert_eq!(race(&[]).await, (Err(io::ErrorKind::NotFound), vec![], now));
}

#[test]
fn addresses_of_private_networks_are_told_however_they_are_written() {
    // B29
    for private in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "0.1.2.3",
        "100.64.0.1",
        "::",
        "::1",
        "fd00::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ] {
        let address = private.parse().unwrap();
        assert!(!Addresses::Public.allow(address), "{private}");
        assert!(Addresses::Any.allow(address), "{private}");
    }
    for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
        assert!(Addresses::Public.allow(public.parse().unwrap()), "{public}");
    }
}
