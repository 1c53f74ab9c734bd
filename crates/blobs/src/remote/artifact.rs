//! What stands beside an image in its registry (image spec, "Guidelines for Artifact Usage"; distribution spec, "Listing Referrers"):
//! records, signatures, lists of parts. Registries without that list keep one under a tag.

use super::auth::Scope;
use super::base::Base;
use super::download::Blob;
use super::error::RemoteError;
use super::exchange::{Ask, unreachable};
use super::push::Target;
use super::{Inner, Remote, answer};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use oci::manifest::{Descriptor, Index, MAX_DOCUMENT_BYTES, Manifest, media, parse_bounded};
use oci::registry::link::next_page;
use oci::{Digest, Reference};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A document that stands beside an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    /// What kind of thing it is: a media type.
    pub artifact_type: String,
    /// The media type of its content.
    pub media_type: String,
    /// The content.
    pub content: Vec<u8>,
    /// Free annotations, which lists show.
    pub annotations: BTreeMap<String, String>,
}

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";
/// Pages of a list that are read.
const MAX_PAGES: usize = 100;
const MAX_TAGS: usize = 100_000;

impl Remote {
    /// Puts a document beside an image that is in its registry; the digest of the document's manifest. The same document put twice is
    /// there once.
    ///
    /// # Errors
    /// When the image is not there, or the registry refuses.
    pub async fn attach(&self, image: &Reference, artifact: &Artifact) -> Result<Digest, RemoteError> {
        let subject = self.resolve(image).await?;
        let base = self.inner.base(&image.registry).await?;
        let scopes = [Scope { repository: image.repository.clone(), push: true }];
        let to = Target { base: &base, repository: &image.repository, scopes: &scopes };
        let mut manifest = self.inner.upload_artifact(&to, artifact).await?;
        let described = Descriptor::new(&subject.media_type, subject.digest, subject.size);
        let json = |error: serde_json::Error| RemoteError::Unsupported(format!("an artifact: {error}"));
        manifest.extra.insert("subject".into(), serde_json::to_value(described).map_err(json)?);
        let (digest, bytes) = manifest.to_bytes().map_err(json)?;
        let mut listed = Descriptor::new(media::MANIFEST, digest, bytes.len() as u64);
        listed.annotations.clone_from(&artifact.annotations);
        listed.extra.insert("artifactType".into(), artifact.artifact_type.clone().into());
        let reply = self.inner.put_document(&to, &digest.to_string(), media::MANIFEST, Bytes::from(bytes)).await?;
        let lists = reply.headers.contains_key("oci-subject");
        reply.discard().await;
        if !lists {
            self.inner.list_by_tag(&to, &subject.digest, listed).await?;
        }
        Ok(digest)
    }

    /// Puts a document into a registry under a tag of its own, as `oras push` does; the digest of its manifest.
    ///
    /// # Errors
    /// When the registry refuses.
    pub async fn publish(&self, to: &Reference, artifact: &Artifact) -> Result<Digest, RemoteError> {
        let to = to.clone().or_latest();
        let base = self.inner.base(&to.registry).await?;
        let scopes = [Scope { repository: to.repository.clone(), push: true }];
        let target = Target { base: &base, repository: &to.repository, scopes: &scopes };
        let manifest = self.inner.upload_artifact(&target, artifact).await?;
        let json = |error: serde_json::Error| RemoteError::Unsupported(format!("an artifact: {error}"));
        let (digest, bytes) = manifest.to_bytes().map_err(json)?;
        let tag = to.tag.as_deref().unwrap_or("latest");
        self.inner.put_document(&target, tag, media::MANIFEST, Bytes::from(bytes)).await?.discard().await;
        Ok(digest)
    }

    /// The content of a document that stands under a tag or digest of its own.
    ///
    /// # Errors
    /// As [`Remote::resolve`] and [`Remote::artifact`].
    pub async fn published(&self, from: &Reference, limit_bytes: usize) -> Result<Vec<u8>, RemoteError> {
        let found = self.resolve(from).await?;
        self.artifact(from, &Descriptor::new(&found.media_type, found.digest, found.size), limit_bytes).await
    }

