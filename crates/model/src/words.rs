//! Enums that are a word each, on the wire and in the database.

/// A word that is none of those that are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not one of {expected}")]
pub struct UnknownWord {
    pub(crate) word: String,
    pub(crate) expected: &'static str,
}

/// `ALL`, `as_str`, `Display` and `FromStr` of an enum; the expected words as a sentence names them.
macro_rules! words {
    ($type:ident, $expected:literal { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The word on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::words::UnknownWord;

            fn from_str(word: &str) -> Result<$type, $crate::words::UnknownWord> {
                match word {
                    $($word => Ok($type::$variant),)+
                    _ => Err($crate::words::UnknownWord { word: word.to_owned(), expected: $expected }),
                }
            }
        }
    };
}

pub(crate) use words;
