//! What is kept about people, for how long, and how it is given back or removed.

mod columns;
mod erase;
mod export;
mod retention;
mod settings;

pub use columns::{COLUMNS, Class};
pub use export::{EXPORTED, Export};
pub use retention::RetentionDeleted;
