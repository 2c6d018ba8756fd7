//! What the pages of the three boards share.

use axum::response::Response;
use maud::html;
use model::{
    Kind,
    api::{AllOr, Board, query::LeaderboardQuery},
    cell::Cell,
    limits,
    team::MemberKind,
};

use super::{
    filters::{self, Field},
    layout, listings,
    table::{Entry, Table},
    view::PageQuery,
    visit::Visit,
};
use crate::error::ApiError;

/// The page of a board.
pub(super) async fn page(
    visit: &Visit,
    PageQuery { mut query, mut view }: PageQuery<LeaderboardQuery>,
    board: Board,
    title: &str,
    section: &'static str,
) -> Result<Response, ApiError> {
    let path = visit.path();
    if query.from.is_some() || query.to.is_some() {
        // The form sends its window, too.
        query.window = None;
    }
    let mut wanted = query.clone();
    if view.sort.is_some() {
        // The server sorts by rank; by another column this page does, over as many rows as there are on one page.
        wanted.limit.get_or_insert(limits::PAGE_ROWS);
    }
    let found = listings::board(visit, board, wanted).await?;
    let mut table = listings::board_table(title, board, &found.leaderboard, visit.now);
    if board == Board::Members && !visit.app.store.org_settings(visit.caller.org).await?.show_names {
        table.remove_links();
    }
    table.sort(&view)?;
    if let Some(format) = view.format {
        return table.download(format, board.as_str());
    }
    let table = table.without_empty_columns();
    let asked = view.clone();
    if view.sort.is_none() {
        view.sort = Some("rank".to_owned());
        view.ascending = true;
    }
    let is_filtered = query != LeaderboardQuery::default();
    let content = html! {
        (filters::form(path, &fields(board, &query), is_filtered))
        @if table.rows.is_empty() {
            (filters::empty("Nothing to rank: no calls match. Another window or kind may have some.", "toolhub upload"))
        } @else {
            @for part in apart(&table) {
                (part.html(path, &query, &view))
            }
            (filters::paging(path, &query, &asked, found.next_cursor.as_deref()))
            (filters::downloads(path, &query))
            p .fine {
                "Ranked by “at least”: the lower bound of the 95 % Wilson interval of the success rate, so that one lucky \
                 call does not lead the board. Abandoned calls are not failures. “Cost” is what the calls took of their responses' tokens, \
                 at the org's prices; “mean cost” is over the calls that have one; “inside them” is what the agents cost that the calls started, \
                 which is the cost of those agents’ own calls and responses, not another one."
            }
        }
    };
    layout::Page {
        visit,
        title,
        section,
        as_of: found.as_of,
        content,
    }
    .respond()
}

/// The tables of a board: people and CI identities, where it has both, stand apart.
fn apart(whole: &Table) -> Vec<Table> {
    let Some(kind) = whole
        .columns
        .iter()
        .position(|column| column.key == "member_kind")
    else {
        return vec![whole.clone()];
    };
    let is_ci = |row: &Vec<Entry>| row[kind].cell == Cell::text(MemberKind::Ci.as_str());
    let (ci, people): (Vec<_>, Vec<_>) = whole.rows.iter().cloned().partition(is_ci);
    if ci.is_empty() || people.is_empty() {
        return vec![whole.clone()];
    }
    [("People", people), ("CI identities", ci)]
        .into_iter()
        .map(|(caption, rows)| Table {
            caption: caption.to_owned(),
            columns: whole.columns.clone(),
            rows,
        })
        .collect()
}

fn fields(board: Board, query: &LeaderboardQuery) -> Vec<Field<'_>> {
    let mut window = filters::window_field(query.window);
    if let Field::Choice { words, chosen, .. } = &mut window
        && (query.from.is_some() || query.to.is_some())
    {
        words.insert(0, ("", "From … to …"));
        *chosen = Some(String::new());
    }
    let mut fields = vec![
        window,
        Field::Day {
            name: "from",
            label: "From",
            value: query.from,
        },
        Field::Day {
            name: "to",
            label: "To",
            value: query.to,
        },
        kind_field(query.kind, "not built in"),
    ];
    if board != Board::Projects {
        fields.push(Field::Text {
            name: "project",
            label: "Project",
            value: query.project.as_deref(),
        });
    }
    if board != Board::Members {
        fields.push(Field::Text {
            name: "member",
            label: "Member",
            value: query.member.as_deref(),
        });
    }
    fields.push(Field::Choice {
        name: "min_sample",
        label: "Calls, at least",
        words: vec![("", "1"), ("5", "5"), ("20", "20"), ("100", "100")],
        chosen: query.min_sample.map(|least| least.to_string()),
    });
    fields
}

/// The filter of the kind. `none` is what no choice means.
pub(super) fn kind_field(kind: Option<AllOr<Kind>>, none: &'static str) -> Field<'static> {
    let mut words = filters::words(Kind::ALL, ("", none), Kind::as_str);
    words.push((AllOr::<Kind>::ALL, "all"));
    Field::Choice {
        name: "kind",
        label: "Kind",
        words,
        chosen: kind.map(|kind| kind.to_string()),
    }
}
