//! The JSON encoding. Parts whose meaning depends on a later sibling (a resource may come after its records) stay slices
//! of the body until it is known; unknown fields are ignored, and null is the same as a missing field.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    Malformed, Signal,
    attributes::{Attributes, Key, Value},
    record::{NAME_BYTES, Origin, Record},
};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    resource_logs: Option<&'a RawValue>,
    #[serde(borrow)]
    resource_spans: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Resource<'a> {
    #[serde(borrow)]
    resource: Option<Described<'a>>,
    #[serde(borrow)]
    scope_logs: Option<&'a RawValue>,
    #[serde(borrow)]
    scope_spans: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Described<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Scope<'a> {
    #[serde(borrow)]
    scope: Option<Described<'a>>,
    #[serde(borrow)]
    log_records: Option<&'a RawValue>,
    #[serde(borrow)]
    spans: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Item<'a> {
    time_unix_nano: Option<Number>,
    observed_time_unix_nano: Option<Number>,
    start_time_unix_nano: Option<Number>,
    end_time_unix_nano: Option<Number>,
    #[serde(borrow)]
    event_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    status: Option<Status>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: Option<Code>,
}

/// An enum is a number in OTLP; the name of the value is read, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Number(i64),
    Name(String),
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnyValue<'a> {
    #[serde(borrow)]
    string_value: Option<Cow<'a, str>>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
}

/// A number, or a string that holds one, as 64-bit integers are sent.
struct Number(f64, Option<i64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
        struct Visit;
        impl Visitor<'_> for Visit {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a string that holds one")
            }

            #[expect(clippy::cast_precision_loss, reason = "the exact value is beside it")]
            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64, Some(number)))
            }

            #[expect(clippy::cast_precision_loss, reason = "the exact value is beside it")]
            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64, i64::try_from(number).ok()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number, None))
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                // An empty or odd text is the same as no number: agents send empty strings.
                Ok(Number(text.parse().unwrap_or_default(), text.parse().ok()))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl Number {
    fn ns(this: Option<Number>) -> u64 {
        let whole = this.and_then(|Number(_, whole)| whole);
        whole.and_then(|ns| u64::try_from(ns).ok()).unwrap_or_default()
    }
}

/// Elements of one array, each given to a function as it is read, so that no list of them exists.
struct Each<F>(F);

impl<'de, F: FnMut(&'de RawValue) -> Result<(), serde_json::Error>> DeserializeSeed<'de> for Each<F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&'de RawValue) -> Result<(), serde_json::Error>> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
        while let Some(element) = array.next_element::<&RawValue>()? {
            (self.0)(element).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

fn each<'a>(
    array: Option<&'a RawValue>,
    act: impl FnMut(&'a RawValue) -> Result<(), serde_json::Error>,
) -> Result<(), serde_json::Error> {
    match array {
        Some(array) if array.get() != "null" => {
            Each(act).deserialize(&mut serde_json::Deserializer::from_str(array.get()))
        }
        _ => Ok(()),
    }
}

/// A value; null is the empty one.
fn read<'a, T: Deserialize<'a> + Default>(raw: &'a RawValue) -> Result<T, serde_json::Error> {
    Ok(serde_json::from_str::<Option<T>>(raw.get())?.unwrap_or_default())
}

/// Gives every record of a request to `take`.
pub(super) fn walk(
    body: &[u8],
    signal: Signal,
    take: &mut dyn FnMut(&Record, &Origin),
) -> Result<(), Malformed> {
    requests(body, signal, take).map_err(|error| Malformed::Json(error.line(), error.column()))
}

fn requests(
    body: &[u8],
    signal: Signal,
    take: &mut dyn FnMut(&Record, &Origin),
) -> Result<(), serde_json::Error> {
    let request: Request<'_> = serde_json::from_slice(body)?;
    let resources = match signal {
        Signal::Logs => request.resource_logs,
        Signal::Traces => request.resource_spans,
    };
    each(resources, |raw| {
        let message: Resource<'_> = read(raw)?;
        let mut origin = Origin::default();
        let described = message.resource.unwrap_or_default();
        attributes(described.attributes, &mut origin.resource)?;
        let scopes = match signal {
            Signal::Logs => message.scope_logs,
            Signal::Traces => message.scope_spans,
        };
        each(scopes, |raw| {
            let message: Scope<'_> = read(raw)?;
            let name = message.scope.unwrap_or_default().name;
            origin.scope = cut(name.as_deref());
            let items = match signal {
                Signal::Logs => message.log_records,
                Signal::Traces => message.spans,
            };
            each(items, |raw| {
                take(&record(read(raw)?, signal)?, &origin);
                Ok(())
            })
        })
    })
}

fn cut(name: Option<&str>) -> String {
    model::text::truncate_bytes(name.unwrap_or_default(), NAME_BYTES).to_owned()
}

fn record(item: Item<'_>, signal: Signal) -> Result<Record, serde_json::Error> {
    let is_span = signal == Signal::Traces;
    let (time, end, name) = if is_span {
        (item.start_time_unix_nano, item.end_time_unix_nano, item.name)
    } else {
        (item.time_unix_nano, item.observed_time_unix_nano, item.event_name)
    };
    let failed = match item.status.and_then(|status| status.code) {
        Some(Code::Number(code)) => code == 2,
        Some(Code::Name(name)) => name == "STATUS_CODE_ERROR",
        None => false,
    };
    let mut record = Record {
        is_span,
        name: cut(name.as_deref()),
        time_ns: Number::ns(time),
        end_ns: Number::ns(end),
        failed,
        attributes: Attributes::default(),
    };
    attributes(item.attributes, &mut record.attributes)?;
    Ok(record)
}

/// Reads attributes. The key is looked at first: the value of another one is passed over.
fn attributes(raw: Option<&RawValue>, into: &mut Attributes) -> Result<(), serde_json::Error> {
    each(raw, |raw| {
        let Some(pair) = serde_json::from_str::<Option<Pair<'_>>>(raw.get())? else {
            return Ok(());
        };
        let key = pair.key.as_deref().and_then(Key::of);
        let (Some(key), Some(raw)) = (key, pair.value) else {
            return Ok(());
        };
        let value: AnyValue<'_> = match raw.get().as_bytes().first() {
            Some(b'{') => read(raw)?,
            _ => return serde_json::from_str::<IgnoredAny>(raw.get()).map(|_| ()),
        };
        if let Some(text) = value.string_value {
            into.put(key, Value::Text(text));
        } else if let Some(is) = value.bool_value {
            into.put(key, Value::Bool(is));
        } else if let Some(Number(_, Some(number))) = value.int_value {
            into.put(key, Value::Int(number));
        } else if let Some(Number(number, _)) = value.double_value {
            into.put(key, Value::Double(number));
        }
        Ok(())
    })
}
