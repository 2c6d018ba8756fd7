//! Interned strings: texts that occur repeatedly, stored once.

use std::{hash::BuildHasher, num::NonZeroU32};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// A text of a [`Strings`], by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sym(NonZeroU32);

/// The texts of one file, or of all files, one after the other in one allocation.
#[derive(Debug, Default)]
pub(crate) struct Strings {
    texts: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// The symbols, with the hashes of their texts, so that growing does not hash the texts again.
    known: HashTable<(u64, Sym)>,
    hasher: RandomState,
}

impl Sym {
    fn at(index: usize) -> Sym {
        let number = u32::try_from(index + 1).expect("four billion distinct texts do not fit in memory");
        Sym(NonZeroU32::new(number).expect("one more than an index is not zero"))
    }

    fn index(self) -> usize {
        usize::try_from(self.0.get() - 1).expect("an index that came from a usize")
    }
}

impl Strings {
    /// The symbol of a text, new or known.
    pub(crate) fn intern(&mut self, text: &str) -> Sym {
        let hash = self.hasher.hash_one(text);
        let (texts, ends) = (&self.texts, &self.ends);
        let same = |known: &(u64, Sym)| known.0 == hash && slice(texts, ends, known.1) == text;
        if let Some((_, sym)) = self.known.find(hash, same) {
            return *sym;
        }
        let sym = Sym::at(ends.len());
        self.known.insert_unique(hash, (hash, sym), |known| known.0);
        self.texts.push_str(text);
        self.ends.push(self.texts.len());
        sym
    }

    /// The symbol of a known text.
    pub(crate) fn find(&self, text: &str) -> Option<Sym> {
        let hash = self.hasher.hash_one(text);
        let same = |known: &(u64, Sym)| known.0 == hash && self.get(known.1) == text;
        self.known.find(hash, same).map(|(_, sym)| *sym)
    }

    /// The text of a symbol of this set.
    pub(crate) fn get(&self, sym: Sym) -> &str {
        slice(&self.texts, &self.ends, sym)
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Releases unused capacity.
    pub(crate) fn shrink(&mut self) {
        self.texts.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// Adds the texts of another set: returns the symbol here for each symbol there.
    pub(crate) fn absorb(&mut self, other: &Strings) -> Renaming {
        Renaming(
            (0..other.len())
                .map(|index| self.intern(other.get(Sym::at(index))))
                .collect(),
        )
    }
}

fn slice<'a>(texts: &'a str, ends: &[usize], sym: Sym) -> &'a str {
    let index = sym.index();
    let start = index.checked_sub(1).map_or(0, |before| ends[before]);
    &texts[start..ends[index]]
}

/// The new symbols of an absorbed set.
pub(crate) struct Renaming(Vec<Sym>);

impl Renaming {
    pub(crate) fn of(&self, sym: Sym) -> Sym {
        self.0[sym.index()]
    }

    pub(crate) fn rename(&self, sym: &mut Sym) {
        *sym = self.of(*sym);
    }

    pub(crate) fn rename_option(&self, sym: &mut Option<Sym>) {
        *sym = sym.map(|sym| self.of(sym));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_symbol_and_an_absorbed_one_is_renamed() {
        let mut one = Strings::default();
        let (a, b) = (one.intern("a"), one.intern("b"));
        assert_eq!((one.intern("a"), one.get(b)), (a, "b"));
        let mut two = Strings::default();
        let b_there = two.intern("b");
        let renaming = one.absorb(&two);
        assert_eq!(renaming.of(b_there), b);
    }
}
