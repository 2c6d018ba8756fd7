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

/// Puts the rows to insert back into the order in which they came: the events of a batch lie one after the other.
pub(crate) fn unsort<T>(rows: &mut [T], event: impl Fn(&T) -> &model::Event) {
    if is("unsorted_batch") {
        rows.sort_by_key(|row| std::ptr::from_ref(event(row)).addr());
    }
}
