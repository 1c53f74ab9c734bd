//! Every image is there, unless a test says that it is not; or that it is at a registry, which is asked one pull after the other.

use crate::images::{Found, ImageConfig, ImageError, ImageRequest, Images, PulledImage, ResolvedImage};
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

#[derive(Default)]
pub struct FakeImages {
    pub missing: Mutex<BTreeMap<String, ImageError>>,
    /// Images that are to be pulled each time.
    pub elsewhere: Mutex<BTreeSet<String>>,
    /// What was asked of the registry: the image, and the names of the secrets.
    pub asked: Mutex<Vec<String>>,
    /// While there is a permit missing, pulls wait.
    pub gate: Option<tokio::sync::Semaphore>,
}

impl FakeImages {
    fn check(&self, image: &str) -> Result<ResolvedImage, ImageError> {
        if let Some(error) = self.missing.lock().expect("whole").get(image) {
            return Err(error.clone());
        }
        let config = ImageConfig { entrypoint: vec!["/app".into()], ..ImageConfig::default() };
        let image_id = format!("sha256:{image}");
        Ok(ResolvedImage { reference: image_id.clone(), image_id, layers: vec!["/layer".into()], config })
    }
}

#[async_trait]
impl Images for FakeImages {
    async fn find(&self, request: &ImageRequest) -> Result<Found, ImageError> {
        if self.elsewhere.lock().expect("whole").contains(&request.image) {
            return Ok(Found::Elsewhere);
        }
        self.check(&request.image).map(|image| Found::Here(Box::new(image)))
    }

    async fn pull(&self, request: &ImageRequest) -> Result<PulledImage, ImageError> {
        let secrets: Vec<&str> = request.secrets.iter().map(|secret| secret.name.as_str()).collect();
        self.asked.lock().expect("whole").push(format!("{} [{}]", request.image, secrets.join(" ")));
        if let Some(gate) = &self.gate {
            gate.acquire().await.expect("open").forget();
        }
        let mut image = self.check(&request.image)?;
        image.reference = format!("registry/{}@sha256:1", request.image);
        Ok(PulledImage { image, took: Duration::from_millis(1_204), in_all: Duration::from_millis(1_300), bytes: 7 })
    }

    async fn local(&self, reference: &str) -> Result<ResolvedImage, ImageError> {
        self.check(reference)
    }
}
