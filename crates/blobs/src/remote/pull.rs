//! Images from registries into the store: layers at once, each downloaded, checked, inflated and unpacked in one pass.

use super::base::Base;
use super::download::{Blob, Incoming, Lost};
use super::error::RemoteError;
use super::manifest::{Document, Found};
use super::platform::{self, fits, host_platform};
use super::progress::{Progress, Step, Teller, tell};
use super::{Inner, Remote, blocking};
use crate::error::BlobError;
use crate::images::Image;
use crate::store::Store;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use net::client::Piece;
use oci::manifest::{Descriptor, MAX_DOCUMENT_BYTES, Platform};
use oci::{DiffId, Digest, ImageConfig, ImageId, Reference};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Pieces of a layer that wait to be unpacked; each is what one read of the connection gave.
const AHEAD: usize = 16;

/// Told of an image, and of what its name means at its registry, before it is kept.
pub type Before = Box<dyn FnOnce(&ImageId, &Digest) -> Result<(), BlobError> + Send>;

/// What a pull brought.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The image, in the store.
    pub image: Image,
    /// What its name means at its registry: an index or a manifest.
    pub digest: Digest,
}

impl Remote {
    /// Brings an image in and gives it its name here; layers that are in the store are not fetched. `platform: None` is this machine.
    ///
    /// Several pulls at once do not disturb each other; one that is cut, also by SIGKILL, leaves whole layers, which the next one finds.
    ///
    /// # Errors
    /// When the registry does not have it or does not answer, or what it gives is not what its digest says.
    pub async fn pull(
        &self,
        store: &Store,
        reference: &Reference,
        platform: Option<&Platform>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Image, RemoteError> {
        self.fetch(store, reference, platform, progress).await.map(|pulled| pulled.image)
    }

    /// As [`Remote::pull`], and says by which digest the image goes at its registry.
    ///
    /// # Errors
    /// As [`Remote::pull`].
    pub async fn fetch(
        &self,
        store: &Store,
        reference: &Reference,
        platform: Option<&Platform>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Pulled, RemoteError> {
        self.fetch_after(store, reference, platform, progress, Box::new(|_, _| Ok(()))).await
    }

    /// As [`Remote::fetch`]; `before` is called when all layers are here and before the image can be found by anybody.
    ///
    /// # Errors
    /// As [`Remote::pull`], and what `before` says.
    pub async fn fetch_after(
        &self,
        store: &Store,
        reference: &Reference,
        platform: Option<&Platform>,
        progress: &(dyn Fn(Progress) + Sync),
        before: Before,
    ) -> Result<Pulled, RemoteError> {
        let reference = reference.clone().or_latest();
        let wanted = platform.cloned().unwrap_or_else(host_platform);
        let found = self.inner.find(&reference, &wanted).await?;
        let holding = store.clone();
        let _hold = blocking(move || holding.hold()).await?;
        let (config_bytes, config) = self.inner.config(&found, &reference).await?;
        if platform.is_some() && !fits(&machine(&config), &wanted) {
            let (is, wanted) = (platform::shown(&machine(&config)), platform::shown(&wanted));
            return Err(RemoteError::Unsupported(format!("`{reference}` is for {}, not for {wanted}", is.escape_debug())));
        }
        self.inner.layers(store, &found, &config, &reference, progress).await?;
        let (store, tag) = (store.clone(), reference.clone());
        let Found { document, indexes, .. } = found;
        let digest = indexes.first().map_or(document.digest, |index| index.digest);
        let kept = blocking(move || {
            before(&ImageId(Digest::of(&config_bytes)), &digest)?;
            keep(&store, &tag, &config_bytes, &document, &indexes)
        });
        let image = kept.await?;
        Ok(Pulled { image, digest })
    }
}

fn machine(config: &ImageConfig) -> Platform {
    Platform { architecture: config.architecture.clone(), os: config.os.clone(), variant: config.variant.clone() }
}

/// The image, findable by name and by the digests that it goes by at its registry.
fn keep(store: &Store, reference: &Reference, config: &[u8], document: &Document, indexes: &[Document]) -> Result<Image, BlobError> {
    let image = store.images().put_bytes(config)?;
    for document in indexes.iter().chain([document]) {
        store.images().know_manifest(&document.digest, &document.bytes)?;
    }
    if reference.tag.is_some() {
        store.images().tag(reference, &image.id)?;
    }
    Ok(image)
}

impl Inner {
    pub(super) async fn config(&self, found: &Found, reference: &Reference) -> Result<(Bytes, ImageConfig), RemoteError> {
        let (base, descriptor) = (&found.document.base, &found.manifest.config);
        let blob = Blob { base, repository: &reference.repository, digest: descriptor.digest, size: descriptor.size, what: "config" };
        let bytes = self.blob(&blob, MAX_DOCUMENT_BYTES).await?;
        let wrong = |why: String| RemoteError::Unsupported(format!("`{reference}` is no image that can be run: {why}"));
        let config = ImageConfig::parse(&bytes).map_err(|error| wrong(format!("its configuration: {error}")))?;
        let (has, named) = (found.manifest.layers.len(), config.rootfs.diff_ids.len());
        if has != named {
            return Err(wrong(format!("its manifest has {has} layers, its configuration names {named}")));
        }
        Ok((bytes, config))
    }

    async fn layers(
        &self,
        store: &Store,
        found: &Found,
        config: &ImageConfig,
        reference: &Reference,
        teller: Teller<'_>,
    ) -> Result<(), RemoteError> {
        let sources = &self.all_sources(found, reference).await;
        let mut seen = BTreeSet::new();
        let mut fetching = Vec::new();
        for (descriptor, id) in found.manifest.layers.iter().zip(&config.rootfs.diff_ids) {
            if !seen.insert(*id) {
                continue;
            }
            if store.layers().contains(id) {
                tell(teller, id.to_string(), Step::Present, descriptor.size, Some(descriptor.size));
            } else {
                fetching.push(self.layer_from(store, sources, &reference.repository, descriptor, *id, teller));
            }
        }
        futures::stream::iter(fetching).buffer_unordered(self.options.parallel.max(1)).try_collect::<()>().await
    }

    /// Who may have its layers: first who gave its manifest.
    pub(super) async fn all_sources(&self, found: &Found, reference: &Reference) -> Vec<Arc<Base>> {
        let mut sources = vec![found.document.base.clone()];
        sources.extend(self.sources(&reference.registry).await.0.into_iter().filter(|base| !Arc::ptr_eq(base, &found.document.base)));
        sources
    }

    pub(super) async fn layer_from(
        &self,
        store: &Store,
        sources: &[Arc<Base>],
        repository: &str,
        descriptor: &Descriptor,
        id: DiffId,
        teller: Teller<'_>,
    ) -> Result<(), RemoteError> {
        let mut failed = Vec::new();
        let what = id.to_string();
        for base in sources {
            let blob = Blob { base, repository, digest: descriptor.digest, size: descriptor.size, what: &what };
            match self.layer(store, &blob, id, teller).await {
                Ok(()) => return Ok(()),
                Err(error @ RemoteError::Store(_)) => return Err(error),
                Err(error) => failed.push(error),
            }
        }
        Err(RemoteError::of_all(failed))
    }

    async fn layer(&self, store: &Store, blob: &Blob<'_>, id: DiffId, teller: Teller<'_>) -> Result<(), RemoteError> {
        tell(teller, blob.what, Step::Downloading, 0, Some(blob.size));
        let (to, pieces) = mpsc::channel(AHEAD);
        let what = format!("the layer {} of `{}/{}`", blob.digest, blob.base.registry, blob.repository);
        let (store, limit) = (store.clone(), self.options.max_layer_bytes);
        let unpacking = tokio::task::spawn_blocking(move || store.layers().receive(Incoming::new(pieces), &what, &id, limit));
        let streamed = self.stream(blob, &to, teller).await;
        if let Err(Lost::Remote(error) | Lost::Broken(error)) = &streamed {
            let _ = to.send(Piece::Failed(error.to_string())).await;
        }
        drop(to);
        let unpacked = unpacking.await.map_err(|error| RemoteError::Unsupported(format!("a thread ended early: {error}")))?;
        match (streamed, unpacked) {
            (Err(Lost::Remote(error) | Lost::Broken(error)), _) => Err(error),
            (_, Err(error)) => Err(RemoteError::Store(error)),
            // Unpacked to its end although nobody wanted the last piece: then that was empty.
            (_, Ok(())) => {
                tell(teller, blob.what, Step::Downloaded, blob.size, Some(blob.size));
                Ok(())
            }
        }
    }
}
