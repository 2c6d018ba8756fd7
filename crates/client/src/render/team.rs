//! The columns of listings about the team.

use chrono::{DateTime, Utc};
use model::administration::{Audit, Members, Orgs, Publishers, Tokens};

use super::{
    Cell, Listing, Tone,
    rows::{ci, detail, figure, name, next_page},
};

/// `toolhub admin org list`.
pub fn orgs(response: &Orgs, now: DateTime<Utc>) -> Listing {
    let rows = response.orgs.iter().map(|org| {
        vec![
            Cell::text(&org.org),
            Cell::count(org.members),
            org.retention_days.map_or_else(
                || Cell::text("for ever"),
                |days| Cell::text(&format!("{days} days")),
            ),
            Cell::time(Some(org.created_at), now),
        ]
    });
    Listing {
        columns: vec![
            name("org", "org"),
            figure("members", "members"),
            figure("retention_days", "keeps events").level(1),
            figure("created_at", "created").level(2),
        ],
        rows: rows.collect(),
        notes: Vec::new(),
    }
}

/// `GET /v1/members`.
pub fn members(response: &Members, now: DateTime<Utc>) -> Listing {
    let rows = response.members.iter().map(|member| {
        let state = if member.deactivated_at.is_some() {
            "deactivated"
        } else {
            "active"
        };
        vec![
            Cell::text(&member.handle),
            Cell::text(member.kind.as_str()),
            Cell::text(member.role.as_str()),
            Cell::text(state).with_tone(if member.deactivated_at.is_some() {
                Tone::Doubtful
            } else {
                Tone::Plain
            }),
            Cell::count(member.tokens),
            Cell::time(member.last_seen_at, now),
            Cell::time(Some(member.created_at), now),
            Cell::time(member.deactivated_at, now),
        ]
    });
    Listing {
        columns: vec![
            name("handle", "member"),
            name("kind", "kind").level(3),
            name("role", "role"),
            name("state", "state"),
            figure("tokens", "tokens").level(2),
            figure("last_seen_at", "last seen").level(1),
            figure("created_at", "added").level(4),
            detail("deactivated_at"),
        ],
        rows: rows.collect(),
        notes: next_page(response.next_cursor.as_ref()).into_iter().collect(),
    }
}

/// `GET /v1/tokens`.
pub fn tokens(response: &Tokens, now: DateTime<Utc>) -> Listing {
    let rows = response.tokens.iter().map(|token| {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        vec![
            Cell::text(&token.token_id),
            Cell::text(&token.member),
            Cell::text(&token.name),
            Cell::text(&scopes.join(",")),
            token.expires_at.map_or_else(
                || Cell::text("never"),
                |end| Cell::text(&end.date_naive().to_string()),
            ),
            Cell::time(token.last_used_at, now),
            Cell::time(Some(token.created_at), now),
            Cell::time(token.revoked_at, now),
            Cell::text(&token.ci.as_ref().map(ci).unwrap_or_default()),
        ]
    });
    Listing {
        columns: vec![
            name("token_id", "id"),
            name("member", "member").level(1),
            name("name", "name"),
            name("scopes", "scopes").level(3),
            figure("expires_at", "expires").level(2),
            figure("last_used_at", "last used").level(4),
            figure("created_at", "created").level(6),
            detail("revoked_at"),
            name("ci", "from").level(5).prose(),
        ],
        rows: rows.collect(),
        notes: next_page(response.next_cursor.as_ref()).into_iter().collect(),
    }
}

/// `GET /v1/audit`.
pub fn audit(response: &Audit, now: DateTime<Utc>) -> Listing {
    let rows = response.audit.iter().map(|act| {
        vec![
            Cell::time(Some(act.occurred_at), now),
            Cell::text(&act.actor),
            Cell::text(&act.action),
            Cell::maybe(act.subject.as_deref()),
            Cell::maybe(act.address.as_deref()),
            Cell::facts(&act.details),
            Cell::maybe(act.token_id.as_deref()),
            Cell::text(&act.audit_id),
        ]
    });
    Listing {
        columns: vec![
            name("occurred_at", "when"),
            name("actor", "actor"),
            name("action", "action"),
            name("subject", "subject").level(1),
            name("address", "address").level(3),
            name("details", "details").level(2).prose(),
            detail("token_id"),
            detail("audit_id"),
        ],
        rows: rows.collect(),
        notes: next_page(response.next_cursor.as_ref()).into_iter().collect(),
    }
}

/// `GET /v1/trusted-publishers`.
pub(crate) fn publishers(response: &Publishers, now: DateTime<Utc>) -> Listing {
    let rows = response.trusted_publishers.iter().map(|publisher| {
        vec![
            Cell::text(&publisher.publisher_id),
            Cell::text(&publisher.provider),
            Cell::text(&publisher.repository),
            Cell::text(&publisher.owner_id),
            Cell::maybe(publisher.workflow.as_deref()),
            Cell::maybe(publisher.environment.as_deref()),
            Cell::text(&publisher.member),
            Cell::text(&publisher.created_by),
            Cell::time(Some(publisher.created_at), now),
            Cell::text(&publisher.issuer),
        ]
    });
    Listing {
        columns: vec![
            name("publisher_id", "id"),
            name("provider", "provider").level(4),
            name("repository", "repository"),
            name("owner_id", "owner id").level(5),
            name("workflow", "workflow").level(2),
            name("environment", "environment").level(3),
            name("member", "uploads as").level(1),
            name("created_by", "added by").level(6),
            figure("created_at", "added").level(7),
            detail("issuer"),
        ],
        rows: rows.collect(),
        notes: next_page(response.next_cursor.as_ref()).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Format, Screen};
    use model::administration::TokenInfo;

    /// Names of tokens, subjects and details come from people, and a server may be hostile.
    #[test]
    fn whatever_an_answer_holds_is_harmless_in_every_format() {
        let hostile = "=cmd|'/c calc'!A1\u{1b}[2J\u{202E}\n<script>alert(1)</script>";
        let token = TokenInfo {
            token_id: hostile.into(),
            member: hostile.into(),
            name: hostile.into(),
            scopes: vec![],
            created_at: DateTime::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            ci: None,
        };
        let listing = tokens(
            &Tokens {
                tokens: vec![token],
                next_cursor: Some(hostile.into()),
            },
            DateTime::UNIX_EPOCH,
        );
        for format in [Format::Table, Format::Csv, Format::Markdown] {
            let text = listing.render(format, Screen::default());
            assert!(
                !text.chars().any(|c| c != '\n' && model::text::is_unsafe(c)),
                "{format}: {text:?}"
            );
        }
        assert!(
            !listing
                .render(Format::Markdown, Screen::default())
                .contains("<script>")
        );
        let csv = listing.render(Format::Csv, Screen::default());
        assert_eq!(csv.lines().count(), 2, "{csv}");
        assert!(
            csv.lines()
                .nth(1)
                .unwrap()
                .trim_start_matches('"')
                .starts_with('\''),
            "{csv}"
        );
        assert!(!listing.notes[0].chars().any(model::text::is_unsafe));
    }
}
