//! Names and their addresses, remembered for a while.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::surroundings::Surroundings;

/// So many names are remembered at most.
const MANY: usize = 256;

/// The addresses that were found last.
pub struct Names {
    surroundings: Rc<dyn Surroundings>,
    known: RefCell<HashMap<(Arc<str>, u16), Known>>,
    /// The system tells no lifetimes; so long an address is believed.
    remembered_for: Duration,
}

struct Known {
    addresses: Rc<[SocketAddr]>,
    since: Instant,
}

impl Names {
    pub fn new(surroundings: Rc<dyn Surroundings>, remembered_for: Duration) -> Self {
        Self { surroundings, known: RefCell::default(), remembered_for }
    }

    /// The addresses of a host, at least one, with the families in turn (RFC 8305 section 4).
    pub async fn resolve(&self, host: &Arc<str>, port: u16) -> io::Result<Rc<[SocketAddr]>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok([SocketAddr::new(address, port)].into());
        }
        if let Some(known) = self.known.borrow().get(&(host.clone(), port))
            && known.since.elapsed() < self.remembered_for
        {
            return Ok(known.addresses.clone());
        }
        let found = self.surroundings.resolve(host, port).await?;
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("'{host}' has no address")));
        }
        let addresses: Rc<[SocketAddr]> = in_turn(found).into();
        let mut known = self.known.borrow_mut();
        if known.len() >= MANY {
            known.retain(|_, known| known.since.elapsed() < self.remembered_for);
        }
        if known.len() >= MANY {
            // Who asks for ever new names has little use for the old ones.
            known.clear();
        }
        known.insert((host.clone(), port), Known { addresses: addresses.clone(), since: Instant::now() });
        Ok(addresses)
    }

    /// None of them could be reached: they are looked up anew next time.
    pub fn forget(&self, host: &Arc<str>, port: u16) {
        self.known.borrow_mut().remove(&(host.clone(), port));
    }
}

/// The first address's family first, then one of each in turn.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    first.reverse();
    second.reverse();
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    while !first.is_empty() || !second.is_empty() {
        ordered.extend(first.pop());
        ordered.extend(second.pop());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_systems_first_choice_stays_first() {
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"];
        let addresses = given.iter().map(|text| text.parse().expect("an address")).collect();
        let ordered: Vec<String> = in_turn(addresses).iter().map(ToString::to_string).collect();
        assert_eq!(ordered, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]);
    }
}
