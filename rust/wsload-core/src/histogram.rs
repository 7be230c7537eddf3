//! Latency histograms: HDR, 1 ns to 1 h, three significant digits.
//!
//! Percentiles are never stored or merged: whole histograms are, as V2-deflate bytes (the format of HdrHistogram's
//! other implementations).

use std::io::{Cursor, Read as _};

use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};

/// Lowest value told apart.
pub const LOWEST_NS: u64 = 1;
/// Highest value; what is above is recorded there and counted.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits: a value is known to a thousandth.
pub const DIGITS: u8 = 3;
/// No histogram of this range inflates to more: eight length bytes and at most nine per count.
const MAX_ENCODED_BYTES: usize = 1 << 20;

/// Bytes that are no histogram of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a V2 histogram of 1 ns to 1 h with 3 digits: {0}")]
pub struct HistogramError(String);

fn empty<C: Counter>() -> Histogram<C> {
    // The bounds are constants that the crate accepts.
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).unwrap_or_else(|_| unreachable!())
}

fn encode<C: Counter>(histogram: &Histogram<C>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory fails only when a count exceeds i64.
    if V2DeflateSerializer::new().serialize(histogram, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// A histogram to record into: 132 KiB of u32 counts.
#[derive(Debug, Clone)]
pub struct LatencyHistogram(Histogram<u32>);

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self(empty())
    }
}

impl LatencyHistogram {
    /// Records a value; false when it was above the range and recorded at its upper end.
    #[inline]
    pub fn record(&mut self, value_ns: u64) -> bool {
        self.0.saturating_record(value_ns);
        value_ns <= HIGHEST_NS
    }

    /// Whether nothing has been recorded.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Values recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Forgets all values and keeps the memory.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The histogram as V2-deflate bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.0)
    }
}

/// A histogram to merge into and to read: u64 counts.
#[derive(Debug, Clone)]
pub struct MergedHistogram(Histogram<u64>);

impl Default for MergedHistogram {
    fn default() -> Self {
        Self(empty())
    }
}

impl PartialEq for MergedHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl MergedHistogram {
    /// Reads V2-deflate bytes. They may come from anywhere: nothing is allocated beyond a histogram's own size.
    pub fn decode(encoded: &[u8]) -> Result<Self, HistogramError> {
        check_header(encoded)?;
        let histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut Cursor::new(encoded))
            .map_err(|error| HistogramError(error.to_string()))?;
        if (histogram.low(), histogram.high(), histogram.sigfig()) != (LOWEST_NS, HIGHEST_NS, DIGITS) {
            return Err(HistogramError("another range".to_owned()));
        }
        Ok(Self(histogram))
    }

    /// Adds V2-deflate bytes.
    pub fn add_encoded(&mut self, encoded: &[u8]) -> Result<(), HistogramError> {
        self.add(&Self::decode(encoded)?);
        Ok(())
    }

    /// Adds another histogram.
    pub fn add(&mut self, other: &Self) {
        // Both have the same bounds, so there is room for every value.
        let _ = self.0.add(&other.0);
    }

    /// The histogram as V2-deflate bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(&self.0)
    }

    /// Values recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Smallest value; 0 when empty.
    pub fn min(&self) -> u64 {
        self.0.min()
    }

    /// Greatest value, as its step prints it; 0 when empty.
    pub fn max(&self) -> u64 {
        self.0.max()
    }

    /// Mean; 0 when empty.
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// The value at a quantile of 0 to 1, as its step prints it; 0 when empty.
    pub fn value_at_quantile(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }
}

