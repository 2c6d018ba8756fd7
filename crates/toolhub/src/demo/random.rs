//! A small seeded random number generator, so that the sample team is the same on every machine.
//!
//! SplitMix64: G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
//! figure 16. Good enough for sample data, and never for secrets.

/// The state of the generator.
pub(crate) struct Random(u64);

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Random {
    /// A generator whose numbers follow from the seed alone.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A generator of its own, whose numbers do not shift when this one is asked more or less often.
    pub(crate) fn split(&mut self) -> Random {
        Random(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0. The bias is below `bound` / 2^32.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let scaled = (self.next() >> 32) * u64::from(bound);
        u32::try_from(scaled >> 32).expect("the product of two 32 bit numbers, shifted by 32 bits")
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of the items, of which there is at least one.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        let count = u32::try_from(items.len()).expect("a table of the sample team is short");
        items[self.below(count) as usize]
    }

    /// One of the items, each as likely as its weight; at least one weight is not 0.
    pub(crate) fn weighted<'a, T>(&mut self, items: &[&'a T], weight: impl Fn(&T) -> u32) -> &'a T {
        let total = items.iter().map(|item| weight(item)).sum();
        let mut at = self.below(total);
        for item in items {
            match at.checked_sub(weight(item)) {
                Some(rest) => at = rest,
                None => return item,
            }
        }
        unreachable!("the number drawn is below the sum of the weights")
    }

    /// A quantity that is often near its median and sometimes several times as much, as durations are: the median
    /// times 2^x, where x is the sum of six uniform numbers between -0.75 and 0.75. Whole numbers only, so that every
    /// machine gets the same.
    pub(crate) fn around(&mut self, median: u32) -> u32 {
        const UNIT: i64 = 1 << 16;
        let exponent: i64 = (0..6).map(|_| i64::from(self.below(98_304)) - 49_152).sum();
        let (whole, part) = (exponent.div_euclid(UNIT), exponent.rem_euclid(UNIT));
        // Between two powers of two the curve is taken as a straight line.
        let scaled = i64::from(median) * (UNIT + part) / UNIT;
        let value = if whole < 0 {
            scaled >> whole.unsigned_abs()
        } else {
            scaled << whole
        };
        u32::try_from(value).unwrap_or(u32::MAX).max(1)
    }

    /// `count` letters and digits, as in the ids of API objects.
    pub(crate) fn base62(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(self.pick(BASE62))).collect()
    }

    /// A random UUID (version 4) as text.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFF,
            0x8000 | ((low >> 48) & 0x3FFF),
            low & 0xFFFF_FFFF_FFFF
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_the_published_algorithm() {
        // The sequence that the reference implementation gives for the seed 1234567.
        let mut random = Random::new(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| random.next()), expected);
    }

    #[test]
    fn half_of_the_quantities_lie_below_their_median() {
        let mut random = Random::new(1);
        let drawn: Vec<u32> = (0..10_000).map(|_| random.around(1_000)).collect();
        let below = drawn.iter().filter(|&&value| value < 1_000).count();
        assert!((4_800..=5_200).contains(&below), "{below}");
        assert!(drawn.iter().any(|&value| value > 3_000));
        assert!(drawn.iter().all(|&value| (40..30_000).contains(&value)));
    }

    #[test]
    fn weights_are_kept() {
        let mut random = Random::new(2);
        let items = [("often", 9), ("never", 0), ("seldom", 1)];
        let refs: Vec<&(&str, u32)> = items.iter().collect();
        let drawn: Vec<&str> = (0..1_000)
            .map(|_| random.weighted(&refs, |item| item.1).0)
            .collect();
        let seldom = drawn.iter().filter(|&&name| name == "seldom").count();
        assert!((60..=140).contains(&seldom), "{seldom}");
        assert!(!drawn.contains(&"never"));
    }

    #[test]
    fn a_uuid_has_the_form_of_version_4() {
        let id = Random::new(3).uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
    }
}
