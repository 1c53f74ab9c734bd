//! Manifests and indexes as registries give them, checked before anything in them is believed.

use super::auth::Scope;
use super::base::Base;
use super::error::RemoteError;
use super::exchange::{Ask, unreachable};
use super::platform::{self, choose};
use super::{Inner, Remote, answer};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use oci::manifest::{Index, MAX_DOCUMENT_BYTES, Manifest, Platform, media, parse_bounded};
use oci::registry::document::{DOCUMENTS, kind};
use oci::{Digest, Reference};
use std::sync::Arc;

/// What a reference means at its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Of the manifest or index.
    pub digest: Digest,
    /// Which of the two, as the registry says.
    pub media_type: String,
    /// Bytes of it.
    pub size: u64,
}

/// A manifest or index, and who gave it.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub bytes: Bytes,
    pub digest: Digest,
    pub media_type: &'static str,
    pub base: Arc<Base>,
}

/// An image's manifest, and all indexes that led to it.
#[derive(Debug)]
pub(crate) struct Found {
    pub manifest: Manifest,
    pub document: Document,
    pub indexes: Vec<Document>,
}

const MAX_NESTING: usize = 3;
/// More than any file system stacks.
const MAX_LAYERS: usize = 512;

impl Remote {
    /// What a reference means now, without fetching it.
    ///
    /// # Errors
    /// When the registry does not have it, or does not answer.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, RemoteError> {
        let reference = reference.clone().or_latest();
        let target = target(&reference);
        let (sources, mut failed) = self.inner.sources(&reference.registry).await;
        for base in sources {
            match self.inner.head(&base, &reference, &target).await {
                Ok(found) => return Ok(found),
                Err(error) => failed.push(error),
            }
        }
        Err(RemoteError::of_all(failed))
    }
}

/// The digest where one is named: it says more than the tag beside it.
pub(crate) fn target(reference: &Reference) -> String {
    match &reference.digest {
        Some(digest) => digest.to_string(),
        None => reference.tag.clone().unwrap_or_else(|| "latest".into()),
    }
}

/// `repository:tag` or `repository@digest`, as messages name it.
pub(crate) fn named(repository: &str, target: &str) -> String {
    format!("image `{repository}{}{target}`", if target.contains(':') { '@' } else { ':' })
}

