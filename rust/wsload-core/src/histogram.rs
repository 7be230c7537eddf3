//! Latency histograms: HDR, 1 ns to 1 h, three significant digits.
//!
//! Percentiles are never stored or merged: whole histograms are, as V2-deflate bytes (the format of HdrHistogram's
//! other implementations).

use std::io::Read as _;

use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};

/// Lowest value told apart.
pub const LOWEST_NS: u64 = 1;
/// Highest value; what is above is recorded there and counted.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;
/// Significant decimal digits: a value is known to a thousandth.
pub const DIGITS: u8 = 3;
/// No histogram of this range inflates to more: a header of 40 bytes and at most nine for each of 33,792 counts.
const MAX_INFLATED_BYTES: usize = 1 << 19;
/// More values than any run records. Bytes that claim more are refused, so that sums of a thousand cannot overflow.
const MAX_COUNT: u64 = 1 << 53;

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

    /// The value at a quantile of 0 to 1; 0 when empty.
    pub fn value_at_quantile(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile.next_down().max(0.0))
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
        let inflated = inflate(encoded).map_err(|why| HistogramError(why.to_owned()))?;
        let histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut inflated.as_slice())
            .map_err(|error| HistogramError(error.to_string()))?;
        if histogram.len() > MAX_COUNT {
            return Err(HistogramError("more values than can be counted".to_owned()));
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

    /// Takes away V2-deflate bytes that were added before.
    pub fn subtract_encoded(&mut self, encoded: &[u8]) -> Result<(), HistogramError> {
        let other = Self::decode(encoded)?;
        self.0.subtract(&other.0).map_err(|_| HistogramError("what is taken away was never added".to_owned()))
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
        // 99.9 / 100 is a hair above 0.999 and would be the rank after; the Java original steps down as well.
        self.0.value_at_quantile(quantile.next_down().max(0.0))
    }

    /// Each step that has values, lowest first: the greatest value of the step and how many.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value()))
    }
}

/// The bytes inside, once they have been found fit for the crate, which allocates what a header claims.
fn inflate(encoded: &[u8]) -> Result<Vec<u8>, &'static str> {
    const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
    const COOKIE: u32 = 0x1c84_9313;
    const HEADER_BYTES: usize = 40;
    // A run of 2^63 zeros, which no histogram has and the crate would negate.
    const ENDLESS_RUN: [u8; 9] = [0xff; 9];

    let (outer, deflated) = encoded.split_first_chunk::<8>().ok_or("no V2-deflate header")?;
    if u32_at(outer, 0) != COMPRESSED_COOKIE {
        return Err("no V2-deflate header");
    }
    if u32_at(outer, 4) as usize != deflated.len() {
        return Err("its length is not that of its bytes");
    }
    let mut inflated = Vec::new();
    let mut decoder = ZlibDecoder::new(deflated).take(MAX_INFLATED_BYTES as u64 + 1);
    decoder.read_to_end(&mut inflated).map_err(|_| "it does not inflate")?;
    // Cookie, length of the counts, normalising offset, digits, lowest, highest, conversion ratio; then the counts.
    let (header, counts) = inflated.split_first_chunk::<HEADER_BYTES>().ok_or("it has no V2 header")?;
    if u32_at(header, 0) != COOKIE {
        return Err("it has no V2 header");
    }
    if inflated.len() > MAX_INFLATED_BYTES || u32_at(header, 4) as usize != counts.len() {
        return Err("its inner length is not that of its counts");
    }
    if (u32_at(header, 12), u64_at(header, 16), u64_at(header, 24)) != (u32::from(DIGITS), LOWEST_NS, HIGHEST_NS) {
        return Err("another range");
    }
    if counts.windows(ENDLESS_RUN.len()).any(|run| run == ENDLESS_RUN) {
        return Err("a run of zeros without end");
    }
    Ok(inflated)
}

fn u32_at(header: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|byte| header[at + byte]))
}

