//! Events as a Parquet file, row group after row group: only one of them is in memory.

use std::{
    io::{self, Write},
    sync::Arc,
};

use model::{MicroUsd, api::EventRow};
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::Type,
};

/// Rows of a row group, and the bytes of its texts: whichever is reached first ends it.
const GROUP: (usize, usize) = (50_000, 64 * 1024 * 1024);
/// Digits of a cost, and those after the point: an `i64` of micro-USD.
const COST_DIGITS: (i32, i32) = (18, 6);

/// What a column holds.
#[derive(Clone, Copy)]
enum Values {
    Text(fn(&EventRow) -> Option<&str>),
    /// A text that hardly stands twice, so that a dictionary of it is of no use.
    Unique(fn(&EventRow) -> Option<&str>),
    Count(fn(&EventRow) -> Option<i64>),
    /// Microseconds since 1970.
    Time(fn(&EventRow) -> Option<i64>),
    /// Micro-USD.
    Cost(fn(&EventRow) -> Option<i64>),
}

struct Column {
    key: &'static str,
    repetition: Repetition,
    values: Values,
}

const fn always(key: &'static str, values: Values) -> Column {
    Column {
        key,
        repetition: Repetition::REQUIRED,
        values,
    }
}

const fn maybe(key: &'static str, values: Values) -> Column {
    Column {
        key,
        repetition: Repetition::OPTIONAL,
        values,
    }
}

/// The API's own keys, in its order; null where the API has null.
static COLUMNS: [Column; 18] = [
    always("uuid", Values::Unique(|event| Some(&event.uuid))),
    always("member", Values::Text(|event| Some(&event.member))),
    always("tool_id", Values::Text(|event| Some(&event.tool_id))),
    maybe("operation", Values::Text(|event| event.operation.as_deref())),
    maybe("session_id", Values::Text(|event| event.session_id.as_deref())),
    maybe("project", Values::Text(|event| event.project.as_deref())),
    maybe("task_text", Values::Unique(|event| event.task_text.as_deref())),
    always("outcome", Values::Text(|event| Some(event.outcome.as_str()))),
    maybe(
        "reason",
        Values::Text(|event| event.reason.map(model::Reason::as_str)),
    ),
    maybe("duration_ms", Values::Count(|event| event.duration_ms)),
    maybe("cost_usd", Values::Cost(cost)),
    maybe("model", Values::Text(|event| event.model.as_deref())),
    maybe("agent", Values::Text(|event| event.agent.as_deref())),
    maybe(
        "agent_version",
        Values::Text(|event| event.agent_version.as_deref()),
    ),
    maybe("git_branch", Values::Text(|event| event.git_branch.as_deref())),
    always(
        "occurred_at",
        Values::Time(|event| Some(event.occurred_at.timestamp_micros())),
    ),
    always(
        "received_at",
        Values::Time(|event| Some(event.received_at.timestamp_micros())),
    ),
    always("source", Values::Text(|event| Some(&event.source))),
];

/// The cost as it is stored. The API shows it in USD, which [`MicroUsd`] reads back exactly.
fn cost(event: &EventRow) -> Option<i64> {
    event
        .cost_usd
        .and_then(MicroUsd::from_usd)
        .map(|MicroUsd(micros)| micros)
}

impl Column {
    fn schema(&self) -> Result<Type, ParquetError> {
        let (precision, scale) = COST_DIGITS;
        let (physical, logical) = match self.values {
            Values::Text(_) | Values::Unique(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Values::Count(_) => (Physical::INT64, None),
            Values::Time(_) => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            ),
            Values::Cost(_) => (Physical::INT64, Some(LogicalType::decimal(scale, precision))),
        };
        let mut builder = Type::primitive_type_builder(self.key, physical)
            .with_repetition(self.repetition)
            .with_logical_type(logical);
        if let Values::Cost(_) = self.values {
            builder = builder.with_precision(precision).with_scale(scale);
        }
        builder.build()
    }

    fn write(&self, chunk: &mut SerializedColumnWriter<'_>, rows: &[EventRow]) -> Result<(), ParquetError> {
        match self.values {
            Values::Text(text) | Values::Unique(text) => {
                self.write_as::<ByteArrayType>(chunk, rows, |event| text(event).map(ByteArray::from))
            }
            Values::Count(number) | Values::Time(number) | Values::Cost(number) => {
                self.write_as::<Int64Type>(chunk, rows, number)
            }
        }
    }

