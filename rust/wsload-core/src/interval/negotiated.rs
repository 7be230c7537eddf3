//! What connections agreed on with the server, counted per aspect and value.

use serde::{Deserialize, Serialize};

/// Distinct values kept; the rest is counted under [`OTHER`] of its aspect.
const MAX_DISTINCT: usize = 32;
const MAX_VALUE_BYTES: usize = 128;
const OTHER: &str = "other";

macro_rules! aspects {
    ($($(#[$doc:meta])* $aspect:ident = $name:literal),+ $(,)?) => {
        /// What there is to agree on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Aspect { $($(#[$doc])* #[serde(rename = $name)] $aspect),+ }

        impl Aspect {
            /// Its name in files and reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$aspect => $name),+ }
            }
        }
    };
}

aspects! {
    /// TLS version and cipher suite.
    Tls = "tls",
    /// Whether the TLS handshake was full or resumed a session.
    TlsHandshake = "tls_handshake",
    /// SHA-256 of the server's certificate, in hexadecimal; of full handshakes.
    Certificate = "certificate",
    /// The subprotocol chosen.
    Subprotocol = "subprotocol",
    /// The compression agreed on.
    Compression = "compression",
}

/// How many connections agreed on one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// On what.
    pub aspect: Aspect,
    /// May hold bytes of a server: escape before printing.
    pub value: String,
    /// Connections.
    pub count: u64,
}

/// The agreements of an interval, bounded however a server answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Negotiated(Vec<Agreement>);

impl Negotiated {
    /// Counts `count` connections that agreed on `value`.
    pub fn add(&mut self, aspect: Aspect, value: &str, count: u64) {
        let value = &value[..value.floor_char_boundary(MAX_VALUE_BYTES)];
        let value = if self.0.len() < MAX_DISTINCT || self.find(aspect, value).is_some() { value } else { OTHER };
        match self.find(aspect, value) {
            Some(known) => known.count = known.count.saturating_add(count),
            None => self.0.push(Agreement { aspect, value: value.to_owned(), count }),
        }
    }

    /// Adds what another worker counted.
    pub fn merge(&mut self, other: &[Agreement]) {
        for agreement in other {
            self.add(agreement.aspect, &agreement.value, agreement.count);
        }
    }

    /// In order of first appearance.
    pub fn agreements(&self) -> &[Agreement] {
        &self.0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn find(&mut self, aspect: Aspect, value: &str) -> Option<&mut Agreement> {
        self.0.iter_mut().find(|known| known.aspect == aspect && known.value == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_per_value_and_added_over_workers() {
        let mut one = Negotiated::default();
        one.add(Aspect::Subprotocol, "chat", 2);
        let mut other = Negotiated::default();
        other.add(Aspect::Subprotocol, "chat", 1);
        other.add(Aspect::Compression, "chat", 1);
        one.merge(other.agreements());
        let counts: Vec<_> = one.agreements().iter().map(|known| (known.aspect.name(), known.count)).collect();
        assert_eq!(counts, [("subprotocol", 3), ("compression", 1)]);
    }

    #[test]
    fn ever_new_values_cost_no_more_memory() {
        let mut negotiated = Negotiated::default();
        for number in 0..100 {
            negotiated.add(Aspect::Subprotocol, &format!("{number}{}", "x".repeat(500)), 1);
        }
        assert_eq!(negotiated.agreements().len(), MAX_DISTINCT + 1);
        assert!(negotiated.agreements().iter().all(|known| known.value.len() <= MAX_VALUE_BYTES));
    }
}
