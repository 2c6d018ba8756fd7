//! The medians of tools: `tool_medians`.
//!
//! Each row remembers a duration of the window, the pivot, and how many are less and how many equal. When durations
//! come or go, the counts say how many steps the middle is away, and the index finds it from there. Where sorting the
//! durations of the window is less work than these steps, they are sorted.

use tokio_postgres::Transaction;

use super::Scope;
use crate::StoreError;

/// Moves the medians to where the durations that came and went have moved the middle.
pub(super) async fn follow(transaction: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
    let Scope {
        org,
        today,
        before,
        windows,
        anew,
    } = scope;
    if *anew {
        // Those of all time stay: they do not depend on the day.
        transaction
            .execute(include_str!("medians/forget.sql"), &[&org.0, windows])
            .await?;
    }
    if let Some(before) = before {
        transaction
            .execute(include_str!("medians/shift.sql"), &[&org.0, before])
            .await?;
        if !anew && before != today {
            transaction
                .execute(
                    include_str!("medians/leave.sql"),
                    &[&org.0, before, today, windows],
                )
                .await?;
        }
    }
    transaction
        .execute(include_str!("medians/forget_far.sql"), &[&org.0, &scope.all()])
        .await?;
    transaction
        .execute(
            include_str!("medians/fill.sql"),
            &[&org.0, today, windows, &scope.all()],
        )
        .await?;
    transaction
        .execute(include_str!("medians/walk.sql"), &[&org.0, today, &scope.all()])
        .await?;
    Ok(())
}
