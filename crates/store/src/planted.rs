//! Bugs on request, to see that the fault suite finds them. Compiled with the feature `planted-bugs` only, and never
//! into a release.

#[cfg(not(debug_assertions))]
compile_error!("planted bugs are for debug builds: build without the feature `planted-bugs`");

/// True when `TOOLHUB_PLANTED_BUG` names this bug.
pub fn is(bug: &str) -> bool {
    std::env::var_os("TOOLHUB_PLANTED_BUG").is_some_and(|planted| planted == bug)
}

/// The statement that inserts events, without what the bug takes away.
pub(crate) fn bent(sql: &str) -> String {
    if is("no_on_conflict") {
        return sql.replace("on conflict (org_id, member_id, uuid) do nothing", "");
    }
    if is("unsorted_batch") {
        return sql.replace("order by b.member_id, b.uuid", "");
    }
    sql.to_owned()
}

/// The rows to insert, in an order that differs from upload to upload.
pub(crate) fn unsorted(mut rows: Vec<usize>, upload: uuid::Uuid) -> Vec<usize> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    if is("unsorted_batch") {
        rows.sort_by_key(|row| {
            let mut hasher = DefaultHasher::new();
            (row, upload).hash(&mut hasher);
            hasher.finish()
        });
    }
    rows
}
