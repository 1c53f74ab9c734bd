//! Images for the node: out of the content store that the builder writes to, and from registries where policy and name say so.

mod access;
mod keys;
mod pulls;

use access::Access;
use async_trait::async_trait;
use blobs::{BlobError, Image, Store};
use net::client::Proxies;
use node::{Found, ImageConfig, ImageError, ImageRequest, Images, PullPolicy, PulledImage, ResolvedImage};
use oci::{Digest, Reference};
use pulls::Puller;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The store's images; what was handed out stays in place while this lives.
pub struct StoredImages {
    store: Arc<Store>,
    access: Arc<Access>,
    puller: Arc<Puller>,
    leased: Mutex<HashMap<String, Image>>,
}

/// What an image's name says of where it comes from.
enum Name {
    /// An id, or a name of this machine's own (`localhost/...`): no network is ever asked about it.
    Own(String),
    /// A registry's.
    Registry(Reference),
}

impl Name {
    fn of(image: &str) -> Result<Self, ImageError> {
        if image.parse::<Digest>().is_ok() {
            return Ok(Self::Own(image.to_owned()));
        }
        let reference: Reference =
            image.parse().map_err(|error: oci::reference::ReferenceError| ImageError::InvalidName(error.to_string()))?;
        let reference = reference.or_latest();
        Ok(if reference.registry == "localhost" { Self::Own(reference.to_string()) } else { Self::Registry(reference) })
    }
}

impl StoredImages {
    /// Over a store, within the runtime that is to do the pulling. Nothing is connected to before something is pulled.
    pub fn new(store: Arc<Store>, home: &Path, proxies: Proxies) -> Self {
        let access = Arc::new(Access::new(home.join("pulled"), &store));
        let puller = Puller::new(store.clone(), access.clone(), home.to_owned(), proxies);
        Self { store, access, puller, leased: Mutex::default() }
    }

    fn hand_out(&self, image: Image, reference: String) -> ResolvedImage {
        let resolved = resolved(&image, reference);
        self.leased.lock().unwrap_or_else(PoisonError::into_inner).insert(resolved.image_id.clone(), image);
        resolved
    }

    async fn look(&self, name: String) -> Result<Option<Image>, ImageError> {
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || store.images().resolve(&name)).await {
            Ok(Ok(image)) => Ok(Some(image)),
            Ok(Err(BlobError::NoImage(_))) => Ok(None),
            Ok(Err(other)) => Err(ImageError::Pull(other.to_string())),
            Err(error) => Err(ImageError::Pull(error.to_string())),
        }
    }

    async fn find_own(&self, name: String, request: &ImageRequest) -> Result<Found, ImageError> {
        let found = self.look(name).await?.filter(|image| self.is_gift(image));
        let Some(image) = found else {
            return Err(match request.policy {
                PullPolicy::Never => ImageError::NeverPull(request.image.clone()),
                _ => ImageError::Pull(format!(
                    "not found: `{}` names an image of this machine's own store, and it is not there; `wharf build` or `wharf image load` puts it there",
                    request.image
                )),
            });
        };
        let id = image.id.to_string();
        Ok(Found::Here(Box::new(self.hand_out(image, id))))
    }

    /// Whether every pod may use it by its id: not what a pod's pull brought, unless it also has a name of this machine's own.
    fn is_gift(&self, image: &Image) -> bool {
        let named = |names: std::collections::BTreeMap<Reference, oci::ImageId>| {
            names.iter().any(|(name, id)| *id == image.id && name.registry == "localhost")
        };
        self.access.of(&image.id).is_none() || self.store.images().names().is_ok_and(named)
    }

    async fn find_of_registry(&self, reference: Reference, request: &ImageRequest) -> Result<Found, ImageError> {
        if request.policy == PullPolicy::Always {
            return Ok(Found::Elsewhere);
        }
        let found = self.look(reference.to_string()).await?;
        let fitting = found.filter(|image| request.policy == PullPolicy::Never || pulls::fits(image));
        if let Some(image) = fitting {
            let record = self.access.of(&image.id);
            let admitted = match &record {
                None => true,
                Some(record) => {
                    // A secret that cannot be read admits nobody; the pull says so.
                    let keys = keys::of(&request.secrets, &reference).unwrap_or_default();
                    record.admits(&reference, keys.iter().filter_map(|key| key.print.as_deref()))
                }
            };
            if admitted {
                let known = record.and_then(|record| record.reference(&reference));
                let by_digest = || reference.digest.map(|digest| format!("{}@{digest}", reference.name()));
                let shown = by_digest().or(known).unwrap_or_else(|| image.id.to_string());
                return Ok(Found::Here(Box::new(self.hand_out(image, shown))));
            }
        }
        match request.policy {
            PullPolicy::Never => Err(ImageError::NeverPull(request.image.clone())),
            _ => Ok(Found::Elsewhere),
        }
    }
}

#[async_trait]
impl Images for StoredImages {
    async fn find(&self, request: &ImageRequest) -> Result<Found, ImageError> {
        match Name::of(&request.image)? {
            Name::Own(name) => self.find_own(name, request).await,
            Name::Registry(reference) => self.find_of_registry(reference, request).await,
        }
    }

    async fn pull(&self, request: &ImageRequest) -> Result<PulledImage, ImageError> {
        // Asked again here: whoever calls, nothing of this machine's own is ever looked for elsewhere.
        let Name::Registry(reference) = Name::of(&request.image)? else {
            return Err(ImageError::Pull(format!("`{}` names no image of a registry", request.image)));
        };
        let had = self.puller.pull(request, &reference).await.map_err(ImageError::Pull)?;
        let (bytes, shown) = (had.image.size, format!("{}@{}", reference.name(), had.digest));
        Ok(PulledImage { image: self.hand_out(had.image, shown), took: had.took, in_all: had.in_all, bytes })
    }

    async fn local(&self, reference: &str) -> Result<ResolvedImage, ImageError> {
        let image = self.look(reference.to_owned()).await?.ok_or_else(|| ImageError::NeverPull(reference.to_owned()))?;
        Ok(resolved(&image, reference.to_owned()))
    }
}

fn resolved(image: &Image, reference: String) -> ResolvedImage {
    let config = image.config.config.clone();
    ResolvedImage {
        image_id: image.id.to_string(),
        reference,
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

#[cfg(test)]
mod tests;