    /// What stands beside an image, of one kind or of all; nothing when the registry knows of nothing.
    ///
    /// # Errors
    /// When the registry refuses, or the image is named by a tag that it does not have.
    pub async fn referrers(&self, image: &Reference, artifact_type: Option<&str>) -> Result<Vec<Descriptor>, RemoteError> {
        let digest = match image.digest {
            Some(digest) => digest,
            None => self.resolve(image).await?.digest,
        };
        let base = self.inner.base(&image.registry).await?;
        let mut found = match self.inner.referrers(&base, &image.repository, &digest, artifact_type).await? {
            Some(found) => found,
            None => self.inner.tagged_list(&base, &image.repository, &digest).await?,
        };
        // Filters are the registry's choice.
        let kind = |one: &Descriptor| one.extra.get("artifactType").and_then(|kind| kind.as_str()).map(str::to_owned);
        found.retain(|one| artifact_type.is_none_or(|wanted| kind(one).as_deref() == Some(wanted)));
        Ok(found)
    }

    /// The content of a document that [`Remote::referrers`] lists.
    ///
    /// # Errors
    /// When it is none of one part, is longer than `limit_bytes`, or is not what its digest says.
    pub async fn artifact(&self, image: &Reference, listed: &Descriptor, limit_bytes: usize) -> Result<Vec<u8>, RemoteError> {
        let base = self.inner.base(&image.registry).await?;
        let repository = &image.repository;
        let document = self.inner.document(&base, repository, &listed.digest.to_string(), Some(listed.digest)).await?;
        let wrong = |why: String| RemoteError::Unsupported(format!("the artifact {} of `{repository}`: {why}", listed.digest));
        let manifest: Manifest = parse_bounded(&document.bytes).map_err(|error| wrong(error.to_string()))?;
        let [content] = manifest.layers.as_slice() else { return Err(wrong(format!("it has {} parts", manifest.layers.len()))) };
        let blob = Blob { base: &base, repository, digest: content.digest, size: content.size, what: "artifact" };
        Ok(self.inner.blob(&blob, limit_bytes).await?.to_vec())
    }

    /// The tags of a repository, as the registry orders them.
    ///
    /// # Errors
    /// When it has no such repository, or refuses.
    pub async fn tags(&self, repository: &Reference) -> Result<Vec<String>, RemoteError> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let base = self.inner.base(&repository.registry).await?;
        let mut tags = Vec::new();
        let mut pages = Pages::new(&base, &repository.repository, "tags/list?n=1000");
        while let Some(bytes) = self.inner.page(&mut pages, "application/json").await? {
            let page: Page = parse_bounded(&bytes).map_err(|error| pages.wrong(error.to_string()))?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > MAX_TAGS {
                return Err(pages.wrong(format!("it has more than {MAX_TAGS} tags")));
            }
        }
        if pages.missing {
            return Err(RemoteError::Missing { registry: base.registry.clone(), what: format!("repository `{}`", repository.repository) });
        }
        Ok(tags)
    }
}

/// A list that comes in pages.
struct Pages<'a> {
    base: &'a Base,
    repository: &'a str,
    next: Option<net::client::Url>,
    left: usize,
    /// The list itself is not there.
    missing: bool,
}

impl<'a> Pages<'a> {
    fn new(base: &'a Base, repository: &'a str, what: &str) -> Self {
        Self { base, repository, next: Some(base.url(repository, what)), left: MAX_PAGES, missing: false }
    }

    fn action(&self) -> String {
        format!("list what `{}` has", self.repository)
    }

    fn wrong(&self, why: String) -> RemoteError {
        RemoteError::Answer { registry: self.base.registry.clone(), action: self.action(), why }
    }
}

