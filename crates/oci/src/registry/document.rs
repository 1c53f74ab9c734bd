//! Which of the documents of a registry some bytes are.

use crate::manifest::{media, parse_bounded};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The media types of manifests and indexes that are read.
pub const DOCUMENTS: [&str; 4] = [media::MANIFEST, media::INDEX, media::DOCKER_MANIFEST, media::DOCKER_LIST];

/// What a document is. One that could be read as two things is refused: what was checked as one might run as the other.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with its name.
pub fn kind(bytes: &[u8], content_type: &str) -> Result<&'static str, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape {
        #[serde(default)]
        media_type: Option<String>,
        manifests: Option<IgnoredAny>,
        config: Option<IgnoredAny>,
        layers: Option<IgnoredAny>,
        fs_layers: Option<IgnoredAny>,
    }
    let shape: Shape = parse_bounded(bytes).map_err(|error| format!("is no manifest: {error}"))?;
    if shape.fs_layers.is_some() {
        return Err("has a manifest of schema 1, which is not supported; push it again with a tool of this decade".into());
    }
    let (index, manifest) = (shape.manifests.is_some(), shape.config.is_some() || shape.layers.is_some());
    if index == manifest {
        return Err("is neither a manifest nor an index".into());
    }
    let own = shape.media_type.unwrap_or_default();
    let known = |name: &str| DOCUMENTS.into_iter().find(|known| *known == name);
    let named = match (known(&own), known(content_type)) {
        (Some(own), Some(sent)) if own != sent => return Err(format!("says that it is `{own}` and is sent as `{sent}`")),
        (own, sent) => own.or(sent).unwrap_or(if index { media::INDEX } else { media::MANIFEST }),
    };
    if matches!(named, media::INDEX | media::DOCKER_LIST) == index { Ok(named) } else { Err(format!("is not the `{named}` that it says")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_one_thing() {
        let index = br#"{"schemaVersion":2,"manifests":[]}"#;
        let manifest = br#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{},"layers":[]}"#;
        assert_eq!(kind(index, ""), Ok(media::INDEX));
        assert_eq!(kind(index, media::DOCKER_LIST), Ok(media::DOCKER_LIST));
        assert_eq!(kind(manifest, "text/plain"), Ok(media::DOCKER_MANIFEST));
        assert!(kind(manifest, media::MANIFEST).is_err());
        assert!(kind(index, media::MANIFEST).is_err());
        for wrong in ["", "[]", "{}", r#"{"manifests":[],"layers":[]}"#, r#"{"schemaVersion":1,"fsLayers":[]}"#] {
            assert!(kind(wrong.as_bytes(), "").is_err(), "{wrong}");
        }
    }
}
