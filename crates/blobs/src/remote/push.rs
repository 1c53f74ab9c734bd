//! Images out of the store into registries: what is there is not sent, what a sister repository has is mounted.

use super::auth::Scope;
use super::base::Base;
use super::error::RemoteError;
use super::exchange::Ask;
use super::progress::{Progress, Step, Teller, tell};
use super::upload::Parcel;
use super::{Inner, Remote, answer, blocking};
use crate::compress::Compression;
use crate::distribution::{Distribution, Packed};
use crate::images::Image;
use crate::store::Store;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::{Method, StatusCode, header};
use net::client::Reply;
use oci::manifest::media;
use oci::{DiffId, Digest, Reference};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// Of the manifest.
    pub digest: Digest,
    /// Registry, repository and digest: what may be deployed.
    pub reference: Reference,
    /// Blobs that were sent, and manifests.
    pub uploaded: usize,
    /// Bytes that were sent.
    pub uploaded_bytes: u64,
    /// Blobs that were there.
    pub skipped: usize,
    /// Blobs that the registry took over from another repository.
    pub mounted: usize,
}

/// Where to, with the right to write there.
pub(crate) struct Target<'a> {
    pub base: &'a Arc<Base>,
    pub repository: &'a str,
    pub scopes: &'a [Scope],
}

/// What became of a blob.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sent {
    Present,
    Mounted,
    Uploaded(u64),
}

impl Remote {
    /// Sends an image: blobs that are missing, then the manifest by its digest, then its tags (`to`'s own and `tags`).
    ///
    /// The digest is that of [`Store::distribution`]; where `to` names another one, no manifest is sent. A push that is cut, also by SIGKILL, leaves blobs, which the next one finds.
    ///
    /// # Errors
    /// When the registry refuses or does not answer, or a layer here is damaged.
    pub async fn push(
        &self,
        store: &Store,
        image: &Image,
        to: &Reference,
        tags: &[String],
        compression: Compression,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pushed, RemoteError> {
        let base = self.inner.base(&to.registry).await?;
        let scopes = [Scope { repository: to.repository.clone(), push: true }];
        let target = Target { base: &base, repository: &to.repository, scopes: &scopes };
        let (holding, known) = (store.clone(), image.clone());
        let _hold = blocking(move || holding.hold()).await?;
        let remembering = store.clone();
        let remembered = blocking(move || remembering.remembered(&known, compression)).await?;
        let mut pushed = Counted::default();
        let layers: BTreeSet<DiffId> = image.layers.iter().copied().collect();
        let there = match &remembered {
            Some(known) => self.inner.has_manifest(&target, &known.manifest_digest).await?,
            None => false,
        };
        let distribution = if let Some(known) = remembered.filter(|_| there) {
            layers.iter().for_each(|id| tell(progress, id.to_string(), Step::Present, 0, None));
            pushed.skipped = layers.len() + 1;
            known
        } else {
            self.inner.send_layers(store, &target, &layers, compression, progress, &mut pushed).await?;
            let (packing, packed) = (store.clone(), image.clone());
            let distribution = blocking(move || packing.distribution(&packed, compression)).await?;
            if let Some(expected) = to.digest.filter(|expected| *expected != distribution.manifest_digest) {
                let (what, found) = (format!("the image as it would be pushed to `{to}`"), distribution.manifest_digest.to_string());
                return Err(crate::BlobError::Digest { what, expected: expected.to_string(), found }.into());
            }
            pushed.count(self.inner.send_config(&target, &distribution, progress).await?);
            self.inner.put_manifest(&target, &distribution.manifest_digest.to_string(), &distribution).await?;
            pushed.uploaded += 1;
            distribution
        };
        for tag in to.tag.iter().chain(tags).collect::<BTreeSet<_>>() {
            self.inner.put_tag(&target, tag, &distribution).await?;
        }
        let digest = distribution.manifest_digest;
        let reference = Reference { tag: None, digest: Some(digest), ..to.clone() };
        let Counted { uploaded, bytes, skipped, mounted } = pushed;
        Ok(Pushed { digest, reference, uploaded, uploaded_bytes: bytes, skipped, mounted })
    }
}

#[derive(Default)]
struct Counted {
    uploaded: usize,
    bytes: u64,
    skipped: usize,
    mounted: usize,
}

impl Counted {
    fn count(&mut self, sent: Sent) {
        match sent {
            Sent::Present => self.skipped += 1,
            Sent::Mounted => self.mounted += 1,
            Sent::Uploaded(bytes) => {
                self.uploaded += 1;
                self.bytes += bytes;
            }
        }
    }
}

impl Target<'_> {
    pub(crate) fn action(&self) -> String {
        format!("push to `{}`", self.repository)
    }

    pub(crate) fn wrong(&self, why: impl Into<String>) -> RemoteError {
        RemoteError::Answer { registry: self.base.registry.clone(), action: self.action(), why: why.into() }
    }
}

