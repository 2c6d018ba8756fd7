//! Reading a request body in bounded memory: wire limit, deadline, decompression with its own limits, and a budget that
//! all requests share.

use std::io::Read;

use axum::{body::Body, http::HeaderMap, http::header};
use bytes::Bytes;
use http_body_util::BodyExt;
use model::limits;

use crate::{error::ApiError, memory::Share, state::App};

/// Bodies up to this size are decoded where they are read; larger ones are decoded on a thread of their own.
const SMALL_BYTES: usize = 32 * 1024;

/// How large a body may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// On the wire.
    pub(crate) wire: usize,
    /// Decompressed.
    pub(crate) decoded: usize,
}

/// Those of the API; `GET /v1/limits` lists them.
const API: Bounds = Bounds {
    wire: limits::WIRE_BYTES,
    decoded: limits::DECODED_BYTES,
};

/// Reads a body of the API, decodes it and parses it. For large bodies the last two run outside the threads that serve
/// connections, because they take processor time. Afterwards `memory` is what the decoded body takes.
pub(crate) async fn read<T: Send + 'static>(
    app: &App,
    memory: &mut Share,
    headers: &HeaderMap,
    body: Body,
    parse: impl FnOnce(Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    read_within(API, app, memory, headers, body, parse).await
}

/// The same, for a body with bounds of its own.
pub(crate) async fn read_within<T: Send + 'static>(
    bounds: Bounds,
    app: &App,
    memory: &mut Share,
    headers: &HeaderMap,
    body: Body,
    parse: impl FnOnce(Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let encoding = Encoding::of(headers)?;
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > bounds.wire) {
        return Err(ApiError::body_too_large("the body", bounds.wire));
    }
    let deadline = app.config.body_timeout;
    let wire = tokio::time::timeout(deadline, collect(body, declared, bounds.wire, memory))
        .await
        .map_err(|_| ApiError::BodyTimeout(deadline.as_secs()))??;
    if wire.len() <= SMALL_BYTES {
        return parse(encoding.decode(wire, bounds.decoded, memory)?);
    }
    let failed = |cause: String| ApiError::Internal { cause };
    let _permit = app
        .decoding
        .acquire()
        .await
        .map_err(|error| failed(error.to_string()))?;
    let mut own = memory.take();
    let (parsed, own) = tokio::task::spawn_blocking(move || {
        let parsed = encoding.decode(wire, bounds.decoded, &mut own).and_then(parse);
        (parsed, own)
    })
    .await
    .map_err(|error| failed(error.to_string()))?;
    *memory = own;
    parsed
}

/// Collects the frames of a body into one piece. A body of unknown length takes memory as it arrives.
async fn collect(
    mut body: Body,
    declared: Option<usize>,
    limit: usize,
    memory: &mut Share,
) -> Result<Bytes, ApiError> {
    memory.resize(declared.unwrap_or_default())?;
    let mut wire = Vec::with_capacity(declared.unwrap_or_default());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::BadRequest("the body was cut off in transit".into()))?;
        let Ok(data) = frame.into_data() else { continue };
        if wire.len() + data.len() > limit {
            return Err(ApiError::body_too_large("the body", limit));
        }
        grow(&mut wire, data.len(), limit, 0, memory)?;
        wire.extend_from_slice(&data);
    }
    memory.resize(wire.capacity())?;
    Ok(wire.into())
}

/// Makes room for `more` bytes. While a buffer grows, its old and its new place exist, beside what else is `held`.
fn grow(
    buffer: &mut Vec<u8>,
    more: usize,
    limit: usize,
    held: usize,
    memory: &mut Share,
) -> Result<(), ApiError> {
    let (needed, capacity) = (buffer.len() + more, buffer.capacity());
    if needed > capacity {
        let larger = (capacity / 2 * 3).clamp(needed, needed.max(limit));
        memory.resize(held + capacity + larger)?;
        buffer.reserve_exact(larger - buffer.len());
        memory.resize(held + larger)?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Encoding, ApiError> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = match values.next().map(|value| value.to_str().unwrap_or("?").trim()) {
            None | Some("" | "identity") => Encoding::Identity,
            Some(name) if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                Encoding::Gzip
            }
            Some(name) if name.eq_ignore_ascii_case("zstd") => Encoding::Zstd,
            Some(_) => return Err(unsupported()),
        };
        if values.next().is_some() {
            Err(unsupported())
        } else {
            Ok(encoding)
        }
    }

    fn decode(self, wire: Bytes, limit: usize, memory: &mut Share) -> Result<Bytes, ApiError> {
        let length = wire.len();
        memory.resize(length)?;
        match self {
            Encoding::Identity => Ok(wire),
            Encoding::Gzip => inflate(
                flate2::bufread::MultiGzDecoder::new(&wire[..]),
                length,
                limit,
                memory,
                |decoder| decoder.get_ref().len(),
            ),
            Encoding::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(&wire[..]).map_err(|_| ApiError::Encoding)?;
                // A frame may ask for a window of 2 GiB; 8 MiB is what level 19 of the usual tools needs.
                decoder.window_log_max(23).map_err(|_| ApiError::Encoding)?;
                inflate(decoder, length, limit, memory, |decoder| decoder.get_ref().len())
            }
        }
    }
}

