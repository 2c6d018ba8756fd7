//! The stylesheet and the icon. Their names contain a hash of what they are, so that browsers keep them for a year.

use std::sync::LazyLock;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use model::text;
use sha2::{Digest, Sha256};

use crate::{error::ApiError, extract::PathParam};

struct Asset {
    name: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
        let hash = text::hex(&Sha256::digest(bytes)[..6]);
        Asset {
            name: format!("{stem}-{hash}.{extension}"),
            media_type,
            bytes,
        }
    }

    fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

static STYLES: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "pages",
        "css",
        "text/css; charset=utf-8",
        include_bytes!("../../assets/pages.css"),
    )
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_bytes!("../../assets/icon.svg"),
    )
});

/// The path of the stylesheet.
pub(super) fn styles() -> String {
    STYLES.path()
}

/// The path of the icon.
pub(super) fn icon() -> String {
    ICON.path()
}

/// One of them, by its name.
pub(crate) async fn get(PathParam(name): PathParam) -> Result<Response, ApiError> {
    let asset = [&*STYLES, &*ICON]
        .into_iter()
        .find(|asset| asset.name == name)
        .ok_or(ApiError::NoRoute)?;
    Response::builder()
        .header(header::CONTENT_TYPE, asset.media_type)
        .header(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        )
        .body(Body::from(asset.bytes))
        .map_err(|error| ApiError::Internal {
            cause: error.to_string(),
        })
}