impl Inner {
    /// Uploads what an artefact is made of; its manifest, which nothing names yet.
    async fn upload_artifact(&self, to: &Target<'_>, artifact: &Artifact) -> Result<Manifest, RemoteError> {
        let content = Descriptor::new(&artifact.media_type, Digest::of(&artifact.content), artifact.content.len() as u64);
        for bytes in [EMPTY, &artifact.content] {
            let digest = Digest::of(bytes);
            if !self.has_blob(to, &digest).await? {
                self.upload_bytes(to, &digest, Bytes::copy_from_slice(bytes)).await?;
            }
        }
        let mut manifest = Manifest::new(Descriptor::new(EMPTY_TYPE, Digest::of(EMPTY), EMPTY.len() as u64), vec![content]);
        manifest.annotations.clone_from(&artifact.annotations);
        manifest.extra.insert("artifactType".into(), artifact.artifact_type.clone().into());
        Ok(manifest)
    }

    async fn page(&self, pages: &mut Pages<'_>, accept: &str) -> Result<Option<Bytes>, RemoteError> {
        let Some(url) = pages.next.take() else { return Ok(None) };
        if pages.left == 0 {
            return Err(pages.wrong(format!("the list has more than {MAX_PAGES} pages")));
        }
        pages.left -= 1;
        let scopes = [Scope { repository: pages.repository.to_owned(), push: false }];
        let ask = Ask::new(Method::GET, url.clone(), pages.action()).header(header::ACCEPT, accept);
        let reply = self.ask(pages.base, &scopes, &ask).await?;
        if reply.status == StatusCode::NOT_FOUND {
            pages.missing = true;
            reply.discard().await;
            return Ok(None);
        }
        if reply.status != StatusCode::OK {
            return Err(answer::failure(pages.base, &pages.action(), "such list", reply).await);
        }
        let next = reply.header(header::LINK).and_then(next_page).map(|next| url.join(next)).transpose();
        let next = next.map_err(|error| pages.wrong(format!("its next page is {error}")))?;
        // Pages of another server are nothing that was asked for.
        pages.next = next.filter(|next| next.origin == pages.base.origin);
        reply.bytes(MAX_DOCUMENT_BYTES).await.map(Some).map_err(|error| unreachable(pages.base, &pages.action(), error))
    }

    /// `None` where the registry knows no such list.
    async fn referrers(
        &self,
        base: &Arc<Base>,
        repository: &str,
        digest: &Digest,
        kind: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, RemoteError> {
        let mut pages = Pages::new(base, repository, &format!("referrers/{digest}"));
        pages.next = kind.map(|kind| base.url(repository, &format!("referrers/{digest}")).with("artifactType", kind)).or(pages.next);
        let mut found = Vec::new();
        while let Some(bytes) = self.page(&mut pages, media::INDEX).await? {
            let index: Index = parse_bounded(&bytes).map_err(|error| pages.wrong(error.to_string()))?;
            found.extend(index.manifests);
        }
        Ok((!pages.missing).then_some(found))
    }

    /// Distribution spec, "Referrers Tag Schema".
    async fn tagged_list(&self, base: &Arc<Base>, repository: &str, digest: &Digest) -> Result<Vec<Descriptor>, RemoteError> {
        match self.document(base, repository, &tag_of(digest), None).await {
            Ok(document) => {
                let wrong = |why: String| RemoteError::Answer {
                    registry: base.registry.clone(),
                    action: format!("list what stands beside {digest}"),
                    why,
                };
                Ok(parse_bounded::<Index>(&document.bytes).map_err(|error| wrong(error.to_string()))?.manifests)
            }
            Err(RemoteError::Missing { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn list_by_tag(&self, to: &Target<'_>, subject: &Digest, listed: Descriptor) -> Result<(), RemoteError> {
        let mut list = self.tagged_list(to.base, to.repository, subject).await?;
        if list.iter().any(|one| one.digest == listed.digest) {
            return Ok(());
        }
        list.push(listed);
        let index = oci::canonical::to_vec(&Index::new(list)).map_err(|error| RemoteError::Unsupported(format!("an index: {error}")))?;
        self.put_document(to, &tag_of(subject), media::INDEX, Bytes::from(index)).await?.discard().await;
        Ok(())
    }
}

fn tag_of(digest: &Digest) -> String {
    format!("sha256-{}", digest.hex())
}
