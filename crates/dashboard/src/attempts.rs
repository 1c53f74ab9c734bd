//! How often somebody may be wrong about a token.

use base::Timestamp;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Wrong tries of one address within [`WINDOW`].
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered; the oldest makes room.
const ADDRESSES: usize = 4_096;

/// Tries, by address.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<IpAddr, (Timestamp, u32)>>);

impl Attempts {
    /// Counts a try, before it is looked at: of many at once none gets by.
    ///
    /// # Errors
    /// Says how long to wait where there were too many.
    pub(crate) fn begin(&self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if !known.contains_key(&address) && known.len() >= ADDRESSES {
            known.retain(|_, (began, _)| now.since(*began) < WINDOW);
            let oldest = known.iter().min_by_key(|(_, (began, _))| *began).map(|(address, _)| *address);
            if let Some(oldest) = oldest.filter(|_| known.len() >= ADDRESSES) {
                known.remove(&oldest);
            }
        }
        let (began, tries) = known.entry(address).or_insert((now, 0));
        if now.since(*began) >= WINDOW {
            (*began, *tries) = (now, 0);
        }
        if *tries >= MOST {
            return Err(WINDOW.saturating_sub(now.since(*began)));
        }
        *tries += 1;
        Ok(())
    }

    /// The try was right: those before it are forgiven.
    pub(crate) fn succeeded(&self, address: IpAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&network(address));
    }
}

/// Who has one IPv6 address has 2^64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_none() => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn too_many_wrong_tries_are_refused_for_a_while() {
        let attempts = Attempts::default();
        let one: IpAddr = "2001:db8::1".parse().expect("address");
        let near: IpAddr = "2001:db8::2".parse().expect("address");
        let other: IpAddr = "192.0.2.1".parse().expect("address");
        for _ in 0..MOST {
            assert_eq!(attempts.begin(one, at(0)), Ok(()));
        }
        assert_eq!(attempts.begin(near, at(20)), Err(Duration::from_secs(40)));
        assert_eq!((attempts.begin(other, at(20)), attempts.begin(one, at(60))), (Ok(()), Ok(())));
        for _ in 0..MOST * 2 {
            assert_eq!(attempts.begin(other, at(80)), Ok(()));
            attempts.succeeded(other);
        }
    }

    #[test]
    fn only_so_many_addresses_are_remembered() {
        let attempts = Attempts::default();
        for number in 0..ADDRESSES as u32 + 10 {
            let _ = attempts.begin(std::net::Ipv4Addr::from(number).into(), at(i64::from(number) / 1000));
        }
        assert!(attempts.0.lock().expect("lock").len() <= ADDRESSES);
    }
}