fn u64_at(header: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|byte| header[at + byte]))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
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

    /// V2-deflate bytes made by hand, after the format's description: `claimed` is the length of `counts`, if true.
    fn by_hand(cookie: u32, claimed: usize, counts: &[u8]) -> Vec<u8> {
        let mut inner = Vec::new();
        inner.extend([cookie, claimed as u32, 0, 3].map(u32::to_be_bytes).concat());
        inner.extend([1, 3_600_000_000_000, 1.0_f64.to_bits()].map(u64::to_be_bytes).concat());
        inner.extend(counts);
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(&inner).unwrap();
        let deflated = deflated.finish().unwrap();
        let mut bytes = 0x1c84_9314_u32.to_be_bytes().to_vec();
        bytes.extend((deflated.len() as u32).to_be_bytes());
        bytes.extend(deflated);
        bytes
    }

    const COOKIE: u32 = 0x1c84_9313;

    /// What the crate that implements the format makes of our bytes.
    fn reference<C: Counter>(bytes: &[u8]) -> Histogram<C> {
        Deserializer::new().deserialize(&mut &*bytes).unwrap()
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
    fn one_slow_reply_in_a_thousand_shows_at_the_percentile_where_it_lies() {
        // 999 of 1 ms, one of 100 ms. Between 2^19 and 2^20 ns a step is 512 ns, between 2^26 and 2^27 it is 65,536 ns.
        let histogram = merged(&filled((0..999).map(|_| 1_000_000).chain([100_000_000])));
        let (fast, slow) = (1_000_000 / 512 * 512 + 511, 100_000_000 / 65_536 * 65_536 + 65_535);
        let at = |quantile| histogram.value_at_quantile(quantile);
        assert_eq!((at(0.5), at(0.99), at(0.999), at(0.9991), at(1.0)), (fast, fast, fast, slow, slow));
        assert_eq!(histogram.iter().collect::<Vec<_>>(), [(fast, 999), (slow, 1)]);
    }

    #[test]
    fn our_bytes_are_read_by_the_reference_and_its_bytes_by_us() {
        let recorded = filled([1, 1_000, 70_000, 70_000, 3_599_999_999_999]);
        assert_eq!(reference::<u32>(&recorded.encode()), recorded.0);
        assert_eq!(reference::<u64>(&merged(&recorded).encode()), merged(&recorded).0);
        // Counts are zigzag numbers, runs of zeros negative ones: no 0 and two of 1 ns; then twice 5 ns.
        let one = MergedHistogram::decode(&by_hand(COOKIE, 2, &[0, 4])).unwrap();
        assert_eq!(one.iter().collect::<Vec<_>>(), [(1, 2)]);
        let five = MergedHistogram::decode(&by_hand(COOKIE, 2, &[9, 4])).unwrap();
        assert_eq!(five.iter().collect::<Vec<_>>(), [(5, 2)]);
    }

    #[test]
    fn bytes_that_claim_what_they_do_not_hold_are_refused() {
        let why = |bytes: &[u8]| MergedHistogram::decode(bytes).unwrap_err().0;
        // Two GiB of counts in 75 bytes; a histogram within a histogram; 2^63 zeros; a thousand times 2^53 values.
        assert_eq!(why(&by_hand(COOKIE, 2 << 30, &[2])), "its inner length is not that of its counts");
        assert_eq!(why(&by_hand(0x1c84_9314, 1, &[2])), "it has no V2 header");
        assert_eq!(why(&by_hand(COOKIE, 9, &[0xff; 9])), "a run of zeros without end");
        // 2^53 in zigzag is 2^54: seven bytes of seven bits give 49, the eighth the rest.
        let too_many = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 2];
        assert_eq!(why(&by_hand(COOKIE, 9, &too_many)), "more values than can be counted");
        assert_eq!(MergedHistogram::decode(&by_hand(COOKIE, 8, &too_many[..8])).unwrap().count(), MAX_COUNT);
        // 8 MiB of zeros deflate to 8 KiB.
        assert_eq!(why(&by_hand(COOKIE, 8 << 20, &vec![0; 8 << 20])), "its inner length is not that of its counts");
        let mut longer = filled([5]).encode();
        longer.push(0);
        assert_eq!(why(&longer), "its length is not that of its bytes");
    }

    #[test]
    fn a_full_histogram_fits() {
        // A count of 2^32 - 1 in each step that is told apart.
        let mut full = LatencyHistogram::default();
        let all: Vec<u64> = full.0.iter_all().map(|step| step.value_iterated_to()).collect();
        for value in &all {
            full.0.saturating_record_n(*value, u32::MAX);
        }
        let back = merged(&full);
        assert_eq!(back.count(), all.len() as u64 * u64::from(u32::MAX));
        assert_eq!(back.iter().count(), all.len());
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
    fn what_was_added_can_be_taken_away_and_nothing_else() {
        let mut all = merged(&filled([5, 900, 70_000]));
        all.subtract_encoded(&filled([900]).encode()).unwrap();
        assert_eq!(all, merged(&filled([5, 70_000])));
        assert!(all.subtract_encoded(&filled([900]).encode()).is_err());
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

    /// Values of every size up to an hour.
    fn value() -> impl Strategy<Value = u64> {
        (0_u64..HIGHEST_NS, 0..42).prop_map(|(value, shift)| value >> shift)
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
        fn counts_of_any_kind_are_read_or_refused_and_can_be_used(
            counts in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xff), Just(0x80)], 0..200),
        ) {
            if let Ok(mut histogram) = MergedHistogram::decode(&by_hand(COOKIE, counts.len(), &counts)) {
                prop_assert_eq!(&MergedHistogram::decode(&histogram.encode()).unwrap(), &histogram);
                histogram.add(&histogram.clone());
                let (p50, max) = (histogram.value_at_quantile(0.5), histogram.max());
                prop_assert!(histogram.count() == 0 || (histogram.mean() >= 0.0 && p50 <= max));
            }
        }

        #[test]
        fn every_value_survives_the_journey(mut values in proptest::collection::vec(value(), 0..100)) {
            let histogram = merged(&filled(values.iter().copied()));
            values.sort_unstable();
            let back = histogram.iter().flat_map(|(printed, count)| (0..count).map(move |_| printed));
            let back: Vec<u64> = back.collect();
            prop_assert_eq!(back.len(), values.len());
            for (printed, value) in back.into_iter().zip(values) {
                prop_assert!(printed >= value && printed - value <= value / 1_000, "{} printed as {}", value, printed);
            }
        }

        #[test]
        fn merging_does_not_depend_on_how_values_are_split(
            values in proptest::collection::vec((value(), 0_usize..3), 0..60),
        ) {
            let mut sum = MergedHistogram::default();
            for part in 0..3 {
                sum.add(&merged(&filled(values.iter().filter(|(_, of)| *of == part).map(|(value, _)| *value))));
            }
            prop_assert_eq!(sum, merged(&filled(values.iter().map(|(value, _)| *value))));
        }
    }
}
