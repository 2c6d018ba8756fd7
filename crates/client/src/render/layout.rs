//! Which columns of a table a terminal has room for, and how wide each of them is.
//!
//! A value is never broken: a column is as wide as its widest value, or it is left out. Only prose continues on the next
//! line, between two words. A name is shortened only where not even the columns that are always shown fit.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Column;

/// Spaces between two columns.
pub(super) const GAP: usize = 2;
/// The narrowest column of prose: below that it is harder to read than to leave out.
const MIN_PROSE: usize = 28;
/// The shortest form of a name.
const MIN_NAME: usize = 12;

/// The columns that are shown, by their index, each with its width.
pub(super) type Layout = Vec<(usize, usize)>;

/// Lays out the columns that have a title. `texts` returns the values of a column; without a `room`, all are shown at
/// full width.
pub(super) fn layout<'a, T: Iterator<Item = &'a str>>(
    columns: &[Column],
    texts: impl Fn(usize) -> T,
    room: Option<usize>,
) -> Layout {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let Some(title) = column.title else { continue };
        let natural = texts(index).map(str::width).fold(title.width(), usize::max);
        let words = || texts(index).flat_map(str::split_whitespace).map(str::width).max();
        let needed = if column.prose {
            natural.min(MIN_PROSE.max(words().unwrap_or(0)).max(title.width()))
        } else {
            natural
        };
        candidates.push(Candidate {
            index,
            level: column.level,
            natural,
            needed,
            can_shorten: !column.right && !column.prose,
            min: MIN_NAME.max(title.width()),
        });
    }
    match room {
        None => candidates
            .iter()
            .map(|column| (column.index, column.natural))
            .collect(),
        Some(room) => fit(candidates, room),
    }
}

/// A column that may be shown.
struct Candidate {
    index: usize,
    level: u8,
    natural: usize,
    needed: usize,
    can_shorten: bool,
    min: usize,
}

fn fit(mut candidates: Vec<Candidate>, room: usize) -> Layout {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|&at| candidates[at].level);
    let mut shown = vec![false; candidates.len()];
    let mut used = 0;
    for at in order {
        let column = &candidates[at];
        let more = column.needed + if used == 0 { 0 } else { GAP };
        if column.level == 0 || used + more <= room {
            shown[at] = true;
            used += more;
        }
    }
    let mut at = 0;
    candidates.retain(|_| {
        at += 1;
        shown[at - 1]
    });
    if used > room {
        shorten(&mut candidates, used - room);
    } else {
        widen(&mut candidates, room - used);
    }
    candidates
        .iter()
        .map(|column| (column.index, column.needed))
        .collect()
}

/// Takes `excess` from the names, from the widest first.
fn shorten(columns: &mut [Candidate], excess: usize) {
    for _ in 0..excess {
        let widest = columns
            .iter_mut()
            .filter(|column| column.can_shorten && column.needed > column.min)
            .max_by_key(|column| column.needed);
        match widest {
            Some(column) => column.needed -= 1,
            None => return,
        }
    }
}

/// Gives prose what room is left, so that it needs fewer lines.
fn widen(columns: &mut [Candidate], mut room: usize) {
    for column in columns {
        let more = (column.natural - column.needed).min(room);
        column.needed += more;
        room -= more;
    }
}

/// A name in at most `width` columns: its middle is left out, because both ends tell names apart.
pub(super) fn shortened(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let room = width.saturating_sub(1);
    let head = taken(name.chars(), room.div_ceil(2));
    let tail: String = taken(name.chars().rev(), room / 2).chars().rev().collect();
    format!("{head}…{tail}")
}

/// As many characters as fit into `width` columns.
fn taken(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    characters
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::rows::{figure, name};

    fn columns() -> Vec<Column> {
        vec![
            name("tool_id", "tool"),
            figure("events", "events"),
            figure("works", "works").level(1),
            name("reason", "reason").level(2).prose(),
            figure("cost", "avg cost").level(3),
        ]
    }

    const VALUES: [&str; 5] = [
        "mcp:linear-server",
        "12,345",
        "93.5 %",
        "loaded in 40 sessions by 4 members and called in none; never used",
        "$0.0012",
    ];

    fn keys(room: usize) -> Vec<&'static str> {
        let columns = columns();
        let shown = layout(&columns, |at| std::iter::once(VALUES[at]), Some(room));
        shown.iter().map(|(at, _)| columns[*at].key).collect()
    }

    #[test]
    fn the_least_important_columns_go_first() {
        assert_eq!(keys(200), ["tool_id", "events", "works", "reason", "cost"]);
        assert_eq!(keys(63), ["tool_id", "events", "works", "reason"]);
        assert_eq!(keys(43), ["tool_id", "events", "works", "cost"]);
        assert_eq!(keys(34), ["tool_id", "events", "works"]);
        assert_eq!(keys(20), ["tool_id", "events"]);
    }

    #[test]
    fn a_name_is_shortened_in_the_middle_and_only_as_the_last_resort() {
        assert_eq!(shortened("mcp:linear-server", 17), "mcp:linear-server");
        assert_eq!(shortened("mcp:linear-server", 11), "mcp:l…erver");
        assert_eq!(shortened("名前の長い道具", 8), "名前…具");
        let shown = layout(&columns(), |at| std::iter::once(VALUES[at]), Some(20));
        assert_eq!(shown, [(0, 12), (1, 6)]);
    }

    proptest! {
        #[test]
        fn what_is_shown_fits_and_every_value_is_whole(
            name in "[a-z:@-]{1,40}", reason in "[a-z]{1,20}( [a-z]{1,20}){0,12}", room in 60_usize..200,
        ) {
            let values = [&name, "12,345", "93.5 %", &reason, "$0.0012"];
            let columns = columns();
            let shown = layout(&columns, |at| std::iter::once(values[at]), Some(room));
            let width: usize = shown.iter().map(|(_, width)| width).sum::<usize>() + GAP * (shown.len() - 1);
            prop_assert!(width <= room, "{shown:?}");
            for (at, width) in shown {
                let whole = if columns[at].prose {
                    values[at].split(' ').map(str::width).max().unwrap_or(0)
                } else {
                    values[at].width()
                };
                prop_assert!(whole <= width, "{}", columns[at].key);
            }
        }
    }
}
