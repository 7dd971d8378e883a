//! How many wrong passwords an address may send: [`BURST`], then one a second.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Wrong ones in a row.
const BURST: u32 = 5;
/// Time after which one more is allowed.
const EVERY: Duration = Duration::from_secs(1);
/// Addresses that are remembered; beyond them all others share one count.
const ADDRESSES_MAX: usize = 4096;

/// Until when an address has used up what it may, if every failure costs [`EVERY`].
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<IpAddr, Instant>>);

/// A network of IPv6 belongs to one party, which has all addresses in it.
fn party(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(six) => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        four @ IpAddr::V4(_) => four,
    }
}

impl Throttle {
    /// Whether the address may not try now.
    pub(super) fn is_shut(&self, from: IpAddr, now: Instant) -> bool {
        let spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spent
            .get(&party(from))
            .is_some_and(|until| *until > now + EVERY * (BURST - 1))
    }

    /// Notes a failure; false where it was one too many.
    pub(super) fn failed(&self, from: IpAddr, now: Instant) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= ADDRESSES_MAX {
            spent.retain(|_, until| *until > now);
        }
        let mut party = party(from);
        if spent.len() >= ADDRESSES_MAX && !spent.contains_key(&party) {
            party = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        }
        let until = spent.entry(party).or_insert(now);
        *until = (*until).max(now);
        if *until > now + EVERY * (BURST - 1) {
            return false;
        }
        *until += EVERY;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_ones_then_one_a_second_for_each_address() {
        let throttle = Throttle::default();
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let now = Instant::now();
        for _ in 0..BURST {
            assert!(!throttle.is_shut(one, now));
            assert!(throttle.failed(one, now));
        }
        assert!(throttle.is_shut(one, now) && !throttle.failed(one, now));
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        assert!(!throttle.is_shut(other, now));
        let now = now + EVERY;
        assert!(!throttle.is_shut(one, now) && throttle.failed(one, now));
        assert!(throttle.is_shut(one, now));
        assert!(!throttle.is_shut(one, now + EVERY * 10));
    }

    #[test]
    fn a_network_of_ipv6_is_one_party() {
        let throttle = Throttle::default();
        let now = Instant::now();
        for n in 0..BURST {
            let from = format!("2001:db8::{n}").parse().unwrap();
            assert!(throttle.failed(from, now));
        }
        assert!(throttle.is_shut("2001:db8::ffff".parse().unwrap(), now));
        assert!(!throttle.is_shut("2001:db8:0:1::1".parse().unwrap(), now));
        assert!(!throttle.is_shut("::ffff:192.0.2.1".parse().unwrap(), now));
    }
}
