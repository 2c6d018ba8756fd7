//! The protobuf encoding: walks the bytes and copies only what is read.
//!
//! Field numbers are those of `opentelemetry/proto/{logs,trace,common,resource}/v1`. A message is a slice of the body, so
//! reading it twice costs nothing: a resource may come after the records that it describes.

use super::{
    Malformed, Signal,
    attributes::{Attributes, Key, Value},
    record::{NAME_BYTES, Origin, Record},
};

/// A field of a message.
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// A type that no field which is read has.
    Other,
}

/// Walks the fields of a message.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed::Protobuf("a field has the number 0"));
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?;
                Field::Fixed64(bytes.try_into().map_or(0, u64::from_le_bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Field::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Field::Other
            }
            _ => return Err(Malformed::Protobuf("a field has an unknown type")),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for (nth, &byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (nth * 7);
            if byte < 0x80 {
                self.0 = &self.0[nth + 1..];
                return Ok(value);
            }
        }
        Err(Malformed::Protobuf("a number does not end"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Malformed::Protobuf("it ends in the middle of a field"))?;
        self.0 = rest;
        Ok(taken)
    }
}

fn fields<'a>(
    message: &'a [u8],
    mut each: impl FnMut(u64, Field<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields(message);
    while let Some((number, field)) = fields.next()? {
        each(number, field)?;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::Protobuf("a text is not UTF-8"))
}

/// Gives every record of a request to `each`.
pub(super) fn walk(
    request: &[u8],
    signal: Signal,
    each: &mut dyn FnMut(&Record, &Origin),
) -> Result<(), Malformed> {
    fields(request, |number, field| match (number, field) {
        // resource_logs, resource_spans
        (1, Field::Bytes(message)) => resource(message, signal, each),
        _ => Ok(()),
    })
}

fn resource(message: &[u8], signal: Signal, each: &mut dyn FnMut(&Record, &Origin)) -> Result<(), Malformed> {
    let mut origin = Origin::default();
    fields(message, |number, field| match (number, field) {
        (1, Field::Bytes(resource)) => fields(resource, |number, field| match (number, field) {
            (1, Field::Bytes(pair)) => attribute(pair, &mut origin.resource),
            _ => Ok(()),
        }),
        _ => Ok(()),
    })?;
    fields(message, |number, field| match (number, field) {
        (2, Field::Bytes(message)) => scope(message, signal, &mut origin, each),
        _ => Ok(()),
    })
}

fn scope(
    message: &[u8],
    signal: Signal,
    origin: &mut Origin,
    each: &mut dyn FnMut(&Record, &Origin),
) -> Result<(), Malformed> {
    origin.scope.clear();
    fields(message, |number, field| match (number, field) {
        (1, Field::Bytes(scope)) => fields(scope, |number, field| match (number, field) {
            (1, Field::Bytes(name)) => name_of(name, &mut origin.scope),
            _ => Ok(()),
        }),
        _ => Ok(()),
    })?;
    fields(message, |number, field| match (number, field) {
        (2, Field::Bytes(message)) => {
            let record = match signal {
                Signal::Logs => log(message)?,
                Signal::Traces => span(message)?,
            };
            each(&record, origin);
            Ok(())
        }
        _ => Ok(()),
    })
}

fn name_of(bytes: &[u8], name: &mut String) -> Result<(), Malformed> {
    name.clear();
    name.push_str(model::text::truncate_bytes(text(bytes)?, NAME_BYTES));
    Ok(())
}

fn log(message: &[u8]) -> Result<Record, Malformed> {
    let mut record = Record::default();
    fields(message, |number, field| {
        match (number, field) {
            (1, Field::Fixed64(ns)) => record.time_ns = ns,
            (6, Field::Bytes(pair)) => attribute(pair, &mut record.attributes)?,
            (11, Field::Fixed64(ns)) => record.end_ns = ns,
            (12, Field::Bytes(name)) => name_of(name, &mut record.name)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(record)
}

fn span(message: &[u8]) -> Result<Record, Malformed> {
    let mut record = Record {
        is_span: true,
        ..Record::default()
    };
    fields(message, |number, field| {
        match (number, field) {
            (5, Field::Bytes(name)) => name_of(name, &mut record.name)?,
            (7, Field::Fixed64(ns)) => record.time_ns = ns,
            (8, Field::Fixed64(ns)) => record.end_ns = ns,
            (9, Field::Bytes(pair)) => attribute(pair, &mut record.attributes)?,
            (15, Field::Bytes(status)) => fields(status, |number, field| {
                if let (3, Field::Varint(code)) = (number, field) {
                    record.failed = code == 2;
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(record)
}

/// Reads a `KeyValue`. The key is looked at first: the value of another one is not.
fn attribute(pair: &[u8], attributes: &mut Attributes) -> Result<(), Malformed> {
    let (mut key, mut value) = (None, None);
    fields(pair, |number, field| {
        match (number, field) {
            (1, Field::Bytes(name)) => key = Key::of(text(name)?),
            (2, Field::Bytes(message)) => value = Some(message),
            _ => {}
        }
        Ok(())
    })?;
    let (Some(key), Some(value)) = (key, value) else {
        return Ok(());
    };
    let mut scalar = None;
    fields(value, |number, field| {
        scalar = match (number, field) {
            (1, Field::Bytes(bytes)) => Some(Value::Text(text(bytes)?.into())),
            (2, Field::Varint(is)) => Some(Value::Bool(is != 0)),
            (3, Field::Varint(number)) => Some(Value::Int(number.cast_signed())),
            (4, Field::Fixed64(bits)) => Some(Value::Double(f64::from_bits(bits))),
            // Lists, maps and bytes are not read.
            _ => None,
        };
        Ok(())
    })?;
    if let Some(scalar) = scalar {
        attributes.put(key, scalar);
    }
    Ok(())
}