impl Inner {
    async fn send_layers(
        &self,
        store: &Store,
        target: &Target<'_>,
        layers: &BTreeSet<DiffId>,
        compression: Compression,
        teller: Teller<'_>,
        pushed: &mut Counted,
    ) -> Result<(), RemoteError> {
        let sending = layers.iter().map(|id| self.send_layer(store, target, *id, compression, teller));
        let sending: Vec<_> = sending.collect();
        let sent: Vec<Sent> = futures::stream::iter(sending).buffer_unordered(self.options.parallel.max(1)).try_collect().await?;
        sent.into_iter().for_each(|sent| pushed.count(sent));
        Ok(())
    }

    async fn send_layer(
        &self,
        store: &Store,
        target: &Target<'_>,
        id: DiffId,
        compression: Compression,
        teller: Teller<'_>,
    ) -> Result<Sent, RemoteError> {
        let remembering = store.clone();
        let known = blocking(move || remembering.packed(&id, compression)).await?;
        if let Some(known) = &known
            && self.has_blob(target, &known.digest).await?
        {
            tell(teller, id.to_string(), Step::Present, known.size, Some(known.size));
            self.remember_place(store, target, id, compression, known.clone()).await?;
            return Ok(Sent::Present);
        }
        let parcel = Parcel { store, target, id, compression, known, teller };
        let (sent, packed) = self.upload_layer(&parcel).await?;
        let size = packed.size;
        self.remember_place(store, target, id, compression, packed).await?;
        let step = if matches!(sent, Sent::Mounted) { Step::Mounted } else { Step::Uploaded };
        tell(teller, id.to_string(), step, size, Some(size));
        Ok(sent)
    }

    /// So that the layer can be mounted from there.
    async fn remember_place(
        &self,
        store: &Store,
        target: &Target<'_>,
        id: DiffId,
        compression: Compression,
        packed: Packed,
    ) -> Result<(), RemoteError> {
        let place = (target.base.registry.clone(), target.repository.to_owned());
        if packed.is_at(&place) {
            return Ok(());
        }
        let store = store.clone();
        blocking(move || store.remember(&id, compression, &packed, Some(&place))).await
    }

    async fn send_config(&self, target: &Target<'_>, distribution: &Distribution, teller: Teller<'_>) -> Result<Sent, RemoteError> {
        let config = &distribution.config;
        if self.has_blob(target, &config.digest).await? {
            tell(teller, "config", Step::Present, config.size, Some(config.size));
            return Ok(Sent::Present);
        }
        self.upload_bytes(target, &config.digest, Bytes::from(distribution.config_bytes.clone())).await?;
        tell(teller, "config", Step::Uploaded, config.size, Some(config.size));
        Ok(Sent::Uploaded(config.size))
    }

    /// Whether a blob is there.
    pub(crate) async fn has_blob(&self, target: &Target<'_>, digest: &Digest) -> Result<bool, RemoteError> {
        let ask = Ask::new(Method::HEAD, target.base.url(target.repository, &format!("blobs/{digest}")), target.action());
        self.there(target, &ask).await
    }

    async fn has_manifest(&self, target: &Target<'_>, digest: &Digest) -> Result<bool, RemoteError> {
        let ask = Ask::new(Method::HEAD, target.base.url(target.repository, &format!("manifests/{digest}")), target.action());
        self.there(target, &ask.header(header::ACCEPT, media::MANIFEST)).await
    }

    async fn there(&self, target: &Target<'_>, ask: &Ask) -> Result<bool, RemoteError> {
        let reply = self.ask(target.base, target.scopes, ask).await?;
        match reply.status {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(answer::failure(target.base, &ask.action, "such blob", reply).await),
        }
    }

    /// Sets a tag, unless it says so already.
    async fn put_tag(&self, target: &Target<'_>, tag: &str, distribution: &Distribution) -> Result<(), RemoteError> {
        let ask = Ask::new(Method::HEAD, target.base.url(target.repository, &format!("manifests/{tag}")), target.action());
        let reply = self.ask(target.base, target.scopes, &ask.header(header::ACCEPT, media::MANIFEST)).await?;
        let now = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
        if reply.status == StatusCode::OK && now == Some(distribution.manifest_digest) {
            return Ok(());
        }
        self.put_manifest(target, tag, distribution).await
    }

    async fn put_manifest(&self, target: &Target<'_>, name: &str, distribution: &Distribution) -> Result<(), RemoteError> {
        let bytes = Bytes::from(distribution.manifest_bytes.clone());
        self.put_document(target, name, media::MANIFEST, bytes).await?.discard().await;
        Ok(())
    }

    /// Puts a manifest or index under a tag or its digest; the answer's headers may say more.
    pub(crate) async fn put_document(&self, target: &Target<'_>, name: &str, media_type: &str, bytes: Bytes) -> Result<Reply, RemoteError> {
        let url = target.base.url(target.repository, &format!("manifests/{name}"));
        let mut ask = Ask::new(Method::PUT, url, target.action()).header(header::CONTENT_TYPE, media_type);
        let expected = Digest::of(&bytes);
        ask.body = bytes;
        let reply = self.ask(target.base, target.scopes, &ask).await?;
        if !reply.status.is_success() {
            let what = format!("repository `{}`", target.repository);
            return Err(answer::failure(target.base, &target.action(), &what, reply).await);
        }
        let said = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
        if let Some(found) = said.filter(|said| *said != expected) {
            return Err(target.wrong(format!("the manifest {expected} was taken as {found}")));
        }
        Ok(reply)
    }
}
