//! Everything that is stored about a member, as one JSON document that is streamed and never whole in memory.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use model::{MemberId, OrgId};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_postgres::IsolationLevel;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    row,
    session::SessionLimits,
};
use std::{pin::pin, time::Duration};

const LIMITS: SessionLimits = SessionLimits {
    statement: LONGEST,
    lock: Duration::from_secs(5),
    idle_in_transaction: Duration::from_secs(60),
};

/// How long an export may take, however steadily it is read: it keeps a snapshot, and with it all dead rows.
const LONGEST: Duration = Duration::from_secs(600);

/// Every table that contains data about a member, and how it is read. A test checks the list against the schema. Ids of
/// the database and hashes of tokens are left out: they have no meaning outside of it.
pub const EXPORTED: &[(&str, &str)] = &[
    (
        "members",
        "-- privacy::export::export (members)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from members t\n\
         where org_id = $1 and member_id = $2",
    ),
    (
        "api_tokens",
        "-- privacy::export::export (tokens)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id' - 'token_hash' || jsonb_build_object('last_used_at', u.last_used_at))::text\n\
         from api_tokens t left join token_uses u on u.org_id = t.org_id and u.token_id = t.token_id\n\
         where t.org_id = $1 and t.member_id = $2 order by t.created_at",
    ),
    (
        "page_sessions",
        "-- privacy::export::export (page sessions)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id' - 'secret_hash')::text from page_sessions t\n\
         where org_id = $1 and member_id = $2 order by created_at",
    ),
    (
        "trusted_publishers",
        "-- privacy::export::export (publishers)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from trusted_publishers t\n\
         where org_id = $1 and member_id = $2 order by created_at",
    ),
    (
        "audit_log",
        "-- privacy::export::export (audit)\n\
         select (to_jsonb(t) - 'org_id' - 'actor_id' - 'subject_id')::text from audit_log t\n\
         where org_id = $1 and (actor_id = $2 or subject_id = $2) order by occurred_at",
    ),
    (
        "machine_tools",
        "-- privacy::export::export (machines)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from machine_tools t\n\
         where org_id = $1 and member_id = $2 order by machine_id, tool_id",
    ),
    (
        "session_usage",
        "-- privacy::export::export (usage)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id' - 'response_key')::text from session_usage t\n\
         where org_id = $1 and member_id = $2 order by occurred_at",
    ),
    (
        "session_usage_days",
        "-- privacy::export::export (usage days)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from session_usage_days t\n\
         where org_id = $1 and member_id = $2 order by day",
    ),
    (
        "session_tools",
        "-- privacy::export::export (sessions)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from session_tools t\n\
         where org_id = $1 and member_id = $2 order by observed_at",
    ),
    (
        "loaded_members",
        "-- privacy::export::export (loaded)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from loaded_members t\n\
         where org_id = $1 and member_id = $2 order by tool_id",
    ),
    (
        "unreachable_tools",
        "-- privacy::export::export (unreachable)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from unreachable_tools t\n\
         where org_id = $1 and member_id = $2 order by observed_at, tool_id",
    ),
    (
        "unnamed_calls",
        "-- privacy::export::export (unnamed)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from unnamed_calls t\n\
         where org_id = $1 and member_id = $2 order by occurred_at",
    ),
    (
        "uploads",
        "-- privacy::export::export (uploads)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from uploads t\n\
         where org_id = $1 and member_id = $2 order by received_at",
    ),
    (
        "usage_days",
        "-- privacy::export::export (days)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from usage_days t\n\
         where org_id = $1 and member_id = $2 order by day",
    ),
    (
        "usage_events",
        "-- privacy::export::export (events)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from usage_events t\n\
         where org_id = $1 and member_id = $2 order by occurred_at",
    ),
    (
        "usage_totals",
        "-- privacy::export::export (totals)\n\
         select (to_jsonb(t) - 'org_id' - 'member_id')::text from usage_totals t\n\
         where org_id = $1 and member_id = $2 order by tool_id, project",
    ),
];

/// The pieces of the document, in order. An error ends it: a document that does not end with `}` is not complete.
pub type Export = mpsc::Receiver<Result<String, StoreError>>;

/// Rows are sent on in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// How many pieces wait for the reader. One more place is always left for an error, so that an export that is given up
/// never looks complete.
const WAITING_PIECES: usize = 4;

impl Store {
    /// Everything that is kept about a member, of one moment, as a stream of pieces of JSON.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] while others run, or when the database cannot be asked; later errors come through the
    /// stream.
    pub async fn member_export(&self, act: &Act, member: MemberId) -> Result<Export, StoreError> {
        let place = self.long().start(act.org, act.name())?;
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let subject = Subject::member(member, act.name());
        audit::record(&transaction, act, Action::DataExported, subject, &json!({})).await?;
        transaction.commit().await?;
        drop(client);
        let (pieces, export) = mpsc::channel(WAITING_PIECES + 1);
        let (store, org, now, handle) = (self.clone(), act.org, act.now, act.name().to_owned());
        tokio::spawn(async move {
            let exporting = store.export(org, member, &handle, now, &pieces);
            let done = tokio::time::timeout(LONGEST, exporting)
                .await
                .unwrap_or(Err(StoreError::Stalled(LONGEST)));
            // The connection and its snapshot are gone by now.
            drop(place);
            if let Err(error) = done {
                // The reader gets the error, or has disconnected.
                let _ = pieces.try_send(Err(error));
            }
        });
        Ok(export)
    }

    async fn export(
        &self,
        org: OrgId,
        member: MemberId,
        handle: &str,
        now: DateTime<Utc>,
        pieces: &mpsc::Sender<Result<String, StoreError>>,
    ) -> Result<(), StoreError> {
        let stall = self.export_stall();
        #[cfg(feature = "planted-bugs")]
        let (stall, _held) = if crate::planted::is("exports_in_the_pool") {
            (LONGEST, Some(self.client().await?))
        } else {
            (stall, None)
        };
        let mut session = self.session("export", &LIMITS).await?;
        let transaction = session
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let mut piece = format!("{{\"member\":{},\"exported_at\":{}", json!(handle), json!(now));
        for (table, statement) in EXPORTED {
            piece.push_str(&format!(",\n\"{table}\":["));
            let rows = transaction.query_raw(*statement, [&org.0, &member.0]).await?;
            let mut rows = pin!(rows);
            let mut first = true;
            while let Some(row) = rows.next().await {
                if !first {
                    piece.push(',');
                }
                first = false;
                piece.push('\n');
                piece.push_str(row::only(&row?)?);
                if piece.len() > PIECE_BYTES && !send(pieces, std::mem::take(&mut piece), stall).await? {
                    return Ok(());
                }
            }
            piece.push(']');
        }
        piece.push_str("}\n");
        send(pieces, piece, stall).await?;
        Ok(())
    }
}

/// Hands a piece to the reader; false when they have disconnected.
async fn send(
    pieces: &mpsc::Sender<Result<String, StoreError>>,
    piece: String,
    stall: Duration,
) -> Result<bool, StoreError> {
    match tokio::time::timeout(stall, pieces.reserve_many(2)).await {
        Ok(Ok(mut places)) => {
            if let Some(place) = places.next() {
                place.send(Ok(piece));
            }
            Ok(true)
        }
        Ok(Err(_)) => Ok(false),
        Err(_) => Err(StoreError::Stalled(stall)),
    }
}
