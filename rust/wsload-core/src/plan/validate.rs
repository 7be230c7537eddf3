//! What of a plan the types cannot say: ranges, and what needs or rules out what.

use super::{Compression, Load, Matching, MessageKind, Plan, PlanError, Record};
use crate::frame::opcode::close_code_is_valid;
use crate::schedule::Stage;

/// A hundred years: with longer spans, sums of instants would not fit 64 bits.
const MAX_SPAN_NS: u64 = 100 * 365 * 86_400 * 1_000_000_000;
/// One message in a million seconds: a schedule's rate is exact to a millionth.
const MIN_RATE_PER_S: f64 = 1e-6;

impl Plan {
    /// Checks what the types cannot say.
    pub fn validate(&self) -> Result<(), PlanError> {
        require(self.connections > 0, "connections", "must be at least 1")?;
        let connect_rate = self.connect_rate_per_s.unwrap_or(1.0);
        require(connect_rate.is_finite() && connect_rate > 0.0, "connect_rate_per_s", "must be positive")?;
        self.validate_spans()?;
        self.validate_load()?;
        self.validate_wire()?;
        self.redacted()?;
        for message in self.message.iter().chain(&self.first_message) {
            let valid = message.kind == MessageKind::Binary || std::str::from_utf8(&message.payload).is_ok();
            require(valid, "message.payload", "text must be valid UTF-8")?;
        }
        Ok(())
    }

    fn validate_spans(&self) -> Result<(), PlanError> {
        require(self.interval_ns >= 1_000_000, "interval_ns", "must be at least 1 ms")?;
        require(self.grain_ns >= 1_000, "grain_ns", "must be at least 1 us")?;
        require(self.connect_timeout_ns > 0, "connect_timeout_ns", "must be positive")?;
        require(self.reply_timeout_ns > 0, "reply_timeout_ns", "must be positive")?;
        require(self.connection_lifetime_ns != Some(0), "connection_lifetime_ns", "must be positive")?;
        require(self.duration_ns.is_some() || self.iterations.is_some(), "duration_ns", "or iterations is needed")?;
        [
            (self.connect_timeout_ns, "connect_timeout_ns"),
            (self.reply_timeout_ns, "reply_timeout_ns"),
            (self.duration_ns.unwrap_or(0), "duration_ns"),
            (self.warmup_ns, "warmup_ns"),
            (self.interval_ns, "interval_ns"),
            (self.grain_ns, "grain_ns"),
            (self.connection_lifetime_ns.unwrap_or(0), "connection_lifetime_ns"),
        ]
        .into_iter()
        .try_for_each(|(span_ns, field)| require(span_ns <= MAX_SPAN_NS, field, "must be at most 100 years"))
    }

    fn validate_load(&self) -> Result<(), PlanError> {
        match &self.load {
            Load::Closed { in_flight, think } => {
                require(*in_flight > 0, "load.in_flight", "must be at least 1")?;
                require(self.matching != Matching::None, "matching", "a closed loop waits for replies")?;
                require(think.is_none() || *in_flight == 1, "load.think", "goes with one message in flight")?;
                require(think.is_none_or(|think| think.is_valid()), "load.think", "must be in order and finite")?;
            }
            Load::Open { rate_per_s, stages, .. } => {
                let in_range = rate_per_s.is_finite() && *rate_per_s >= MIN_RATE_PER_S;
                require(in_range, "load.rate_per_s", "must be at least 0.000001")?;
                let possible = |stage: &Stage| stage.target_per_s.is_finite() && stage.target_per_s >= 0.0;
                require(stages.iter().all(possible), "load.stages", "a target must not be negative")?;
            }
            Load::Idle | Load::Echo => {
                require(self.duration_ns.is_some(), "duration_ns", "is needed when nothing is scheduled")?;
            }
            Load::Replay { speed, names, .. } => {
                require(speed.is_finite() && *speed >= 0.0, "load.speed", "must not be negative")?;
                require(names.len() < usize::from(u16::MAX), "load.names", "are too many")?;
                require(self.program.is_none(), "program", "does not go with a recording")?;
            }
        }
        if let Some(publishers) = self.publishers {
            let open = matches!(self.load, Load::Open { .. }) && matches!(self.matching, Matching::Key { .. });
            require(open, "publishers", "need a schedule and messages with keys")?;
            require((1..=self.connections).contains(&publishers), "publishers", "are 1 to all connections")?;
        }
        let scheduled = matches!(self.load, Load::Closed { .. } | Load::Open { .. });
        let alone = scheduled && self.program.is_none();
        require(alone == self.message.is_some(), "message", "is needed when something is scheduled, and only then")
    }

    fn validate_wire(&self) -> Result<(), PlanError> {
        let window = |bits: u8| (9..=15).contains(&bits);
        if let Some(Compression { offer, level }) = self.handshake.compression {
            let windows = window(offer.client_max_window_bits) && offer.server_max_window_bits.is_none_or(window);
            require(windows, "handshake.compression.offer", "windows are 9 to 15 bits")?;
            require(level <= 9, "handshake.compression.level", "must be at most 9")?;
        }
        if let Some(tls) = &self.tls {
            require(tls.min_version <= tls.max_version, "tls.min_version", "must not be above max_version")?;
        }
        if let Some(ping) = self.ping {
            require(ping.interval_ns >= 1_000_000, "ping.interval_ns", "must be at least 1 ms")?;
            require(ping.timeout_ns > 0, "ping.timeout_ns", "must be positive")?;
            require(ping.interval_ns.max(ping.timeout_ns) <= MAX_SPAN_NS, "ping", "must be at most 100 years")?;
        }
        require(close_code_is_valid(self.close.code), "close.code", "must not be sent")?;
        require(self.close.reason.len() <= 123, "close.reason", "must be at most 123 bytes")?;
        require(self.fragment_bytes != Some(0), "fragment_bytes", "must be positive")?;
        if let Some(Record { slow_quantile, payload_bytes, limit_bytes, .. }) = &self.record {
            let possible = slow_quantile.is_none_or(|quantile| quantile > 0.0 && quantile < 1.0);
            require(possible, "record.slow_quantile", "must be between 0 and 1")?;
            require(*payload_bytes <= 1 << 20, "record.payload_bytes", "must be at most 1 MiB")?;
            require(*limit_bytes <= 1 << 40, "record.limit_bytes", "must be at most 1 TiB")?;
        }
        require(!self.dials.is_empty(), "dials", "must name an address")?;
        require(self.max_opening != Some(0), "max_opening", "must be positive")
    }
}

fn require(holds: bool, field: &'static str, why: &'static str) -> Result<(), PlanError> {
    if holds { Ok(()) } else { Err(PlanError::Value { field, why }) }
}
