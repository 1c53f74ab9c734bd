//! Every image is there, unless a test says it is not.

use crate::images::{ImageConfig, ImageError, Images, PullPolicy, ResolvedImage};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Mutex;

#[derive(Default)]
pub struct FakeImages {
    pub missing: Mutex<BTreeMap<String, ImageError>>,
}

#[async_trait]
impl Images for FakeImages {
    async fn resolve(&self, image: &str, _: PullPolicy) -> Result<ResolvedImage, ImageError> {
        if let Some(error) = self.missing.lock().expect("whole").get(image) {
            return Err(error.clone());
        }
        let config = ImageConfig { entrypoint: vec!["/app".into()], ..ImageConfig::default() };
        Ok(ResolvedImage { image_id: format!("sha256:{image}"), layers: vec!["/layer".into()], config })
    }
}
