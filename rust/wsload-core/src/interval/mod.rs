//! What happened in one interval: recorded by a shard, encoded off its thread, merged over workers.
//!
//! [`Recorder`] is written to per message, [`Snapshot`] is a recorder whose interval is over, [`Interval`] is what
//! a block of bytes decodes to and what merging gives.

mod block;
mod failures;
mod negotiated;
mod recorder;

pub use block::{Interval, IntervalError};
pub use failures::{FailureRecord, Failures};
pub use negotiated::{Agreement, Aspect, Negotiated};
pub use recorder::{Recorder, RecorderPool, Snapshot};

use serde::{Deserialize, Serialize};

macro_rules! metrics {
    ($($(#[$doc:meta])* $metric:ident = $name:literal, per message: $per_message:literal;)+) => {
        /// A latency that is kept as a histogram.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Metric { $($(#[$doc])* #[serde(rename = $name)] $metric),+ }

        impl Metric {
            /// Every metric, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$metric),+];

            /// Its name in files and reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$metric => $name),+ }
            }

            /// Whether it is kept per message name.
            pub fn per_message(self) -> bool {
                match self { $(Self::$metric => $per_message),+ }
            }
        }
    };
}

metrics! {
    /// Intended send to the reply's arrival in the kernel.
    ResponseTime = "response_time", per message: true;
    /// Actual send to the reply's arrival in the kernel.
    ServiceTime = "service_time", per message: true;
    /// Intended to actual send: the generator's own share.
    SendLag = "send_lag", per message: true;
    /// Arrival in the kernel to our read: the generator's own share.
    ReceiveLag = "receive_lag", per message: true;
    /// Age, from its intended instant, of a message whose reply was given up, or that was never sent.
    ResponseCensored = "response_censored", per message: true;
    /// Age, from its send, of a message whose reply was given up.
    ServiceCensored = "service_censored", per message: true;
    /// Response time, by the stamp it shares with a later message, of a reply that may have arrived earlier.
    ResponseUncertain = "response_uncertain", per message: true;
    /// The same reply's response time if it arrived as early as it can have.
    ResponseEarliest = "response_earliest", per message: true;
    /// From when an iteration of a scenario was due to the end of its last step.
    IterationTime = "iteration_time", per message: false;
    /// Between one message that answers nothing and the next on the same connection.
    PushGap = "push_gap", per message: false;
    /// The resolver's answer to the target's name.
    ConnectDns = "connect_dns", per message: false;
    /// First SYN to a standing TCP connection.
    ConnectTcp = "connect_tcp", per message: false;
    /// Standing TCP connection, or tunnel, to finished TLS handshake.
    ConnectTls = "connect_tls", per message: false;
    /// Upgrade request to its accepted response.
    ConnectUpgrade = "connect_upgrade", per message: false;
    /// First SYN to the accepted upgrade.
    Connect = "connect", per message: false;
    /// From the loss of a connection until it was open again and its first steps were over.
    RecoverTime = "recover_time", per message: false;
    /// Intended send to a published message's arrival at its first subscriber.
    FanOutFirst = "fan_out_first", per message: false;
    /// At each subscriber.
    FanOutEach = "fan_out_each", per message: false;
    /// At the last subscriber, when all have got it.
    FanOutLast = "fan_out_last", per message: false;
    /// Ping of ours to its pong.
    PingTime = "ping_time", per message: false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_by_their_name_and_indexed_by_their_place() {
        for (place, metric) in Metric::ALL.iter().enumerate() {
            assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
            assert_eq!(*metric as usize, place);
        }
        assert!(Metric::SendLag.per_message() && !Metric::Connect.per_message());
    }
}
