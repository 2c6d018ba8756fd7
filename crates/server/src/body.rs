//! Reading a request body in bounded memory: wire limit, deadline, decompression with its own limits.

use std::io::Read;

use axum::{body::Body, http::HeaderMap, http::header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::limits;

use crate::{error::ApiError, state::App};

/// Bodies up to this size are decoded where they are read; larger ones are decoded on a thread of their own.
const SMALL_BYTES: usize = 32 * 1024;

/// Reads a body, decodes it and parses it. For large bodies the last two run outside the threads that serve connections,
/// because they take processor time.
pub(crate) async fn read<T: Send + 'static>(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    parse: impl FnOnce(Bytes) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let encoding = Encoding::of(headers)?;
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limits::WIRE_BYTES) {
        return Err(ApiError::body_too_large("the body"));
    }
    let deadline = app.config.body_timeout;
    let wire = tokio::time::timeout(deadline, Limited::new(body, limits::WIRE_BYTES).collect())
        .await
        .map_err(|_| ApiError::BodyTimeout(deadline.as_secs()))?
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                ApiError::body_too_large("the body")
            } else {
                ApiError::BadRequest("the body was cut off in transit".into())
            }
        })?
        .to_bytes();
    if wire.len() <= SMALL_BYTES {
        return parse(encoding.decode(wire)?);
    }
    let failed = |cause: String| ApiError::Internal { cause };
    let _permit = app
        .decoding
        .acquire()
        .await
        .map_err(|error| failed(error.to_string()))?;
    tokio::task::spawn_blocking(move || parse(encoding.decode(wire)?))
        .await
        .map_err(|error| failed(error.to_string()))?
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

    fn decode(self, wire: Bytes) -> Result<Bytes, ApiError> {
        let length = wire.len();
        match self {
            Encoding::Identity => Ok(wire),
            Encoding::Gzip => inflate(
                flate2::bufread::MultiGzDecoder::new(&wire[..]),
                length,
                |decoder| decoder.get_ref().len(),
            ),
            Encoding::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(&wire[..]).map_err(|_| ApiError::Encoding)?;
                // A frame may ask for a window of 2 GiB; 8 MiB is what level 19 of the usual tools needs.
                decoder.window_log_max(23).map_err(|_| ApiError::Encoding)?;
                inflate(decoder, length, |decoder| decoder.get_ref().len())
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
    unread: impl Fn(&D) -> usize,
) -> Result<Bytes, ApiError> {
    let mut decoded = Vec::with_capacity((wire_bytes * 4).min(limits::DECODED_BYTES));
    let mut chunk = vec![0_u8; 64 * 1024];
    loop {
        let read = decoder.read(&mut chunk).map_err(|_| ApiError::Encoding)?;
        if read == 0 {
            return Ok(decoded.into());
        }
        decoded.extend_from_slice(&chunk[..read]);
        let bomb = decoded.len() > FREE_BYTES && decoded.len() / MAX_RATIO > wire_bytes - unread(&decoder);
        if decoded.len() > limits::DECODED_BYTES || bomb {
            return Err(ApiError::body_too_large("the decoded body"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_encodings_read_back() {
        let body: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(Encoding::Gzip.decode(gzip(&body).into()).unwrap(), body);
        assert_eq!(
            Encoding::Zstd
                .decode(zstd::encode_all(&body[..], 3).unwrap().into())
                .unwrap(),
            body
        );
    }

    #[test]
    fn a_decompression_bomb_is_refused_before_it_is_expanded() {
        let zeros = vec![0_u8; 40 * 1024 * 1024];
        for error in [
            Encoding::Gzip.decode(gzip(&zeros).into()).unwrap_err(),
            Encoding::Zstd
                .decode(zstd::encode_all(&zeros[..], 3).unwrap().into())
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
            Encoding::Gzip.decode(Bytes::copy_from_slice(&gzip[..gzip.len() / 2])),
            Err(ApiError::Encoding)
        ));
        assert!(matches!(
            Encoding::Zstd.decode(Bytes::copy_from_slice(&zstd[..zstd.len() / 2])),
            Err(ApiError::Encoding)
        ));
    }
}
