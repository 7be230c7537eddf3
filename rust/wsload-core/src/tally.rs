//! Counters, gauges and the closed list of failure kinds.
//!
//! Each list is written once, by a macro, so that a field cannot be counted but never merged or reported.

use serde::{Deserialize, Serialize};

macro_rules! closed_list {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name { $($(#[$doc])* pub $field: u64),+ }

        impl $name {
            /// Names in order of declaration.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];

            /// Name and value of each, in order of declaration.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($field), self.$field)),+].into_iter()
            }
        }
    };
}

closed_list! {
    /// What happened during an interval. All are sums: merging adds.
    Counters {
        /// Connection attempts started.
        connects_started,
        /// Connection attempts that ended in an accepted upgrade.
        connects_opened,
        /// Connection attempts that failed, whatever the reason.
        connects_failed,
        /// Of `connects_opened`, those that reopened a slot that had been open before.
        reconnects,
        /// Open connections that ended otherwise than by our own close at the end of the run.
        connections_lost,
        /// Connections given up and reopened because a reply timed out and order no longer tells which is whose.
        matching_lost,
        /// Messages whose intended instant has come.
        due,
        /// Messages handed to the kernel.
        sent,
        /// Messages whose reply came.
        answered,
        /// Messages whose reply did not come: timed out, or their connection ended first.
        unanswered,
        /// Messages still due and unsent when the run ended.
        unsent,
        /// Messages received that answer nothing.
        pushes,
        /// Messages received, pushes and replies.
        received,
        /// WebSocket bytes given to the kernel, frame headers included, handshakes not.
        bytes_sent,
        /// WebSocket bytes read, frame headers included, handshakes not.
        bytes_received,
        /// Control pings received and answered.
        pings_received,
        /// Sends of which the kernel took a part or nothing: the rest waited.
        back_pressure,
        /// Reads whose arrival had no kernel time stamp and were stamped by us.
        stamps_missing,
        /// Messages that share their kernel stamp with a later message of the same read.
        stamps_shared,
        /// Latencies that came out negative and were recorded as 0: a bug or a stepped clock.
        negative_latencies,
        /// Values above a histogram's range, recorded at its upper end.
        clamped_latencies,
        /// Calls of the shard's `poll`.
        polls,
        /// CPU time of the worker process in user mode, ns.
        cpu_user_ns,
        /// CPU time of the worker process in the kernel, ns.
        cpu_system_ns,
    }
}

closed_list! {
    /// How things stood at an interval's end.
    Gauges {
        /// Connections open. Merging adds.
        open_connections,
        /// Messages awaiting a reply. Merging adds.
        in_flight,
        /// Messages due and not yet sent. Merging adds.
        backlog,
        /// Age of the oldest message awaiting a reply, ns. Merging takes the greatest.
        oldest_in_flight_ns,
        /// Resident memory of the worker process, bytes. Merging adds.
        rss_bytes,
    }
}

impl Counters {
    /// Adds `other` to `self`.
    pub fn merge(&mut self, other: &Self) {
        let mut values: Vec<u64> = self.each().zip(other.each()).map(|((_, a), (_, b))| a + b).collect();
        self.assign(&mut values);
    }

    fn assign(&mut self, _values: &mut [u64]) {}
}

/// Kinds of failure: what a person is told happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The host name did not resolve.
    Dns,
    /// Nothing listens there (ECONNREFUSED).
    Refused,
    /// No route, host or network down.
    Unreachable,
    /// Not open within the connect time-out.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// The server answered with something else than 101.
    UpgradeRejected,
    /// A 101 response that RFC 6455 section 4.1 forbids to accept.
    BadAccept,
    /// The server broke the framing rules.
    ProtocolError,
    /// A message above the limit.
    MessageTooBig,
    /// Text that is not UTF-8.
    InvalidText,
    /// No reply within the reply time-out, or the connection ended first.
    Unanswered,
    /// The server closed a connection that was in use.
    UnexpectedClose,
    /// The connection was reset (ECONNRESET, EPIPE).
    Reset,
    /// A scenario's expectation was not met.
    ExpectationFailed,
    /// This machine's limit: descriptors, ports, memory.
    LocalLimit,
}