impl Inner {
    pub(crate) async fn head(&self, base: &Arc<Base>, reference: &Reference, target: &str) -> Result<Resolved, RemoteError> {
        let repository = &reference.repository;
        let scopes = [Scope { repository: repository.clone(), push: false }];
        let action = format!("look up `{repository}`");
        let ask = Ask::new(Method::HEAD, base.url(repository, &format!("manifests/{target}")), action.as_str());
        let reply = self.ask(base, &scopes, &ask.header(header::ACCEPT, &DOCUMENTS.join(", "))).await?;
        let digest = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
        let size = reply.header(header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        let media_type = reply.header(header::CONTENT_TYPE).map(|text| essence(text).to_owned());
        match (reply.status, digest, size, media_type) {
            (StatusCode::OK, Some(digest), Some(size), Some(media_type)) => {
                if let Some(expected) = reference.digest.filter(|expected| *expected != digest) {
                    return Err(mismatch(base, repository, target, &expected, &digest));
                }
                Ok(Resolved { digest, media_type, size })
            }
            (status, ..) if status == StatusCode::NOT_FOUND || status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN => {
                Err(answer::failure(base, &action, &named(repository, target), reply).await)
            }
            // Not every registry answers HEAD with all of it.
            _ => {
                let found = self.document(base, repository, target, reference.digest).await?;
                Ok(Resolved { digest: found.digest, media_type: found.media_type.to_owned(), size: found.bytes.len() as u64 })
            }
        }
    }

    /// An image's manifest, through indexes, for a machine.
    pub(crate) async fn find(&self, reference: &Reference, wanted: &Platform) -> Result<Found, RemoteError> {
        let (sources, mut failed) = self.sources(&reference.registry).await;
        for base in sources {
            match self.find_at(&base, reference, wanted).await {
                Ok(found) => return Ok(found),
                Err(error) => failed.push(error),
            }
        }
        Err(RemoteError::of_all(failed))
    }

    async fn find_at(&self, base: &Arc<Base>, reference: &Reference, wanted: &Platform) -> Result<Found, RemoteError> {
        let repository = &reference.repository;
        let mut document = self.document(base, repository, &target(reference), reference.digest).await?;
        let mut indexes = Vec::new();
        for _ in 0..=MAX_NESTING {
            let wrong = |why: String| RemoteError::Answer { registry: base.registry.clone(), action: format!("pull `{repository}`"), why };
            if matches!(document.media_type, media::MANIFEST | media::DOCKER_MANIFEST) {
                let manifest: Manifest =
                    parse_bounded(&document.bytes).map_err(|error| wrong(format!("the manifest {}: {error}", document.digest)))?;
                if manifest.layers.len() > MAX_LAYERS {
                    return Err(wrong(format!(
                        "the manifest {} has {} layers; at most {MAX_LAYERS} are taken",
                        document.digest,
                        manifest.layers.len()
                    )));
                }
                return Ok(Found { manifest, document, indexes });
            }
            let index: Index = parse_bounded(&document.bytes).map_err(|error| wrong(format!("the index {}: {error}", document.digest)))?;
            let chosen = choose(&index.manifests, wanted).or(match index.manifests.as_slice() {
                [only] if only.platform.is_none() => Some(only),
                _ => None,
            });
            let Some(chosen) = chosen else { return Err(other_machines(reference, &index, wanted)) };
            let next = self.document(base, repository, &chosen.digest.to_string(), Some(chosen.digest)).await?;
            indexes.push(std::mem::replace(&mut document, next));
        }
        Err(RemoteError::Unsupported(format!("`{reference}`: indexes are nested more than {MAX_NESTING} deep")))
    }

    pub(crate) async fn document(
        &self,
        base: &Arc<Base>,
        repository: &str,
        target: &str,
        expected: Option<Digest>,
    ) -> Result<Document, RemoteError> {
        let action = format!("pull `{repository}`");
        let scopes = [Scope { repository: repository.to_owned(), push: false }];
        let ask = Ask::new(Method::GET, base.url(repository, &format!("manifests/{target}")), action.as_str());
        let reply = self.ask(base, &scopes, &ask.header(header::ACCEPT, &DOCUMENTS.join(", "))).await?;
        if reply.status != StatusCode::OK {
            return Err(answer::failure(base, &action, &named(repository, target), reply).await);
        }
        let said = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
        let media_type = reply.header(header::CONTENT_TYPE).map(|text| essence(text).to_owned()).unwrap_or_default();
        let bytes = reply.bytes(MAX_DOCUMENT_BYTES).await.map_err(|error| unreachable(base, &action, error))?;
        let digest = Digest::of(&bytes);
        if let Some(expected) = expected.or(said).filter(|expected| *expected != digest) {
            return Err(mismatch(base, repository, target, &expected, &digest));
        }
        let media_type = kind(&bytes, &media_type).map_err(|why| RemoteError::Answer {
            registry: base.registry.clone(),
            action: action.clone(),
            why: format!("{} {why}", named(repository, target)),
        })?;
        Ok(Document { bytes, digest, media_type, base: base.clone() })
    }
}

fn mismatch(base: &Base, repository: &str, target: &str, expected: &Digest, found: &Digest) -> RemoteError {
    RemoteError::Digest {
        registry: base.registry.clone(),
        what: named(repository, target),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

fn other_machines(reference: &Reference, index: &Index, wanted: &Platform) -> RemoteError {
    let known = index.manifests.iter().filter_map(|one| one.platform.as_ref()).filter(|platform| platform.os != "unknown");
    let known: Vec<String> = known.take(20).map(platform::shown).map(|text| text.escape_debug().to_string()).collect();
    RemoteError::Unsupported(format!("`{reference}` is not there for {}; it is for {}", platform::shown(wanted), known.join(", ")))
}

fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}
