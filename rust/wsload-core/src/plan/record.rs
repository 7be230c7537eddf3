//! The part of a plan that says which messages are kept.

use serde::{Deserialize, Serialize};

/// What the timeline keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Connections of which every event is kept.
    pub connections: WholeConnections,
    /// Keep the last events of a connection on a failure that is no close.
    pub on_error: bool,
    /// Keep them on an unexpected close or reset.
    pub on_close: bool,
    /// Keep them on replies slower than this share of those of the interval before.
    #[serde(deserialize_with = "Option::deserialize")]
    pub slow_quantile: Option<f64>,
    /// Exchanges to sample in each interval, all workers together.
    pub exchanges: u32,
    /// Most of a payload that is kept.
    pub payload_bytes: u64,
    /// Most of all events together.
    pub limit_bytes: u64,
    /// Values that must not be stored.
    pub secrets: Vec<RecordSecret>,
}

/// Connections of which every event is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WholeConnections {
    /// One in so many; 0: none.
    OneIn(u32),
    /// So many.
    Count(u32),
}

/// A value that must not be stored, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordSecret {
    /// Stored in its stead.
    pub name: String,
    /// As it is sent.
    pub value: String,
}
