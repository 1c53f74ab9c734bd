//! Manifests: read and written by tag and by digest, removed.

use super::{Answered, Call, DIGEST, empty, text};
use crate::digest::{Algorithm, Digest};
use crate::error::{self, ApiError};
use crate::manifest;
use crate::request::Named;
use crate::writer::Change;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use net::{Body, BodyError};
use std::sync::Arc;
use tokio::sync::SemaphorePermit;

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");
/// Tags of one push by digest.
const MOST_TAGS: usize = 100;

impl Call<'_> {
    pub(super) fn manifest(&self, named: &Named) -> Answered {
        let store = &self.core.store;
        let digest = match named {
            Named::Tag(tag) => store.tag(&self.repository, tag),
            Named::Digest(digest) => Some(digest.clone()),
        };
        let found = digest.and_then(|digest| store.manifest(&self.repository, &digest)).ok_or_else(|| self.no_manifest())?;
        let tag = format!("\"{}\"", found.digest);
        let own = [(DIGEST, text(&found.digest.to_string())), (header::ETAG, text(&tag))];
        if self.has(&tag) {
            return Ok(empty(StatusCode::NOT_MODIFIED, own));
        }
        let bytes = if self.head_only { Ok(Bytes::new()) } else { found.content.read() };
        let mut answer = Response::new(Body::from(bytes.map_err(|error| ApiError::system(&error))?));
        let headers = answer.headers_mut();
        headers.extend(own);
        headers.insert(header::CONTENT_LENGTH, found.content.size.into());
        headers.insert(header::CONTENT_TYPE, text(&found.facts.media_type));
        Ok(answer)
    }

    fn no_manifest(&self) -> ApiError {
        if self.core.store.has_repository(&self.repository) {
            return ApiError::unknown(error::MANIFEST_UNKNOWN, "there is no such manifest in this repository");
        }
        ApiError::unknown(error::NAME_UNKNOWN, "there is no such repository")
    }

    pub(super) async fn put_manifest(&self, named: &Named, body: &mut Option<Incoming>) -> Answered {
        let mut tags = match named {
            Named::Tag(tag) => vec![Arc::from(tag.as_str())],
            Named::Digest(_) => Vec::new(),
        };
        if matches!(named, Named::Digest(_)) {
            tags.extend(self.more_tags()?);
        }
        let (bytes, _room) = self.manifest_body(body).await?;
        let digest = match named {
            Named::Tag(_) => Digest::of(Algorithm::Sha256, &bytes),
            Named::Digest(expected) => {
                let found = Digest::of(expected.algorithm(), &bytes);
                if found != *expected {
                    return Err(ApiError::bad(error::DIGEST_INVALID, format!("the manifest has the digest {found}")));
                }
                found
            }
        };
        let said = self.headers.get(header::CONTENT_TYPE).map(|said| said.to_str().unwrap_or("?"));
        let facts = Arc::new(manifest::read(&bytes, said, self.core.store.now())?);
        let change = Change::Manifest {
            repository: self.repository.clone(),
            digest: digest.clone(),
            bytes,
            facts: facts.clone(),
            tags: tags.clone(),
        };
        self.core.store.change(change).await.map_err(|refusal| ApiError::refused(refusal, error::MANIFEST_UNKNOWN))?;
        let location = self.path(&format!("manifests/{digest}"));
        let mut answer = empty(StatusCode::CREATED, [(header::LOCATION, location), (DIGEST, text(&digest.to_string()))]);
        if let Some(subject) = &facts.subject {
            answer.headers_mut().insert(SUBJECT, text(&subject.to_string()));
        }
        if matches!(named, Named::Digest(_)) {
            for tag in &tags {
                answer.headers_mut().append(TAG, text(tag));
            }
        }
        Ok(answer)
    }

    /// The tags of the query (distribution spec, end-7b).
    fn more_tags(&self) -> Result<Vec<Arc<str>>, ApiError> {
        let tags: Vec<_> = self.query.all("tag").collect();
        if tags.len() > MOST_TAGS {
            let message = format!("at most {MOST_TAGS} tags can be set at once");
            return Err(ApiError::new(StatusCode::URI_TOO_LONG, error::MANIFEST_INVALID, message));
        }
        let wrong = |tag: &str| ApiError::bad(error::MANIFEST_INVALID, format!("`{tag:.128}` is no tag"));
        tags.iter().map(|tag| if oci::reference::is_tag(tag) { Ok(Arc::from(&**tag)) } else { Err(wrong(tag)) }).collect()
    }

    /// The body, with its place in memory.
    async fn manifest_body(&self, body: &mut Option<Incoming>) -> Result<(Bytes, SemaphorePermit<'_>), ApiError> {
        let limits = &self.core.limits;
        let too_large = || {
            let message = format!("a manifest has at most {} bytes", limits.manifest_bytes);
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, error::SIZE_INVALID, message)
        };
        let announced = self.header(header::CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limits.manifest_bytes) {
            return Err(too_large());
        }
        // Many large ones at once wait for each other, so that memory stays bounded.
        let weight = announced.unwrap_or(limits.manifest_bytes).div_ceil(1024);
        let room = self.core.manifest_room.acquire_many(u32::try_from(weight).unwrap_or(u32::MAX)).await;
        let room = room.map_err(|error| ApiError::system(&std::io::Error::other(error)))?;
        let body = body.take().ok_or_else(|| ApiError::bad(error::MANIFEST_INVALID, "the manifest is missing"))?;
        let read = net::read_body(body, limits.manifest_bytes, limits.body_idle).await.map_err(|error| match error {
            BodyError::TooLarge(_) => too_large(),
            BodyError::TooSlow => ApiError::new(StatusCode::REQUEST_TIMEOUT, error::MANIFEST_INVALID, error.to_string()),
            BodyError::Broken => ApiError::bad(error::MANIFEST_INVALID, error.to_string()),
        });
        Ok((read?, room))
    }

    pub(super) async fn delete_manifest(&self, named: &Named) -> Answered {
        let repository = self.repository.clone();
        let change = match named {
            Named::Tag(tag) => Change::NoTag { repository, tag: tag.as_str().into() },
            Named::Digest(digest) => Change::NoManifest { repository, digest: digest.clone() },
        };
        self.core.store.change(change).await.map_err(|refusal| ApiError::refused(refusal, error::MANIFEST_UNKNOWN))?;
        Ok(empty(StatusCode::ACCEPTED, [(header::CONTENT_LENGTH, HeaderValue::from_static("0"))]))
    }
}