    fn write_as<T: DataType>(
        &self,
        chunk: &mut SerializedColumnWriter<'_>,
        rows: &[EventRow],
        value: impl Fn(&EventRow) -> Option<T::T>,
    ) -> Result<(), ParquetError> {
        let (mut values, mut there) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in rows {
            let value = value(row);
            there.push(i16::from(value.is_some()));
            values.extend(value);
        }
        let there = (self.repetition == Repetition::OPTIONAL).then_some(there.as_slice());
        chunk.typed::<T>().write_batch(&values, there, None).map(drop)
    }
}

/// The rows of the next row group.
#[derive(Default)]
pub(super) struct Group {
    rows: Vec<EventRow>,
    bytes: usize,
}

impl Group {
    pub(super) fn push(&mut self, row: EventRow) {
        let texts = COLUMNS.iter().filter_map(|column| match column.values {
            Values::Text(text) | Values::Unique(text) => text(&row).map(str::len),
            Values::Count(_) | Values::Time(_) | Values::Cost(_) => None,
        });
        self.bytes += texts.sum::<usize>();
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        let (rows, bytes) = GROUP;
        self.rows.len() >= rows || self.bytes >= bytes
    }
}

/// A file that is being written. Only [`File::close`] makes it one that can be read.
pub(super) struct File<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> File<W> {
    pub(super) fn new(out: W) -> io::Result<File<W>> {
        let columns: Result<_, _> = COLUMNS
            .iter()
            .map(|column| column.schema().map(Arc::new))
            .collect();
        let schema = columns.and_then(|columns| {
            Type::group_type_builder("event")
                .with_fields(columns)
                .build()
                .map(Arc::new)
        });
        let mut properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
        for column in &COLUMNS {
            if let Values::Unique(_) = column.values {
                properties = properties.set_column_dictionary_enabled(column.key.into(), false);
            }
        }
        schema
            .and_then(|schema| SerializedFileWriter::new(out, schema, Arc::new(properties.build())))
            .map(|writer| File { writer })
            .map_err(io_error)
    }

    pub(super) fn write(&mut self, group: &Group) -> io::Result<()> {
        self.write_columns(&group.rows).map_err(io_error)
    }

    fn write_columns(&mut self, rows: &[EventRow]) -> Result<(), ParquetError> {
        let mut writer = self.writer.next_row_group()?;
        for column in &COLUMNS {
            let mut chunk = writer
                .next_column()?
                .expect("the schema has a column for each of ours");
            column.write(&mut chunk, rows)?;
            chunk.close()?;
        }
        writer.close().map(drop)
    }

    /// Writes the footer, without which the file cannot be read.
    pub(super) fn close(self) -> io::Result<()> {
        self.writer.close().map(drop).map_err(io_error)
    }
}

/// The error of the file below, where it is one.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    fn event(n: usize, task_text: Option<String>) -> EventRow {
        let at = chrono::DateTime::from_timestamp_micros(1_795_500_000_123_456).unwrap();
        EventRow {
            uuid: format!("call_{n}"),
            member: "ann".into(),
            tool_id: "cli:make".into(),
            operation: None,
            session_id: None,
            project: None,
            task_text,
            outcome: model::Outcome::Success,
            reason: None,
            duration_ms: Some(750),
            cost_usd: Some(0.1),
            model: None,
            agent: None,
            agent_version: None,
            git_branch: None,
            occurred_at: at,
            received_at: at,
            source: "api".into(),
        }
    }

    #[test]
    fn long_texts_end_a_row_group_before_its_rows_do() {
        let (rows, bytes) = GROUP;
        for (text, expected) in [(None, rows), (Some("t".repeat(8 * 1024)), bytes / (8 * 1024 + 1))] {
            let mut group = Group::default();
            while !group.is_full() {
                group.push(event(group.rows.len(), text.clone()));
            }
            let pushed = group.rows.len();
            assert!(pushed <= expected && pushed > expected * 9 / 10, "{pushed}");
        }
    }

    #[test]
    fn the_schema_is_typed_and_names_the_keys_of_the_api() {
        let mut bytes = Vec::new();
        let mut file = File::new(&mut bytes).unwrap();
        let mut group = Group::default();
        group.push(event(1, Some("make it so".into())));
        file.write(&group).unwrap();
        file.close().unwrap();
        let read = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let mut schema = Vec::new();
        parquet::schema::printer::print_schema(&mut schema, read.metadata().file_metadata().schema());
        insta::assert_snapshot!(String::from_utf8(schema).unwrap());
        let keys: Vec<&str> = COLUMNS.iter().map(|column| column.key).collect();
        let row = serde_json::to_value(&group.rows[0]).unwrap();
        let mut of_the_api: Vec<&String> = row.as_object().unwrap().keys().collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        of_the_api.sort_unstable();
        assert_eq!(sorted, of_the_api);
    }

    #[test]
    fn the_error_of_the_file_below_is_told_as_it_is() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = File::new(Full).unwrap().close().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
