//! Counters, gauges and the closed list of failure kinds.
//!
//! Each list is written once, by a macro, so that a field cannot be counted but never merged or reported.

use serde::{Deserialize, Serialize};

macro_rules! closed_list {
    ($(#[$outer:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $merge:ident),+ $(,)? }) => {
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

            /// Merges what another worker counted in the same interval.
            pub fn merge(&mut self, other: &Self) {
                $(self.$field = $merge(self.$field, other.$field);)+
            }
        }
    };
}

fn sum(one: u64, other: u64) -> u64 {
    one.saturating_add(other)
}

fn greatest(one: u64, other: u64) -> u64 {
    one.max(other)
}

closed_list! {
    /// What happened during an interval. All are sums: merging adds.
    Counters {
        /// Connection attempts started.
        connects_started: sum,
        /// Connection attempts that ended in an accepted upgrade.
        connects_opened: sum,
        /// Connection attempts that failed, whatever the reason.
        connects_failed: sum,
        /// Of `connects_opened`, those that reopened a slot that had been open before.
        reconnects: sum,
        /// Attempts to open lost connections again, successful or not.
        recover_attempts: sum,
        /// Messages whose reply was lost with their connection.
        recover_lost: sum,
        /// Open connections that ended otherwise than by our own close at the end of the run.
        connections_lost: sum,
        /// Connections closed by us because they had reached their lifetime, and replaced.
        connections_expired: sum,
        /// Connections given up and reopened because a reply timed out and order no longer tells which is whose.
        matching_lost: sum,
        /// Connections closed by a step of the scenario, or by the server as `on_close` says that it may.
        connections_closed: sum,
        /// Iterations of a scenario that are over.
        iterations_ended: sum,
        /// Those of them in which a step failed.
        iterations_failed: sum,
        /// Messages sent beside the iterations: on opening, by rules, by a clock.
        aside_sent: sum,
        /// Those of them whose reply came.
        aside_answered: sum,
        /// Those of them whose reply did not come.
        aside_unanswered: sum,
        /// Messages, or iterations, whose intended instant has come.
        due: sum,
        /// Messages handed to the kernel.
        sent: sum,
        /// Messages whose reply came.
        answered: sum,
        /// Messages whose reply did not come: timed out, or their connection ended first.
        unanswered: sum,
        /// Deliveries of published messages that were to happen: one for each subscriber there was.
        fan_out_expected: sum,
        /// Those that happened.
        fan_out_delivered: sum,
        /// Deliveries after a later message of the same publisher.
        fan_out_reordered: sum,
        /// Replies that came after they had been given up.
        late: sum,
        /// Messages whose key had its reply before.
        duplicates: sum,
        /// Messages of another connection's key: sent on to many.
        forwarded: sum,
        /// Messages sent whose key was still awaited, or that have none: their replies cannot be told.
        key_clashes: sum,
        /// Messages still due and unsent when the run ended.
        unsent: sum,
        /// Messages received that answer nothing.
        pushes: sum,
        /// Messages received, pushes and replies.
        received: sum,
        /// WebSocket bytes given to the kernel, frame headers included, handshakes not.
        bytes_sent: sum,
        /// WebSocket bytes read, frame headers included, handshakes not.
        bytes_received: sum,
        /// Control pings received and answered.
        pings_received: sum,
        /// Pings of ours.
        pings_sent: sum,
        /// Those of them that were answered.
        pongs_received: sum,
        /// Payload bytes that were to be compressed.
        deflate_in_bytes: sum,
        /// What they became.
        deflate_out_bytes: sum,
        /// Payload bytes that were received compressed.
        inflate_in_bytes: sum,
        /// What they became.
        inflate_out_bytes: sum,
        /// Sends of which the kernel took a part or nothing: the rest waited.
        back_pressure: sum,
        /// Reads whose arrival had no kernel time stamp, or one from before a step of the clock, and were stamped by us.
        stamps_missing: sum,
        /// Steps of the realtime clock that were noticed, by all workers together.
        clock_steps: sum,
        /// Messages that share their kernel stamp with a later message of the same read.
        stamps_shared: sum,
        /// Latencies that came out negative and were recorded as 0: a bug or a stepped clock.
        negative_latencies: sum,
        /// Values above a histogram's range, recorded at its upper end.
        clamped_latencies: sum,
        /// Events of connections: messages, control frames, and what became of the connection.
        events_seen: sum,
        /// Of them, those kept because their connection is recorded whole.
        events_whole: sum,
        /// Those kept around failures.
        events_failure: sum,
        /// Those kept before slow replies.
        events_slow: sum,
        /// Those of sampled exchanges. One that is kept for several reasons counts with each.
        events_sample: sum,
        /// Events that were to be kept and for which there was no room left.
        events_over_budget: sum,
        /// Calls of the shard's `poll`.
        polls: sum,
        /// CPU time of the worker process in user mode, ns.
        cpu_user_ns: sum,
        /// CPU time of the worker process in the kernel, ns.
        cpu_system_ns: sum,
    }
}

