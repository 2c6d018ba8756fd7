//! A digest as Markdown and as HTML.

use model::{cell::Cell, text};

use super::{Change, Digest};

/// A heading with its lines.
struct Section {
    title: &'static str,
    lines: Vec<Line>,
}

/// A line: an optional name, which is a link where there is an address, and what is said of it.
struct Line {
    name: Option<(String, Option<String>)>,
    text: String,
}

impl Digest {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n{}\n", self.title(), self.summary());
        for section in self.sections() {
            out += &format!("\n## {}\n\n", section.title);
            for line in section.lines {
                let name = line.name.map(|(name, link)| {
                    let name = format!("`{}`", text::clean(&name).replace('`', "'"));
                    match link {
                        Some(link) => format!("[{name}]({link}): "),
                        None => format!("{name}: "),
                    }
                });
                out += &format!("- {}{}\n", name.unwrap_or_default(), line.text);
            }
        }
        text::clean_prose(&out).into_owned()
    }

    /// As an HTML document without scripts and without anything from elsewhere.
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\
             <body><h1>{title}</h1>\n<p>{}</p>\n",
            escaped(&self.summary()),
            title = escaped(&self.title())
        );
        for section in self.sections() {
            out += &format!("<h2>{}</h2>\n<ul>\n", escaped(section.title));
            for line in section.lines {
                let name = line.name.map(|(name, link)| {
                    let name = format!("<code>{}</code>", escaped(&name));
                    match link {
                        Some(link) => format!("<a href=\"{}\">{name}</a>: ", escaped(&link)),
                        None => format!("{name}: "),
                    }
                });
                out += &format!("<li>{}{}</li>\n", name.unwrap_or_default(), escaped(&line.text));
            }
            out += "</ul>\n";
        }
        out + "</body></html>\n"
    }

    fn title(&self) -> String {
        let (first, last) = (self.overview.first_day, self.overview.last_day);
        match first {
            Some(first) => format!("Tools, {first} to {last}"),
            None => format!("Tools until {last}"),
        }
    }

    fn summary(&self) -> String {
        let totals = &self.overview.totals;
        let before = self.overview.previous.as_ref();
        let was = |text: String| before.map_or_else(String::new, |_| format!(" ({text} before)"));
        let rate_before = before.and_then(|before| before.decided_rate);
        let cost_before = before.and_then(|before| before.cost_usd);
        let spent = (totals.cost_usd.or(cost_before))
            .map(|_| format!("; {} spent{}", usd(totals.cost_usd), was(usd(cost_before))));
        format!(
            "{}{} by {}; {} of what was decided succeeded{}{}.",
            counted(totals.events, "call"),
            was(before.map_or(0, |before| before.events).to_string()),
            counted(totals.members, "member"),
            rate(totals.decided_rate),
            was(rate(rate_before)),
            spent.unwrap_or_default(),
        )
    }

    /// The sections that have something to say.
    fn sections(&self) -> Vec<Section> {
        let tool = |name: &str| Some((name.to_owned(), Some(self.link(name))));
        let moved = |change: &Change| Line {
            name: tool(&change.tool_id),
            text: format!(
                "{} succeeded, {} before; {}",
                rate(change.decided_rate),
                rate(change.previous_decided_rate),
                counted(change.events, "call")
            ),
        };
        let fresh = |change: &Change| Line {
            name: tool(&change.tool_id),
            text: format!(
                "{}, {} succeeded",
                counted(change.events, "call"),
                rate(change.decided_rate)
            ),
        };
        let failing = |change: &Change| Line {
            name: tool(&change.tool_id),
            text: format!(
                "{} of {} failed, none before",
                change.failures,
                counted(change.events, "call")
            ),
        };
        let dead = self.dead_weight.iter().map(|dead| {
            let tokens = dead
                .context_tokens
                .map(|tokens| format!("{tokens} tokens on each request"));
            let cost = dead
                .est_cost_usd_month
                .map(|cost| format!("{} a month", usd(Some(cost))));
            let remove = dead.remove.clone();
            let said: Vec<String> = [Some(dead.verdict.clone()), tokens, cost, remove]
                .into_iter()
                .flatten()
                .collect();
            Line {
                name: tool(&dead.tool_id),
                text: said.join("; "),
            }
        });
        let plain = |text: String| Line { name: None, text };
        let saved = [
            self.saved.tokens.map(|tokens| format!("{tokens} tokens")),
            self.saved.cost_usd.map(|cost| usd(Some(cost))),
        ];
        let saved: Vec<String> = saved.into_iter().flatten().collect();
        let mut savings: Vec<Line> = Vec::new();
        if !saved.is_empty() {
            savings.push(plain(format!(
                "{} against before the decisions",
                saved.join(", ")
            )));
        }
        let still = self.still_loaded.iter();
        savings.extend(still.map(|tool| plain(format!("still loaded: {tool}"))));
        let absent = self.not_seen.iter().flatten().map(|handle| plain(handle.clone()));
        let sections = [
            ("Better", self.better.iter().map(moved).collect()),
            ("Worse", self.worse.iter().map(moved).collect()),
            ("New failures", self.new_failures.iter().map(failing).collect()),
            ("New tools", self.new_tools.iter().map(fresh).collect()),
            ("Dead weight", dead.collect()),
            ("What retired tools saved", savings),
            ("Members who were not seen", absent.collect::<Vec<Line>>()),
        ];
        let sections = sections
            .into_iter()
            .map(|(title, lines)| Section { title, lines });
        sections.filter(|section| !section.lines.is_empty()).collect()
    }

    fn link(&self, tool: &str) -> String {
        format!("{}/tools/{}", self.url, crate::read::segment(tool))
    }
}

fn counted(count: i64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn rate(rate: Option<f64>) -> String {
    Cell::rate(rate).human().to_owned()
}

fn usd(usd: Option<f64>) -> String {
    Cell::usd(usd).human().to_owned()
}

fn escaped(raw: &str) -> String {
    let clean = text::clean_prose(raw);
    let mut escaped = String::with_capacity(clean.len());
    for c in clean.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
