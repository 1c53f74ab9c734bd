//! Images for the node, out of the content store that the builder writes to.

use async_trait::async_trait;
use blobs::{BlobError, Image, Store};
use node::{ImageConfig, ImageError, Images, PullPolicy, ResolvedImage};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The store's images; what was handed out stays in place while this lives.
pub struct StoredImages {
    store: Arc<Store>,
    leased: Mutex<HashMap<String, Image>>,
}

impl StoredImages {
    /// Over a store.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, leased: Mutex::default() }
    }
}

#[async_trait]
impl Images for StoredImages {
    async fn resolve(&self, image: &str, policy: PullPolicy) -> Result<ResolvedImage, ImageError> {
        let (store, name) = (self.store.clone(), image.to_owned());
        let found = tokio::task::spawn_blocking(move || store.images().resolve(&name)).await;
        let found = found.map_err(|error| ImageError::Pull(error.to_string()))?.map_err(|error| refused(image, policy, &error))?;
        let resolved = resolved(&found);
        self.leased.lock().unwrap_or_else(PoisonError::into_inner).insert(resolved.image_id.clone(), found);
        Ok(resolved)
    }
}

fn refused(image: &str, policy: PullPolicy, error: &BlobError) -> ImageError {
    match error {
        BlobError::NoImage(_) if policy == PullPolicy::Never => ImageError::NeverPull(image.to_owned()),
        BlobError::NoImage(_) => ImageError::Pull(format!(
            "image \"{image}\" is not in this machine's store, and registries are not asked yet; `wharf build` or `wharf image load` puts it there"
        )),
        other => ImageError::Pull(other.to_string()),
    }
}

fn resolved(image: &Image) -> ResolvedImage {
    let config = image.config.config.clone();
    ResolvedImage {
        image_id: image.id.to_string(),
        layers: image.trees.clone(),
        config: ImageConfig {
            entrypoint: config.entrypoint.unwrap_or_default(),
            cmd: config.cmd.unwrap_or_default(),
            env: config.env,
            working_dir: config.working_dir,
            user: config.user,
            stop_signal: config.stop_signal.unwrap_or_default(),
            volumes: config.volumes.into_keys().collect(),
            exposed: config.exposed_ports.into_keys().collect(),
        },
    }
}
