//! `/adoption`: who uses what, tools by members.

use std::collections::HashMap;

use axum::response::Response;
use maud::{Markup, html};
use model::{
    api::{Board, LeaderboardRow, query::LeaderboardQuery},
    cell::Cell,
    limits, text,
};
use store::leaderboards::MemberCalls;

use super::{
    boards::kind_field,
    filters, layout, links, listings,
    table::{Entry, Table, figure_named, name},
    view::PageQuery,
    visit::Visit,
};
use crate::error::ApiError;

/// Members that the map shows: the most active ones.
const MEMBERS: usize = 12;
/// Tools that the map shows: those with the most calls.
const TOOLS: usize = 40;

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PageQuery { query, view }: PageQuery<LeaderboardQuery>,
) -> Result<Response, ApiError> {
    let path = visit.path();
    let shows_names = visit.app.store.org_settings(visit.caller.org).await?.show_names;
    let wide = LeaderboardQuery {
        window: query.window,
        kind: query.kind,
        project: query.project.clone(),
        limit: Some(limits::PAGE_ROWS),
        ..LeaderboardQuery::default()
    };
    let mut tools = listings::board(&visit, Board::Tools, wide.clone()).await?;
    let most = |rows: &mut Vec<LeaderboardRow>, count| {
        rows.sort_by_key(|row| std::cmp::Reverse(row.tally.events));
        rows.truncate(count);
    };
    most(&mut tools.leaderboard, TOOLS);
    let mut members = Vec::new();
    if shows_names {
        let mut found = listings::board(&visit, Board::Members, wide.clone()).await?;
        most(&mut found.leaderboard, MEMBERS);
        members.extend(found.leaderboard.into_iter().filter_map(|row| row.member));
    }
    let shown: Vec<&str> = tools
        .leaderboard
        .iter()
        .filter_map(|row| row.tool_id.as_deref())
        .collect();
    let handles: Vec<&str> = members.iter().map(String::as_str).collect();
    let store = &visit.app.store;
    let calls = store
        .calls_by_member(visit.caller.org, &wide, &handles, &shown)
        .await?;
    let table = map(&shown, &handles, &calls);
    if let Some(format) = view.format {
        return table.download(format, "adoption");
    }
    let fields = [
        filters::window_field(query.window),
        kind_field(query.kind, "not built in"),
        filters::Field::Text {
            name: "project",
            label: "Project",
            value: query.project.as_deref(),
        },
    ];
    let content = html! {
        p .lede { "How often the most active members call the most used tools. The stronger the colour, the more." }
        (filters::form(path, &fields, query != LeaderboardQuery::default()))
        (body(&table, shows_names))
        (filters::downloads(path, &query))
    };
    layout::Page {
        visit: &visit,
        title: "Adoption",
        section: "/adoption",
        as_of: tools.as_of,
        content,
    }
    .respond()
}

fn body(table: &Table, shows_names: bool) -> Markup {
    html! {
        @if !shows_names {
            p { "The org hides names on the board of members, so no member is shown here." }
        } @else if table.rows.is_empty() {
            (filters::empty("No calls match.", "toolhub upload"))
        } @else { div .map { (table.plain_html()) } }
    }
}

fn map(tools: &[&str], members: &[&str], calls: &[MemberCalls]) -> Table {
    let most = calls.iter().map(|calls| calls.events).max().unwrap_or(1);
    let counts: HashMap<(&str, &str), i64> = calls
        .iter()
        .map(|calls| ((calls.member.as_str(), calls.tool_id.as_str()), calls.events))
        .collect();
    let mut columns = vec![name("tool_id", "tool")];
    columns.extend(members.iter().map(|handle| figure_named(&text::clean(handle))));
    let rows = tools.iter().map(|tool| {
        let mut entries = vec![Entry::link(tool, links::tool(tool))];
        entries.extend(members.iter().map(|handle| match counts.get(&(*handle, *tool)) {
            Some(count) => Entry {
                href: Some(links::events(&[("tool_id", tool), ("member", handle)])),
                heat: Some(heat(*count, most)),
                ..Entry::from(Cell::count(*count))
            },
            None => Cell::maybe_count(None).into(),
        }));
        entries
    });
    Table {
        caption: "Calls by tool and member".to_owned(),
        columns,
        rows: rows.collect(),
    }
}

/// The shade of a count, from 1 to 5, by its order of magnitude below the greatest.
fn heat(count: i64, most: i64) -> u8 {
    let thresholds = [2, 8, 32, 128];
    let lower = thresholds.iter().filter(|part| count * **part < most).count();
    5 - u8::try_from(lower).unwrap_or(4)
}