fn unsupported() -> ApiError {
    ApiError::UnsupportedMediaType(
        "`Content-Encoding` is one of identity, gzip, zstd, and is given once".into(),
    )
}

/// How often larger than what was read of the wire the decoded body may be, once it is larger than [`FREE_BYTES`].
/// Logs shrink about tenfold; a bomb shrinks a thousandfold, and is recognised after its first megabyte.
const MAX_RATIO: usize = 100;
const FREE_BYTES: usize = 1024 * 1024;

fn inflate<D: Read>(
    mut decoder: D,
    wire_bytes: usize,
    limit: usize,
    memory: &mut Share,
    unread: impl Fn(&D) -> usize,
) -> Result<Bytes, ApiError> {
    let expected = (wire_bytes * 4).min(limit);
    memory.resize(wire_bytes + expected)?;
    let mut decoded = Vec::with_capacity(expected);
    let mut chunk = vec![0_u8; 64 * 1024];
    loop {
        let read = decoder.read(&mut chunk).map_err(|_| ApiError::Encoding)?;
        if read == 0 {
            memory.resize(decoded.capacity())?;
            return Ok(decoded.into());
        }
        let length = decoded.len() + read;
        let bomb = length > FREE_BYTES && length / MAX_RATIO > wire_bytes - unread(&decoder);
        if length > limit || bomb {
            return Err(ApiError::body_too_large("the decoded body", limit));
        }
        grow(&mut decoded, read, limit, wire_bytes, memory)?;
        decoded.extend_from_slice(&chunk[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn enough() -> Share {
        crate::memory::Memory::new(1 << 30).share(model::OrgId(1))
    }

    #[test]
    fn a_body_that_the_budget_does_not_hold_is_refused_while_it_is_decoded() {
        let body: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let memory = crate::memory::Memory::new(3_000_000);
        let packed = zstd::encode_all(&body[..], 3).unwrap();
        let mut share = memory.share(model::OrgId(1));
        assert!(matches!(
            Encoding::Zstd.decode(packed.clone().into(), limits::DECODED_BYTES, &mut share),
            Err(ApiError::Overloaded { .. })
        ));
        drop(share);
        let mut share = crate::memory::Memory::new(60_000_000).share(model::OrgId(1));
        assert_eq!(
            Encoding::Zstd
                .decode(packed.into(), limits::DECODED_BYTES, &mut share)
                .unwrap(),
            body
        );
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_encodings_read_back() {
        let body: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(
            Encoding::Gzip
                .decode(gzip(&body).into(), limits::DECODED_BYTES, &mut enough())
                .unwrap(),
            body
        );
        assert_eq!(
            Encoding::Zstd
                .decode(
                    zstd::encode_all(&body[..], 3).unwrap().into(),
                    limits::DECODED_BYTES,
                    &mut enough()
                )
                .unwrap(),
            body
        );
    }

    #[test]
    fn a_decompression_bomb_is_refused_before_it_is_expanded() {
        let zeros = vec![0_u8; 40 * 1024 * 1024];
        for error in [
            Encoding::Gzip
                .decode(gzip(&zeros).into(), limits::DECODED_BYTES, &mut enough())
                .unwrap_err(),
            Encoding::Zstd
                .decode(
                    zstd::encode_all(&zeros[..], 3).unwrap().into(),
                    limits::DECODED_BYTES,
                    &mut enough(),
                )
                .unwrap_err(),
        ] {
            assert!(matches!(error, ApiError::TooLarge { .. }), "{error:?}");
        }
    }

    #[test]
    fn a_truncated_body_is_refused() {
        let body: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let (gzip, zstd) = (gzip(&body), zstd::encode_all(&body[..], 3).unwrap());
        assert!(matches!(
            Encoding::Gzip.decode(
                Bytes::copy_from_slice(&gzip[..gzip.len() / 2]),
                limits::DECODED_BYTES,
                &mut enough()
            ),
            Err(ApiError::Encoding)
        ));
        assert!(matches!(
            Encoding::Zstd.decode(
                Bytes::copy_from_slice(&zstd[..zstd.len() / 2]),
                limits::DECODED_BYTES,
                &mut enough()
            ),
            Err(ApiError::Encoding)
        ));
    }
}
