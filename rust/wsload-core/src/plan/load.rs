//! The part of a plan that says what starts messages, and when.

use serde::{Deserialize, Serialize};

use crate::schedule::{Stage, Think};

/// The load model: what starts messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case", deny_unknown_fields)]
pub enum Load {
    /// Each connection keeps `in_flight` messages outstanding.
    Closed {
        /// Outstanding messages per connection, at least 1.
        in_flight: u32,
        /// From a reply to the next send; only with one message in flight.
        #[serde(deserialize_with = "Option::deserialize")]
        think: Option<Think>,
    },
    /// Messages are due on a schedule that ignores how the server is doing.
    Open {
        /// Messages per second, all connections together; with stages the highest rate they reach.
        rate_per_s: f64,
        /// How the rate changes; none: it does not.
        stages: Vec<Stage>,
        /// How the instants are spread.
        arrivals: Arrivals,
    },
    /// Connections only listen.
    Idle,
    /// Connections send back what they receive.
    Echo,
    /// Connections do what was recorded of others.
    Replay {
        /// So many times faster; 0: nothing is waited for.
        speed: f64,
        /// A message waits until as many have come as had in the recording.
        wait_replies: bool,
        /// Names of the messages.
        names: Vec<String>,
        /// [`crate::replay::Script`] as JSON: a text, so that it is read once, where it is played.
        script: String,
    },
}

/// How an open schedule spreads its instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Equal gaps over all connections, which take turns.
    Constant,
    /// Exponential gaps, one independent stream per slot.
    Poisson,
}
