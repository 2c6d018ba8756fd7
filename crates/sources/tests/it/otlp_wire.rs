//! An encoder of OTLP's protobuf, by another library than the decoder's own code: from the JSON of the same request.

use prost::Message;
use serde_json::Value;

macro_rules! message {
    ($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(Clone, PartialEq, Message)]
        pub(crate) struct $name { $($(#[$meta])* pub(crate) $field: $type),* }
    };
}

message!(Request { #[prost(message, repeated, tag = "1")] resources: Vec<Resource> });
message!(Resource {
    #[prost(message, optional, tag = "1")] resource: Option<Described>,
    #[prost(message, repeated, tag = "2")] scopes: Vec<Scope>,
    #[prost(string, tag = "3")] schema_url: String,
});
message!(Described { #[prost(message, repeated, tag = "1")] attributes: Vec<Pair> });
message!(ScopeName {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
});
message!(Scope {
    #[prost(message, optional, tag = "1")] scope: Option<ScopeName>,
    #[prost(bytes = "vec", repeated, tag = "2")] items: Vec<Vec<u8>>,
});
message!(LogRecord {
    #[prost(fixed64, tag = "1")] time_unix_nano: u64,
    #[prost(int32, tag = "2")] severity_number: i32,
    #[prost(message, optional, tag = "5")] body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")] attributes: Vec<Pair>,
    #[prost(fixed32, tag = "8")] flags: u32,
    #[prost(bytes = "vec", tag = "9")] trace_id: Vec<u8>,
    #[prost(fixed64, tag = "11")] observed_time_unix_nano: u64,
    #[prost(string, tag = "12")] event_name: String,
});
message!(Span {
    #[prost(bytes = "vec", tag = "1")] trace_id: Vec<u8>,
    #[prost(string, tag = "5")] name: String,
    #[prost(int32, tag = "6")] kind: i32,
    #[prost(fixed64, tag = "7")] start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")] end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")] attributes: Vec<Pair>,
    #[prost(message, optional, tag = "15")] status: Option<Status>,
});
message!(Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
});
message!(Pair {
    #[prost(string, tag = "1")] key: String,
    #[prost(message, optional, tag = "2")] value: Option<AnyValue>,
});
message!(List { #[prost(message, repeated, tag = "1")] values: Vec<AnyValue> });
message!(AnyValue { #[prost(oneof = "Scalar", tags = "1, 2, 3, 4, 5")] value: Option<Scalar> });

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Scalar {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    List(List),
}

/// The request of logs or traces in this JSON, as protobuf.
pub(crate) fn protobuf(request: &Value) -> Vec<u8> {
    let (resources, scopes, items) = if request["resourceLogs"].is_array() {
        ("resourceLogs", "scopeLogs", "logRecords")
    } else {
        ("resourceSpans", "scopeSpans", "spans")
    };
    let request = Request {
        resources: list(&request[resources])
            .map(|resource| Resource {
                resource: Some(Described {
                    attributes: pairs(&resource["resource"]["attributes"]),
                }),
                scopes: list(&resource[scopes])
                    .map(|scope| Scope {
                        scope: Some(ScopeName {
                            name: text(&scope["scope"]["name"]),
                            version: text(&scope["scope"]["version"]),
                        }),
                        items: list(&scope[items]).map(|it| item(it, items == "spans")).collect(),
                    })
                    .collect(),
                schema_url: String::new(),
            })
            .collect(),
    };
    request.encode_to_vec()
}

fn item(item: &Value, is_span: bool) -> Vec<u8> {
    if is_span {
        return Span {
            trace_id: vec![1; 16],
            name: text(&item["name"]),
            kind: 1,
            start_time_unix_nano: number(&item["startTimeUnixNano"]).cast_unsigned(),
            end_time_unix_nano: number(&item["endTimeUnixNano"]).cast_unsigned(),
            attributes: pairs(&item["attributes"]),
            status: Some(Status {
                message: text(&item["status"]["message"]),
                code: i32::try_from(number(&item["status"]["code"])).unwrap_or_default(),
            }),
        }
        .encode_to_vec();
    }
    LogRecord {
        time_unix_nano: number(&item["timeUnixNano"]).cast_unsigned(),
        severity_number: 9,
        body: value(&item["body"]),
        attributes: pairs(&item["attributes"]),
        flags: 1,
        trace_id: vec![1; 16],
        observed_time_unix_nano: number(&item["observedTimeUnixNano"]).cast_unsigned(),
        event_name: text(&item["eventName"]),
    }
    .encode_to_vec()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> i64 {
    let quoted = value.as_str().and_then(|text| text.parse().ok());
    quoted.or(value.as_i64()).unwrap_or_default()
}

fn pairs(value: &Value) -> Vec<Pair> {
    list(value)
        .map(|pair| Pair {
            key: text(&pair["key"]),
            value: self::value(&pair["value"]),
        })
        .collect()
}

fn value(any: &Value) -> Option<AnyValue> {
    let object = any.as_object()?;
    let scalar = object.iter().next().map(|(kind, inner)| match kind.as_str() {
        "stringValue" => Scalar::String(text(inner)),
        "boolValue" => Scalar::Bool(inner.as_bool().unwrap_or_default()),
        "intValue" => Scalar::Int(number(inner)),
        "doubleValue" => Scalar::Double(inner.as_f64().unwrap_or_default()),
        _ => Scalar::List(List {
            values: list(&inner["values"]).filter_map(value).collect(),
        }),
    });
    Some(AnyValue { value: scalar })
}