/// Looks at the two headers before the crate does: it would allocate what they claim.
fn check_header(encoded: &[u8]) -> Result<(), HistogramError> {
    const COMPRESSED_COOKIE: [u8; 4] = 0x1c84_9314_u32.to_be_bytes();
    let fault = |why: &str| Err(HistogramError(why.to_owned()));
    if encoded.len() < 8 || encoded[..4] != COMPRESSED_COOKIE {
        return fault("no V2-deflate header");
    }
    let claimed = u32::from_be_bytes([encoded[4], encoded[5], encoded[6], encoded[7]]) as usize;
    if claimed > MAX_ENCODED_BYTES || claimed > encoded.len() - 8 {
        return fault("its length is not that of its bytes");
    }
    let mut inner = Vec::new();
    let mut inflated = ZlibDecoder::new(&encoded[8..]).take(MAX_ENCODED_BYTES as u64 + 1);
    if inflated.read_to_end(&mut inner).is_err() {
        return fault("it does not inflate");
    }
    // Cookie, payload length, normalising offset, digits, lowest, highest, conversion ratio: 40 bytes.
    if inner.len() > MAX_ENCODED_BYTES || inner.len() < 40 {
        return fault("its inner length is not that of a histogram");
    }
    let number = |at: usize| u64::from_be_bytes(inner[at..at + 8].try_into().unwrap_or_default());
    let digits = u32::from_be_bytes(inner[12..16].try_into().unwrap_or_default());
    if (digits, number(16), number(24)) != (u32::from(DIGITS), LOWEST_NS, HIGHEST_NS) {
        return fault("another range");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(values: impl IntoIterator<Item = u64>) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        for value in values {
            histogram.record(value);
        }
        histogram
    }

    fn merged(histogram: &LatencyHistogram) -> MergedHistogram {
        MergedHistogram::decode(&histogram.encode()).unwrap()
    }

    #[test]
    fn percentiles_are_those_worked_out_by_hand() {
        // 1 to 1,000 ns are told apart exactly: steps of 1 ns up to 2,047.
        let histogram = merged(&filled(1..=1_000));
        assert_eq!((histogram.count(), histogram.min(), histogram.max()), (1_000, 1, 1_000));
        let at = |quantile| histogram.value_at_quantile(quantile);
        assert_eq!((at(0.5), at(0.9), at(0.99), at(0.999), at(1.0)), (500, 900, 990, 999, 1_000));
        assert!((histogram.mean() - 500.5).abs() < 1e-9);
    }

    #[test]
    fn a_value_is_known_to_a_thousandth() {
        for value in [1_500, 123_456, 98_765_432, 3_599_999_999_999] {
            let printed = merged(&filled([value])).value_at_quantile(0.5);
            assert!(printed >= value && printed - value <= value / 1_000, "{value} printed as {printed}");
        }
    }

    #[test]
    fn a_value_above_the_range_is_recorded_at_its_end_and_told() {
        let mut histogram = LatencyHistogram::default();
        assert!(histogram.record(HIGHEST_NS));
        assert!(!histogram.record(HIGHEST_NS + 1));
        assert_eq!(histogram.count(), 2);
        assert!(merged(&histogram).max() >= HIGHEST_NS);
    }

    #[test]
    fn merging_is_recording_everything_in_one() {
        let mut sum = merged(&filled([5, 70_000]));
        sum.add_encoded(&filled([900, 8_000_000]).encode()).unwrap();
        assert_eq!(sum, merged(&filled([5, 900, 70_000, 8_000_000])));
    }

    #[test]
    fn an_empty_histogram_travels_too() {
        let empty = MergedHistogram::default();
        let back = MergedHistogram::decode(&empty.encode()).unwrap();
        assert_eq!((back.count(), back.min(), back.max(), back.value_at_quantile(0.99)), (0, 0, 0, 0));
    }

    #[test]
    fn a_histogram_of_another_range_is_refused() {
        let other: Histogram<u64> = Histogram::new_with_bounds(1, u64::MAX / 4, 5).unwrap();
        assert!(MergedHistogram::decode(&encode(&other)).unwrap_err().to_string().contains("another range"));
    }

    #[test]
    fn a_recording_histogram_keeps_its_stated_size() {
        assert!(filled([]).0.distinct_values() * 4 <= 200 * 1024, "{}", filled([]).0.distinct_values());
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = MergedHistogram::decode(&bytes);
        }

        #[test]
        fn a_damaged_histogram_is_read_or_refused(at in 0_usize..200, flip in 1_u8..=255) {
            let mut bytes = filled([1, 1_000, 1_000_000, 1_000_000_000]).encode();
            let index = at % bytes.len();
            bytes[index] ^= flip;
            let _ = MergedHistogram::decode(&bytes);
        }

        #[test]
        fn every_value_survives_the_journey(values in proptest::collection::vec(0_u64..HIGHEST_NS, 0..100)) {
            let histogram = merged(&filled(values.iter().copied()));
            prop_assert_eq!(histogram.count(), values.len() as u64);
        }
    }
}
