//! Texts that occur again and again, kept once.

use std::num::NonZeroU32;

use indexmap::IndexSet;

/// A text of a [`Strings`]: a number in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sym(NonZeroU32);

/// The texts of one file, or of all of them.
#[derive(Debug, Default)]
pub(crate) struct Strings(IndexSet<Box<str>, foldhash::fast::RandomState>);

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
        self.find(text)
            .unwrap_or_else(|| Sym::at(self.0.insert_full(text.into()).0))
    }

    /// The symbol of a known text.
    pub(crate) fn find(&self, text: &str) -> Option<Sym> {
        self.0.get_index_of(text).map(Sym::at)
    }

    /// The text of a symbol of this set.
    pub(crate) fn get(&self, sym: Sym) -> &str {
        self.0.get_index(sym.index()).map_or("", |text| text)
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives back spare room.
    pub(crate) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Takes over the texts of another set: the symbol here for each symbol there.
    pub(crate) fn absorb(&mut self, other: Strings) -> Renaming {
        Renaming(other.0.into_iter().map(|text| self.intern(&text)).collect())
    }
}

/// What the symbols of an absorbed set are called now.
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
        let renaming = one.absorb(two);
        assert_eq!(renaming.of(b_there), b);
    }
}
