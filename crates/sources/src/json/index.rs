//! The positions of the quotes and brackets of a JSON text, found 64 bytes at a time.
//!
//! The method is that of simdjson's first stage (Langdale, Lemire: "Parsing Gigabytes of JSON per Second", VLDB
//! Journal 28, 2019), with one bit a byte: which quotes are escaped, and from them which bytes lie inside strings.
//! The widest registers of the processor are detected at run time.

use fearless_simd::{Level, Simd, dispatch, prelude::*, u8x64};

use super::Cursor;

const BLOCK: usize = 64;

/// The marks of the last text; their memory is reused for the next.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Marks, and space for those of one more block.
    marks: Vec<u32>,
}

impl Index {
    /// A cursor at the beginning of `bytes`, which hold at most 4 GiB.
    pub(crate) fn of<'a>(&'a mut self, bytes: &'a [u8]) -> Cursor<'a> {
        // A giant line does not keep its memory.
        if self.marks.len() > 1 << 20 {
            self.marks = Vec::new();
        }
        let marked = self.mark(bytes);
        Cursor {
            bytes,
            marks: &self.marks[..marked],
            at: 0,
        }
    }

    /// Records the places of all quotes that begin or end a string, and of all brackets outside of strings. Returns how
    /// many there are.
    fn mark(&mut self, bytes: &[u8]) -> usize {
        self.mark_with(Level::new(), bytes)
    }

    fn mark_with(&mut self, level: Level, bytes: &[u8]) -> usize {
        dispatch!(level, simd => self.mark_in(simd, bytes))
    }

    // Code that runs in the registers of a level must be inlined into the one function for which the level is chosen.
    #[inline(always)]
    fn mark_in<S: Simd>(&mut self, simd: S, bytes: &[u8]) -> usize {
        let mut carry = Carry::default();
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let (mut marked, mut base) = (0, 0_u32);
        for block in blocks {
            marked = self.push(carry.block(simd, block), base, marked);
            base = base.wrapping_add(64);
        }
        if !rest.is_empty() {
            let mut block = [b' '; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            marked = self.push(carry.block(simd, &block), base, marked);
        }
        marked
    }

    /// Records the bits of one block. Memory is reserved and checked once per block, not once per bit.
    #[inline(always)]
    fn push(&mut self, mut bits: u64, base: u32, marked: usize) -> usize {
        if bits == 0 {
            return marked;
        }
        if self.marks.len() < marked + BLOCK {
            self.marks.resize((marked + BLOCK).next_power_of_two(), 0);
        }
        let Some(room) = self.marks[marked..].first_chunk_mut::<BLOCK>() else {
            return marked;
        };
        let count = bits.count_ones() as usize;
        // Four at a time, past the last bit if necessary: a branch after every bit is mispredicted once a block.
        let (groups, _) = room.as_chunks_mut::<4>();
        for group in groups {
            for place in group {
                // Setting the highest bit avoids a zero, whose handling costs more than writing an unused mark.
                *place = base.wrapping_add((bits | 1 << 63).trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
            if bits == 0 {
                break;
            }
        }
        marked + count
    }
}

/// The state that one block passes to the next.
#[derive(Default)]
struct Carry {
    /// 1: the first byte of the next block is escaped.
    escaped: u64,
    /// All ones: the next block begins inside a string.
    inside: u64,
}

impl Carry {
    #[inline(always)]
    fn block<S: Simd>(&mut self, simd: S, block: &[u8; BLOCK]) -> u64 {
        let parts = Parts(u8x64::from_slice(simd, block));
        let (mut quotes, slashes) = (parts.places_of(b'"'), parts.places_of(b'\\'));
        if quotes == 0 && slashes >> 63 == 0 && self.inside == u64::MAX {
            // The middle of a long text.
            self.escaped = 0;
            return 0;
        }
        quotes &= !self.escaped(slashes);
        if quotes == 0 {
            // No string begins or ends here.
            return if self.inside == 0 {
                parts.places_of_brackets()
            } else {
                0
            };
        }
        // Bit n: the number of quotes at or before byte n is odd, so n is inside a string or its first quote.
        let inside = self.inside ^ prefix_xor(quotes);
        self.inside = if inside >> 63 == 1 { u64::MAX } else { 0 };
        if inside == u64::MAX {
            return quotes;
        }
        quotes | (parts.places_of_brackets() & !inside)
    }

    /// The bytes that a backslash before them escapes: those after a run of backslashes of odd length.
    #[inline(always)]
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
        (!ODD ^ (even_sequences << 1)) & after
    }
}

/// A block in as many registers as it takes.
#[derive(Clone, Copy)]
struct Parts<S: Simd>(u8x64<S>);

impl<S: Simd> Parts<S> {
    /// Bit n: byte n is this one.
    #[inline(always)]
    fn places_of(self, byte: u8) -> u64 {
        self.0.simd_eq(byte).to_bitmask()
    }

    #[inline(always)]
    fn places_of_brackets(self) -> u64 {
        // `[` and `{`, `]` and `}` differ in this bit alone.
        let curly = self.0 | 0x20;
        (curly.simd_eq(b'{') | curly.simd_eq(b'}')).to_bitmask()
    }
}

/// Bit n of the result: the parity of the bits 0 to n.
#[inline(always)]
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

    /// Compares the marks from the registers that every processor of this kind has with those from the widest of this
    /// one.
    fn marked_as_plainly(bytes: &[u8]) {
        let expected = plainly(bytes);
        let mut index = Index::default();
        for level in [Level::baseline(), Level::new()] {
            let marked = index.mark_with(level, bytes);
            assert_eq!(index.marks[..marked], expected, "{level:?}");
        }
    }

    #[test]
    fn runs_of_backslashes_across_blocks_are_counted() {
        for before in 55..70 {
            for slashes in 0..140 {
                let text = format!("{{\"{}{}\" ] ", "x".repeat(before), "\\".repeat(slashes));
                marked_as_plainly(text.as_bytes());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn blocks_mark_what_bytes_mark(text in "[\"\\\\{}\\[\\], a-c]{0,400}") {
            marked_as_plainly(text.as_bytes());
        }

        #[test]
        fn long_texts_between_quotes_are_passed_over(
            pieces in proptest::collection::vec(("x{0,200}", "[\"\\\\{]{1,3}"), 0..10)
        ) {
            let text: String = pieces.into_iter().map(|(long, end)| long + &end).collect();
            marked_as_plainly(text.as_bytes());
        }

        #[test]
        fn any_bytes_are_marked_alike(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400)) {
            marked_as_plainly(&bytes);
        }
    }
}
