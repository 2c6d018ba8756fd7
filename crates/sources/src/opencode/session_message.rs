//! Messages of the table `session_message`: a response holds its calls itself.

use super::{part::Part, record::Info};
use crate::json::{Cursor, Malformed, Str};

/// A row of the table.
#[derive(Default)]
pub(super) struct SessionMessage<'a> {
    pub(super) info: Info<'a>,
    pub(super) content: Vec<Part<'a>>,
    /// The text of a person's message.
    pub(super) text: Option<Str<'a>>,
}

impl<'a> SessionMessage<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<SessionMessage<'a>, Malformed> {
        let mut message = SessionMessage::default();
        cursor.object(|cursor, key| message.field(cursor, key))?;
        Ok(message)
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"text" => self.text = cursor.string()?,
            b"model" => cursor.object(|cursor, key| match key {
                b"id" | b"modelID" => self.info.field(cursor, b"modelID"),
                _ => cursor.skip(),
            })?,
            b"content" => cursor.array(|cursor| {
                self.content.push(Part::read_content(cursor)?);
                Ok(())
            })?,
            _ => self.info.field(cursor, key)?,
        }
        Ok(())
    }
}
