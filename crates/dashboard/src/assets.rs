//! What pages are drawn with: a stylesheet, a script, a picture. Each is named by its content, so that it never changes.

use base::ids;
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use net::Body;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file of ours.
pub(crate) struct Asset {
    /// Below `/assets/`: `pages.0123456789ab.css`.
    name: String,
    media_type: &'static str,
    text: &'static str,
}

/// How pages look.
pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("assets/pages.css")));
/// What keeps them up to date.
pub(crate) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("js", "text/javascript; charset=utf-8", include_str!("assets/pages.js")));
/// The picture in a tab.
pub(crate) static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("assets/icon.svg")));

impl Asset {
    fn new(extension: &str, media_type: &'static str, text: &'static str) -> Self {
        let digest = ids::hex(&Sha256::digest(text.as_bytes()));
        Self { name: format!("pages.{}.{extension}", digest.get(..12).unwrap_or_default()), media_type, text }
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// The answer for the name of an asset.
pub(crate) fn answer(name: &str) -> Option<Response<Body>> {
    let all: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    let asset = all.into_iter().find(|asset| asset.name == name)?;
    let mut answer = Response::new(Body::from(Bytes::from_static(asset.text.as_bytes())));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Some(answer)
}
