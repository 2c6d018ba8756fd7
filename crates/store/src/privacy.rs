//! Personal data: retention, export and deletion.

mod columns;
mod copies;
mod erase;
mod export;
mod retention;
mod settings;

pub use columns::{COLUMNS, Class};
pub use export::{EXPORTED, Export};
pub use retention::RetentionDeleted;
