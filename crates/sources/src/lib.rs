//! Reads the logs of coding agents: takes foreign bytes and returns events, inventory and problems.
//!
//! No I/O happens here, and no clock is read. A caller feeds each file to a [`LogReader`] in chunks of any size, in
//! as many threads as it likes, and hands the [`FileFacts`] of all files of one person to [`join()`]:
//!
//! ```
//! use sources::{LogReader, Options, Prices, join};
//!
//! let log = br#"{"type":"assistant","sessionId":"s","cwd":"/home/ann/api","timestamp":"2026-01-02T03:04:05.000Z",
//! "message":{"id":"m","content":[{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}]}}"#;
//! let one_line = String::from_utf8_lossy(log).replace('\n', "");
//!
//! let mut reader = LogReader::new("session.jsonl", None, &Options::default());
//! reader.feed(one_line.as_bytes());
//! let collected = join(vec![reader.finish()], &Prices::builtin(), &mut |_| None);
//! let event = collected.events().next().unwrap();
//! assert_eq!((event.tool.as_str(), event.project.as_deref()), ("builtin:Bash", Some("api")));
//! ```
//!
//! Reading never fails: what cannot be understood becomes a [`Problem`], and the rest of the file is read. Facts are
//! decided in [`join()`] alone, because a call, its result and its copies may be in different files.

#![warn(missing_docs)]

mod agent;
mod api_messages;
mod call_id;
mod call_ids;
mod reader;
mod shape;

mod amp;
mod claude;
mod cline;
mod codex;
mod copilot;
mod cursor;
mod droid;
mod gemini;
mod kimi;
mod opencode;
pub mod otlp;
mod pi;
mod qwen;
mod roo;
mod vscode;

mod json;
mod project;
pub mod redact;
mod servers;
mod strings;
mod time;
mod tool_name;

mod facts;
mod join;
mod prices;
mod problem;
mod totals;

pub use agent::{Agent, Capabilities, Told, UnknownAgent};
pub use cursor::CursorReader;
pub use facts::{FileFacts, Options};
pub use join::{Collected, Directories, join, join_shared};
pub use opencode::DatabaseReader;
pub use prices::{InvalidPrices, Price, PriceSource, Prices, Tier, read_file as read_price_file};
pub use problem::{Problem, ProblemCode};
pub use reader::{Buffer, LINE_BYTES, LogReader};
pub use servers::McpServers;
pub use totals::{Excluded, TokenTotals, Totals, UnpricedModel};
