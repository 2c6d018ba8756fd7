//! The settings of a member.

use model::administration::{MyChange, MySettings};
use model::{MemberId, OrgId};
use serde_json::json;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
};

impl Store {
    /// The settings of a member.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn my_settings(&self, org: OrgId, member: MemberId) -> Result<MySettings, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_one(
                "-- privacy::settings::my_settings\n\
                 select board_opt_out, events_before from members where org_id = $1 and member_id = $2",
                &[&org.0, &member.0],
            )
            .await?;
        Ok(MySettings {
            board_opt_out: row.try_get("board_opt_out")?,
            events_before: row.try_get("events_before")?,
        })
    }

    /// Changes the settings of a member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn my_change(
        &self,
        act: &Act,
        member: MemberId,
        change: &MyChange,
    ) -> Result<MySettings, StoreError> {
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        transaction
            .execute(
                "-- privacy::settings::my_change\n\
                 update members\n\
                 set board_opt_out = coalesce($3, board_opt_out),\n\
                 \x20   events_before = case when $4 then null else events_before end\n\
                 where org_id = $1 and member_id = $2",
                &[
                    &act.org.0,
                    &member.0,
                    &change.board_opt_out,
                    &change.accept_deleted.unwrap_or(false),
                ],
            )
            .await?;
        let subject = Subject::member(member, act.name());
        audit::record(
            &transaction,
            act,
            Action::SettingsChanged,
            subject,
            &json!(change),
        )
        .await?;
        transaction.commit().await?;
        drop(client);
        self.my_settings(act.org, member).await
    }
}
