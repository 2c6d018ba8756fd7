//! Writes events as a Parquet file, one row group at a time.

use std::{
    io::{self, Write},
    sync::Arc,
};

use model::{MicroUsd, api::EventRow};
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::Type,
};

/// Most rows of a row group.
const MAX_GROUP_ROWS: usize = 50_000;
/// Bytes of text after which a row group ends.
const MAX_GROUP_BYTES: usize = 64 * 1024 * 1024;
/// Precision and scale of a cost: an `i64` of micro-USD.
const COST_DIGITS: (i32, i32) = (18, 6);

/// The values of a column.
#[derive(Clone, Copy)]
enum Values {
    Text(fn(&EventRow) -> Option<&str>),
    /// A text that seldom repeats, so that a dictionary does not help.
    Unique(fn(&EventRow) -> Option<&str>),
    Count(fn(&EventRow) -> Option<i64>),
    /// Microseconds since 1970.
    Time(fn(&EventRow) -> Option<i64>),
    /// Micro-USD.
    Cost(fn(&EventRow) -> Option<i64>),
    Flag(fn(&EventRow) -> bool),
}

struct Column {
    key: &'static str,
    repetition: Repetition,
    values: Values,
}

const fn required(key: &'static str, values: Values) -> Column {
    Column {
        key,
        repetition: Repetition::REQUIRED,
        values,
    }
}

const fn optional(key: &'static str, values: Values) -> Column {
    Column {
        key,
        repetition: Repetition::OPTIONAL,
        values,
    }
}

/// The keys of the API, in its order; null where the API has null.
static COLUMNS: [Column; 20] = [
    required("uuid", Values::Unique(|event| Some(&event.uuid))),
    required("member", Values::Text(|event| Some(&event.member))),
    required("tool_id", Values::Text(|event| Some(&event.tool_id))),
    optional("operation", Values::Text(|event| event.operation.as_deref())),
    optional("session_id", Values::Text(|event| event.session_id.as_deref())),
    optional("project", Values::Text(|event| event.project.as_deref())),
    optional("task_text", Values::Unique(|event| event.task_text.as_deref())),
    required("outcome", Values::Text(|event| Some(event.outcome.as_str()))),
    optional(
        "reason",
        Values::Text(|event| event.reason.map(model::Reason::as_str)),
    ),
    optional("duration_ms", Values::Count(|event| event.duration_ms)),
    optional("cost_usd", Values::Cost(|event| micros(event.cost_usd))),
    optional("run_cost_usd", Values::Cost(|event| micros(event.run_cost_usd))),
    optional("model", Values::Text(|event| event.model.as_deref())),
    optional("agent", Values::Text(|event| event.agent.as_deref())),
    optional(
        "agent_version",
        Values::Text(|event| event.agent_version.as_deref()),
    ),
    optional("git_branch", Values::Text(|event| event.git_branch.as_deref())),
    required(
        "occurred_at",
        Values::Time(|event| Some(event.occurred_at.timestamp_micros())),
    ),
    required(
        "received_at",
        Values::Time(|event| Some(event.received_at.timestamp_micros())),
    ),
    required("source", Values::Text(|event| Some(&event.source))),
    required("already_counted", Values::Flag(|event| event.already_counted)),
];

/// The cost as it is stored. The API shows it in USD, which [`MicroUsd`] reads back exactly.
fn micros(usd: Option<f64>) -> Option<i64> {
    usd.and_then(MicroUsd::from_usd).map(|MicroUsd(micros)| micros)
}

impl Column {
    fn schema(&self) -> Result<Type, ParquetError> {
        let (precision, scale) = COST_DIGITS;
        let (physical, logical) = match self.values {
            Values::Text(_) | Values::Unique(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Values::Count(_) => (Physical::INT64, None),
            Values::Flag(_) => (Physical::BOOLEAN, None),
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
            Values::Flag(flag) => self.write_as::<BoolType>(chunk, rows, |event| Some(flag(event))),
        }
    }

    fn write_as<T: DataType>(
        &self,
        chunk: &mut SerializedColumnWriter<'_>,
        rows: &[EventRow],
        value: impl Fn(&EventRow) -> Option<T::T>,
    ) -> Result<(), ParquetError> {
        let (mut values, mut levels) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for row in rows {
            let value = value(row);
            levels.push(i16::from(value.is_some()));
            values.extend(value);
        }
        let levels = (self.repetition == Repetition::OPTIONAL).then_some(levels.as_slice());
        chunk.typed::<T>().write_batch(&values, levels, None).map(drop)
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
            Values::Count(_) | Values::Time(_) | Values::Cost(_) | Values::Flag(_) => None,
        });
        self.bytes += texts.sum::<usize>();
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= MAX_GROUP_ROWS || self.bytes >= MAX_GROUP_BYTES
    }
}

/// A file that is being written. It can be read only after [`File::close`].
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
            let mut chunk = writer.next_column()?.expect("the schema has every column");
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

/// The I/O error that caused a Parquet error, if there is one.
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
            run_cost_usd: None,
            model: None,
            agent: None,
            agent_version: None,
            git_branch: None,
            occurred_at: at,
            received_at: at,
            source: "api".into(),
            already_counted: false,
        }
    }

    #[test]
    fn long_texts_end_a_row_group_before_its_rows_do() {
        let by_bytes = MAX_GROUP_BYTES / (8 * 1024 + 1);
        for (text, expected) in [(None, MAX_GROUP_ROWS), (Some("t".repeat(8 * 1024)), by_bytes)] {
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
        let mut api_keys: Vec<&String> = row.as_object().unwrap().keys().collect();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        api_keys.sort_unstable();
        assert_eq!(sorted, api_keys);
    }

    #[test]
    fn an_io_error_of_the_output_is_returned_unchanged() {
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
