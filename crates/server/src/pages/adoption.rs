//! `/adoption`: who uses what, tools by members.

use std::collections::HashMap;

use axum::response::Response;
use maud::{Markup, html};
use model::{
    api::{Board, LeaderboardRow, query::LeaderboardQuery},
    cell::Cell,
    limits, text,
};

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
        for handle in found.leaderboard.into_iter().filter_map(|row| row.member) {
            let of_member = LeaderboardQuery {
                member: Some(handle.clone()),
                ..wide.clone()
            };
            let calls = listings::board(&visit, Board::Tools, of_member).await?;
            members.push((handle, calls_by_tool(calls.leaderboard)));
        }
    }
    let table = map(&tools.leaderboard, &members);
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

fn calls_by_tool(rows: Vec<LeaderboardRow>) -> HashMap<String, i64> {
    rows.into_iter()
        .filter_map(|row| Some((row.tool_id?, row.tally.events)))
        .collect()
}

fn map(tools: &[LeaderboardRow], members: &[(String, HashMap<String, i64>)]) -> Table {
    let most = members
        .iter()
        .flat_map(|(_, calls)| calls.values())
        .copied()
        .max()
        .unwrap_or(1);
    let mut columns = vec![name("tool_id", "tool")];
    columns.extend(
        members
            .iter()
            .map(|(handle, _)| figure_named(&text::clean(handle))),
    );
    let rows = tools.iter().filter_map(|row| row.tool_id.as_deref()).map(|tool| {
        let mut entries = vec![Entry::link(tool, links::tool(tool))];
        entries.extend(members.iter().map(|(handle, calls)| match calls.get(tool) {
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
