//! Enums whose values are single words, on the wire and in the database.

use std::fmt;

/// An unknown word. Its message lists the known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    word: String,
    expected: Vec<&'static str>,
}

impl UnknownWord {
    /// The error for a word that is not a value of `T`.
    pub(crate) fn of<T: strum::VariantNames>(word: &str) -> UnknownWord {
        UnknownWord {
            word: word.to_owned(),
            expected: T::VARIANTS.to_vec(),
        }
    }

    /// The same error with one more known word.
    pub(crate) fn or(mut self, further: &'static str) -> UnknownWord {
        self.expected.push(further);
        self
    }
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = crate::text::clean(crate::text::truncate_bytes(&self.word, 64));
        write!(f, "`{word}` is not one of {}", self.expected.join(", "))
    }
}

impl std::error::Error for UnknownWord {}

/// Completes enums that derive `EnumString`, `IntoStaticStr`, `VariantArray` and `VariantNames` of strum: `ALL`,
/// `as_str`, `Display`, and (de)serialization as the word, with errors that list the words.
macro_rules! words {
    ($($type:ident),+ $(,)?) => {$(
        impl $type {
            /// Every value.
            pub const ALL: &'static [$type] = <$type as strum::VariantArray>::VARIANTS;

            /// The word on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::words::schema(<$type as strum::VariantNames>::VARIANTS)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                $crate::words::deserialize(deserializer)
            }
        }
    )+};
}

pub(crate) use words;

/// The schema of a word.
#[cfg(feature = "schema")]
pub(crate) fn schema(words: &[&str]) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": words })
}

/// Reads a value from its word.
pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: std::str::FromStr<Err = UnknownWord>,
    D: serde::Deserializer<'de>,
{
    struct Word<T>(std::marker::PhantomData<T>);

    impl<T: std::str::FromStr<Err = UnknownWord>> serde::de::Visitor<'_> for Word<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a word")
        }

        fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<T, E> {
            word.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Word(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use crate::{
        Kind, NoticeCode, Outcome, Reason,
        api::{Board, ScoreSort, Verdict, Window},
        event::Source,
        receipt::IngestResult,
        team::{MemberKind, Role, Scope},
    };

    /// Every word can be read back, from text and from JSON, and the error for another one lists them all.
    macro_rules! read_back {
        ($($type:ident),+) => {$(
            for &value in $type::ALL {
                assert_eq!(value.as_str().parse(), Ok(value));
                let json = serde_json::to_string(&value).unwrap();
                assert_eq!(json, format!("\"{value}\""));
                assert_eq!(serde_json::from_str::<$type>(&json).unwrap(), value);
            }
            let error = "x\u{1b}".parse::<$type>().unwrap_err().to_string();
            let words: Vec<&str> = $type::ALL.iter().map(|value| value.as_str()).collect();
            assert_eq!(error, format!("`x\u{FFFD}` is not one of {}", words.join(", ")));
            let error = serde_json::from_str::<$type>("\"Success\"").unwrap_err().to_string();
            assert!(error.contains(&words.join(", ")), "{error}");
            assert!(serde_json::from_str::<$type>("1").is_err());
        )+};
    }

    #[test]
    fn words_read_back_and_an_unknown_one_is_answered_with_those_that_are_known() {
        read_back!(
            Kind,
            NoticeCode,
            Outcome,
            Reason,
            Board,
            ScoreSort,
            Verdict,
            Window,
            Source,
            IngestResult,
            MemberKind,
            Role,
            Scope
        );
        assert_eq!(Reason::InvalidInput.as_str(), "invalid_input");
        assert_eq!(ScoreSort::AvgCostUsd.as_str(), "avg_cost_usd");
        assert_eq!(Window::Month.as_str(), "30d");
    }
}
