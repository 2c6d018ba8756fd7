//! Where the quotes and brackets of a JSON text stand, found 64 bytes at a time.
//!
//! The method is that of simdjson's first stage (Langdale, Lemire: "Parsing Gigabytes of JSON per Second", VLDB
//! Journal 28, 2019), with one bit a byte: which quotes are escaped, and from them which bytes lie inside strings.

use wide::u8x64;

use super::Cursor;

const BLOCK: usize = 64;

/// The marks of the last text; their room is used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Index {
    marks: Vec<u32>,
}

impl Index {
    /// A cursor at the beginning of `bytes`, which hold at most 4 GiB.
    pub(crate) fn of<'a>(&'a mut self, bytes: &'a [u8]) -> Cursor<'a> {
        // A giant line does not hold on to its room.
        if self.marks.capacity() > 1 << 20 {
            self.marks = Vec::new();
        }
        self.marks.clear();
        mark(bytes, &mut self.marks);
        Cursor {
            bytes,
            marks: &self.marks,
            at: 0,
            next: 0,
        }
    }
}

/// What one block leaves for the next.
#[derive(Default)]
struct Carry {
    /// 1: the first byte of the next block is escaped.
    escaped: u64,
    /// All ones: the next block begins inside a string.
    inside: u64,
}

/// Pushes the places of all quotes that begin or end a string, and of all brackets outside of strings.
fn mark(bytes: &[u8], marks: &mut Vec<u32>) {
    let mut carry = Carry::default();
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut base = 0_u32;
    for block in blocks {
        push(carry.block(block), base, marks);
        base = base.saturating_add(64);
    }
    if !rest.is_empty() {
        let mut block = [b' '; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        push(carry.block(&block), base, marks);
    }
}

#[inline]
fn push(mut bits: u64, base: u32, marks: &mut Vec<u32>) {
    while bits != 0 {
        marks.push(base + bits.trailing_zeros());
        bits &= bits - 1;
    }
}

impl Carry {
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK]) -> u64 {
        let block = u8x64::from(*block);
        let places_of = |byte: u8| block.simd_eq(u8x64::splat(byte)).to_bitmask();
        let quotes = places_of(b'"') & !self.escaped(places_of(b'\\'));
        // Bit n: an odd number of quotes stands at or before byte n, so n is inside a string or its first quote.
        let mut inside = self.inside;
        if quotes != 0 {
            inside ^= prefix_xor(quotes);
            self.inside = if inside >> 63 == 1 { u64::MAX } else { 0 };
        }
        if inside == u64::MAX {
            return quotes;
        }
        // `[` and `{`, `]` and `}` differ in this bit alone.
        let lower = block | u8x64::splat(0x20);
        let brackets = lower.simd_eq(u8x64::splat(b'{')) | lower.simd_eq(u8x64::splat(b'}'));
        quotes | (brackets.to_bitmask() & !inside)
    }

    /// The bytes that a backslash before them escapes: those after a run of backslashes of odd length.
    #[inline]
    fn escaped(&mut self, slashes: u64) -> u64 {
        if slashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
        let slashes = slashes & !self.escaped;
        let after = slashes << 1 | self.escaped;
        let odd_starts = slashes & ODD & !after;
        let (even_sequences, overflow) = odd_starts.overflowing_add(slashes);
        self.escaped = u64::from(overflow);
        (0x5555_5555_5555_5555 ^ (even_sequences << 1)) & after
    }
}

/// Bit n of the result: the parity of the bits 0 to n.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, a byte at a time.
    fn plainly(bytes: &[u8]) -> Vec<u32> {
        let (mut marks, mut inside, mut escaped) = (Vec::new(), false, false);
        for (at, &byte) in (0..).zip(bytes) {
            match byte {
                b'"' if !escaped => {
                    inside = !inside;
                    marks.push(at);
                }
                b'{' | b'[' | b'}' | b']' if !inside => marks.push(at),
                _ => {}
            }
            escaped = byte == b'\\' && !escaped;
        }
        marks
    }

    fn marks(bytes: &[u8]) -> Vec<u32> {
        let mut marks = Vec::new();
        mark(bytes, &mut marks);
        marks
    }

    #[test]
    fn runs_of_backslashes_across_blocks_are_counted() {
        for before in 55..70 {
            for slashes in 0..140 {
                let text = format!("{{\"{}{}\" ] ", "x".repeat(before), "\\".repeat(slashes));
                assert_eq!(
                    marks(text.as_bytes()),
                    plainly(text.as_bytes()),
                    "{before} {slashes}"
                );
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn blocks_mark_what_bytes_mark(text in "[\"\\\\{}\\[\\], a-c]{0,400}") {
            proptest::prop_assert_eq!(marks(text.as_bytes()), plainly(text.as_bytes()));
        }
    }
}