closed_list! {
    /// How things stood at an interval's end.
    Gauges {
        /// Connections open.
        open_connections: sum,
        /// Messages awaiting a reply.
        in_flight: sum,
        /// Messages due and not yet sent.
        backlog: sum,
        /// Age of the oldest message awaiting a reply, ns.
        oldest_in_flight_ns: greatest,
        /// Longest time that a connection which has been pushed to has been silent, ns.
        silence_ns: greatest,
        /// How much of the interval the schedule ran, ns.
        running_ns: greatest,
        /// Resident memory of the worker process, bytes.
        rss_bytes: sum,
    }
}

macro_rules! failure_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),+ $(,)?) => {
        /// Kinds of failure: what a person is told happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FailureKind { $($(#[$doc])* #[serde(rename = $name)] $kind),+ }

        impl FailureKind {
            /// Every kind, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Its name in files and reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// The kind of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)+ _ => None }
            }
        }
    };
}

failure_kinds! {
    /// The host name did not resolve.
    Dns = "dns",
    /// Nothing listens there (ECONNREFUSED).
    Refused = "refused",
    /// No route, host or network down.
    Unreachable = "unreachable",
    /// Not open within the connect time-out.
    ConnectTimeout = "connect_timeout",
    /// The TLS handshake failed.
    Tls = "tls",
    /// The server answered with something else than 101.
    UpgradeRejected = "upgrade_rejected",
    /// The proxy gave no tunnel.
    ProxyRejected = "proxy_rejected",
    /// A 101 response that RFC 6455 section 4.1 forbids to accept.
    BadAccept = "bad_accept",
    /// The server broke the framing rules.
    ProtocolError = "protocol_error",
    /// A message above the limit.
    MessageTooBig = "message_too_big",
    /// Text that is not UTF-8.
    InvalidText = "invalid_text",
    /// No reply within the reply time-out, or the connection ended first.
    Unanswered = "unanswered",
    /// No pong within the ping time-out.
    PingTimeout = "ping_timeout",
    /// The server closed a connection that was in use.
    UnexpectedClose = "unexpected_close",
    /// The connection was reset (ECONNRESET, EPIPE).
    Reset = "reset",
    /// A scenario's expectation was not met.
    ExpectationFailed = "expectation_failed",
    /// A scenario in Python raised an exception.
    ScriptFailed = "script_failed",
    /// This machine's limit: descriptors, ports, memory.
    LocalLimit = "local_limit",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_and_do_not_overflow() {
        let mut one = Counters { sent: 3, due: u64::MAX, ..Counters::default() };
        one.merge(&Counters { sent: 4, due: 1, answered: 2, ..Counters::default() });
        assert_eq!((one.sent, one.due, one.answered), (7, u64::MAX, 2));
    }

    #[test]
    fn gauges_add_but_the_oldest_message_is_the_oldest_of_all_workers() {
        let mut one = Gauges { open_connections: 2, oldest_in_flight_ns: 5, ..Gauges::default() };
        one.merge(&Gauges { open_connections: 3, oldest_in_flight_ns: 4, ..Gauges::default() });
        assert_eq!((one.open_connections, one.oldest_in_flight_ns), (5, 5));
    }

    /// Whatever `merge` makes of two tallies whose every field is `one` and `other`.
    fn merged<T: serde::de::DeserializeOwned + Serialize>(
        names: &[&str],
        (one, other): (u64, u64),
        merge: impl Fn(&mut T, &T),
    ) -> Vec<(String, u64)> {
        let all = |value: u64| -> T {
            let fields = names.iter().map(|name| (name.to_string(), value.into()));
            serde_json::from_value(serde_json::Value::Object(fields.collect())).unwrap()
        };
        let mut sum = all(one);
        merge(&mut sum, &all(other));
        let fields = serde_json::to_value(sum).unwrap();
        names.iter().map(|name| (name.to_string(), fields[name].as_u64().unwrap())).collect()
    }

    #[test]
    fn every_counter_adds() {
        let sums = merged(Counters::NAMES, (2, 3), Counters::merge);
        assert!(sums.len() == Counters::NAMES.len() && sums.iter().all(|(_, sum)| *sum == 5), "{sums:?}");
    }

    #[test]
    fn gauges_that_are_ages_or_spans_keep_the_greatest_and_the_rest_adds() {
        for (name, value) in merged(Gauges::NAMES, (2, 3), Gauges::merge) {
            let greatest = ["oldest_in_flight_ns", "silence_ns", "running_ns"].contains(&name.as_str());
            assert_eq!(value, if greatest { 3 } else { 5 }, "{name}");
        }
    }

    #[test]
    fn names_and_values_go_together() {
        let counters = Counters { sent: 9, ..Counters::default() };
        let named: Vec<_> = counters.each().collect();
        assert_eq!(named.iter().map(|(name, _)| *name).collect::<Vec<_>>(), Counters::NAMES);
        assert!(named.contains(&("sent", 9)));
    }

    #[test]
    fn kinds_are_written_by_their_name() {
        for kind in FailureKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(FailureKind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(FailureKind::from_name("Dns"), None);
        assert_eq!(FailureKind::ALL.len(), 18);
    }
}
