//! The limits of the ingest API, as constants for the code and as data for `GET /v1/limits`.

use serde::{Deserialize, Serialize};

/// The oldest version of an uploader that reads logs as well as today's.
pub const CLIENT_VERSION: &str = "0.1.0";
/// Longest request body on the wire, in bytes.
pub const WIRE_BYTES: usize = 8 * 1024 * 1024;
/// Longest request body after decompression, in bytes.
pub const DECODED_BYTES: usize = 32 * 1024 * 1024;
/// Maximum number of events in one batch.
pub const BATCH_EVENTS: usize = 5_000;
/// Maximum size of one event, in bytes of JSON.
pub const EVENT_BYTES: usize = 64 * 1024;
/// Maximum size of an event's uuid, in bytes.
pub const UUID_BYTES: usize = 128;
/// Maximum length of a tool id, operation, project, session, model, agent or branch, in characters.
pub const NAME_CHARS: usize = 256;
/// Maximum size of a task text, in bytes; longer ones are cut.
pub const TASK_TEXT_BYTES: usize = 8 * 1024;
/// Maximum nesting of one event.
pub const NESTING: usize = 32;
/// Maximum number of rejections (and of warnings) that a receipt lists.
pub const LISTED_REJECTIONS: usize = 100;
/// Maximum `limit` of a list route.
pub const PAGE_ROWS: u32 = 500;
/// `limit` of a list route when none is given.
pub const DEFAULT_PAGE_ROWS: u32 = 50;
/// How far ahead of the server's clock an event may lie, in hours.
pub const FUTURE_HOURS: i64 = 24;
/// Maximum duration of one call, in ms: one year.
pub const DURATION_MS: i64 = 366 * 24 * 3_600 * 1_000;
/// Maximum cost of one call, in USD.
pub const COST_USD: u32 = 1_000_000;
/// Maximum size of one tool's listing in the context of one session, in bytes.
pub const CONTEXT_BYTES: i64 = 1024 * 1024 * 1024;
/// Maximum number of tokens of one kind in one response.
pub const RESPONSE_TOKENS: i64 = 2_000_000_000;
/// Maximum number of tools in one inventory, loaded or installed.
pub const INVENTORY_TOOLS: usize = 50_000;

/// The limits as `GET /v1/limits` answers them. An uploader uses these instead of its own, so that they can change
/// without a release of the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Limits {
    /// Longest request body on the wire, in bytes.
    pub wire_bytes: usize,
    /// Longest request body after decompression, in bytes.
    pub decoded_bytes: usize,
    /// Maximum number of events in one batch.
    pub batch_events: usize,
    /// Maximum size of one event, in bytes of JSON.
    pub event_bytes: usize,
    /// Maximum size of an event's uuid, in bytes.
    pub uuid_bytes: usize,
    /// Maximum length of a name, in characters.
    pub name_chars: usize,
    /// Maximum size of a task text, in bytes.
    pub task_text_bytes: usize,
    /// Maximum nesting of one event.
    pub nesting: usize,
    /// Maximum `limit` of a list route.
    pub page_rows: u32,
    /// Maximum duration of one call, in ms.
    #[serde(default = "duration_ms")]
    pub duration_ms: i64,
    /// Maximum cost of one call, in USD.
    #[serde(default = "cost_usd")]
    pub cost_usd: u32,
    /// How far ahead of the server's clock a time may lie, in hours.
    #[serde(default = "future_hours")]
    pub future_hours: i64,
    /// Maximum number of tools in one inventory, loaded or installed.
    #[serde(default = "inventory_tools")]
    pub inventory_tools: usize,
    /// Maximum size of one tool's listing in the context of one session, in bytes.
    #[serde(default = "context_bytes")]
    pub context_bytes: i64,
    /// The oldest version of an uploader that reads logs as well as this server expects. An older one works, and says
    /// that it should be replaced. Empty from a server that names none.
    #[serde(default)]
    pub client_version: String,
}

// The values for a server that does not name these limits.

fn duration_ms() -> i64 {
    DURATION_MS
}

fn cost_usd() -> u32 {
    COST_USD
}

fn future_hours() -> i64 {
    FUTURE_HOURS
}

fn inventory_tools() -> usize {
    INVENTORY_TOOLS
}

fn context_bytes() -> i64 {
    CONTEXT_BYTES
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wire_bytes: WIRE_BYTES,
            decoded_bytes: DECODED_BYTES,
            batch_events: BATCH_EVENTS,
            event_bytes: EVENT_BYTES,
            uuid_bytes: UUID_BYTES,
            name_chars: NAME_CHARS,
            task_text_bytes: TASK_TEXT_BYTES,
            nesting: NESTING,
            page_rows: PAGE_ROWS,
            duration_ms: DURATION_MS,
            cost_usd: COST_USD,
            future_hours: FUTURE_HOURS,
            inventory_tools: INVENTORY_TOOLS,
            context_bytes: CONTEXT_BYTES,
            client_version: CLIENT_VERSION.to_owned(),
        }
    }
}
