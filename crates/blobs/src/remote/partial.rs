//! Images of which single layers are wanted, when they are.

use super::error::RemoteError;
use super::manifest::Found;
use super::platform::host_platform;
use super::{Remote, blocking};
use crate::store::Store;
use oci::{DiffId, ImageConfig, Reference};

/// What is known of an image at its registry without any of its layers.
#[derive(Debug)]
pub struct Described {
    /// Its configuration.
    pub config: ImageConfig,
    found: Found,
    reference: Reference,
}

impl Remote {
    /// Fetches manifest and configuration of an image, and nothing else.
    ///
    /// # Errors
    /// When the registry does not have it or does not answer, or what it gives is not what its digest says.
    pub async fn describe(&self, reference: &Reference) -> Result<Described, RemoteError> {
        let reference = reference.clone().or_latest();
        let found = self.inner.find(&reference, &host_platform()).await?;
        let (_, config) = self.inner.config(&found, &reference).await?;
        Ok(Described { config, found, reference })
    }

    /// Brings one layer of an image into the store, unless it is there.
    ///
    /// # Errors
    /// When the image has no such layer, or as [`Remote::pull`].
    pub async fn bring(&self, store: &Store, of: &Described, layer: &DiffId) -> Result<(), RemoteError> {
        let (known, wanted) = (store.clone(), *layer);
        if blocking(move || Ok(known.layers().contains(&wanted))).await? {
            return Ok(());
        }
        let pairs = of.found.manifest.layers.iter().zip(&of.config.rootfs.diff_ids);
        let descriptor = pairs.into_iter().find(|(_, id)| *id == layer).map(|(descriptor, _)| descriptor);
        let missing = || RemoteError::Unsupported(format!("`{}` has no layer {layer}", of.reference));
        let sources = self.inner.all_sources(&of.found, &of.reference).await;
        let holding = store.clone();
        let _hold = blocking(move || holding.hold()).await?;
        self.inner.layer_from(store, &sources, &of.reference.repository, descriptor.ok_or_else(missing)?, *layer, &|_| {}).await
    }
}
