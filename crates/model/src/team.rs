//! The words of a team: roles, kinds of members, scopes of tokens, and the form of names.

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::words::{UnknownWord, words};

/// What a member may do in the org. Ordered: each role may do all that the ones before it may.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Role>
)]
pub enum Role {
    /// Reads boards.
    Viewer,
    /// Reads boards and uploads.
    Member,
    /// Manages members and tokens.
    Admin,
    /// Everything; an org always has one.
    Owner,
}

/// Who a member is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<MemberKind>
)]
pub enum MemberKind {
    /// A person.
    #[default]
    Person,
    /// A CI identity.
    Ci,
}

/// What a token may be used for.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Scope>
)]
pub enum Scope {
    /// Send events and inventory. Reads nothing.
    Upload,
    /// Read scores, boards, events and receipts.
    Read,
    /// Manage the org, within the role of the member.
    Admin,
}

words!(Role, MemberKind, Scope);

impl Role {
    /// What a token of a member with this role may be used for at most.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Role::Viewer => &[Scope::Read],
            Role::Member => &[Scope::Upload, Scope::Read],
            Role::Admin | Role::Owner => &[Scope::Upload, Scope::Read, Scope::Admin],
        }
    }
}

/// Reads a list of scopes as the command line takes it: `upload,read`. Sorted, without repeats, not empty.
pub fn parse_scopes(list: &str) -> Result<Vec<Scope>, UnknownWord> {
    let mut scopes = list
        .split(',')
        .map(|word| word.trim().parse())
        .collect::<Result<Vec<Scope>, UnknownWord>>()?;
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

/// Why a text cannot be the slug of an org or the handle of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// See [`check_slug`].
    #[error(
        "an org's slug is 1 to 63 lower-case letters, digits and hyphens, and begins with a letter or digit"
    )]
    Slug,
    /// See [`check_handle`].
    #[error("a member's handle is 1 to 64 letters, digits and `._@+-`, and begins with a letter or digit")]
    Handle,
}

/// Checks the slug of an org: 1 to 63 of `a-z 0-9 -`, not beginning with `-`.
pub fn check_slug(slug: &str) -> Result<(), InvalidName> {
    let ok = !slug.is_empty()
        && slug.len() <= 63
        && !slug.starts_with('-')
        && slug
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if ok { Ok(()) } else { Err(InvalidName::Slug) }
}

/// Checks the handle of a member: 1 to 64 of `a-z A-Z 0-9 . _ @ + -`, beginning with a letter or digit.
pub fn check_handle(handle: &str) -> Result<(), InvalidName> {
    let ok = handle.len() <= 64
        && handle.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && handle
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b));
    if ok { Ok(()) } else { Err(InvalidName::Handle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_as_a_list() {
        assert_eq!(
            parse_scopes("read, upload,read"),
            Ok(vec![Scope::Upload, Scope::Read])
        );
        assert!(parse_scopes("write").unwrap_err().to_string().contains("`write`"));
        assert!(parse_scopes("").is_err());
    }

    #[test]
    fn names_that_could_hide_something_are_refused() {
        assert_eq!(check_slug("acme-2"), Ok(()));
        for slug in ["", "-a", "Acme", "a b", "a\n"] {
            assert_eq!(check_slug(slug), Err(InvalidName::Slug), "{slug:?}");
        }
        assert_eq!(check_handle("ann.o@example.org"), Ok(()));
        for handle in ["", "=cmd", "-x", "a b", "<b>", "a\u{1b}"] {
            assert_eq!(check_handle(handle), Err(InvalidName::Handle), "{handle:?}");
        }
    }
}
