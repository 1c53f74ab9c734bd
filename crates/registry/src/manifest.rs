//! What a pushed manifest says of itself: read with as little as is needed, kept as the bytes that came.

use crate::digest::{Digest, DigestError};
use crate::record::Facts;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// Docker's first format, which carries its own signature in place of a digest.
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";
/// Layers that need not be pushed (image spec, layer.md "Non-Distributable Layers").
const ELSEWHERE: [&str; 2] = ["application/vnd.oci.image.layer.nondistributable.", "application/vnd.docker.image.rootfs.foreign."];

/// Why a manifest is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ManifestError {
    /// It is none.
    #[error("{0}")]
    Invalid(String),
    /// Of a format that is not kept here.
    #[error("manifests of the type `{0}` are not kept here: push an OCI or docker schema 2 manifest or index")]
    Unsupported(String),
}

/// The part of a manifest that counts here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Document {
    schema_version: Option<u32>,
    media_type: Option<String>,
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Option<Described>,
    layers: Option<Vec<Described>>,
    blobs: Option<Vec<Described>>,
    manifests: Option<Vec<Described>>,
    subject: Option<Described>,
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

/// A descriptor.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    #[serde(default)]
    pub(crate) media_type: String,
    digest: String,
    size: i64,
}

/// The document of a manifest.
///
/// # Errors
/// When the bytes are no JSON object with the members of a manifest.
pub(crate) fn document(bytes: &[u8]) -> Result<Document, ManifestError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(ManifestError::Invalid("this is no manifest: expected a JSON object".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| ManifestError::Invalid(format!("this is no manifest: {error}")))
}

/// Reads a manifest as it was pushed, with the type that its sender says it has.
///
/// # Errors
/// When it is none, or none that is kept here.
pub(crate) fn read(bytes: &[u8], content_type: Option<&str>, at: i64) -> Result<Facts, ManifestError> {
    let document = document(bytes)?;
    let said = content_type.map(|text| text.split(';').next().unwrap_or_default().trim()).filter(|text| !text.is_empty());
    let media_type = media_type(said, &document)?;
    if document.schema_version.is_some_and(|version| version != 2) {
        return Err(ManifestError::Invalid("schemaVersion must be 2".to_owned()));
    }
    let mut facts = Facts { media_type, subject: None, blobs: Vec::new(), elsewhere: Vec::new(), manifests: Vec::new(), at };
    let mut known = HashSet::new();
    for described in document.config.iter().chain(document.layers.iter().flatten()).chain(document.blobs.iter().flatten()) {
        let digest = digest(described)?;
        if known.insert(digest.clone()) {
            let elsewhere = ELSEWHERE.iter().any(|kind| described.media_type.starts_with(kind));
            if elsewhere { &mut facts.elsewhere } else { &mut facts.blobs }.push(digest);
        }
    }
    known.clear();
    for described in document.manifests.iter().flatten() {
        let digest = digest(described)?;
        if known.insert(digest.clone()) {
            facts.manifests.push(digest);
        }
    }
    facts.subject = document.subject.as_ref().map(digest).transpose()?;
    Ok(facts)
}

fn digest(described: &Described) -> Result<Digest, ManifestError> {
    if described.size < 0 {
        return Err(ManifestError::Invalid(format!("the size {} of a descriptor is negative", described.size)));
    }
    Digest::parse(&described.digest).map_err(|error| match error {
        DigestError::Malformed => ManifestError::Invalid("the digest of a descriptor is none".to_owned()),
        DigestError::Unsupported => {
            ManifestError::Invalid("the digest of a descriptor is of an algorithm that is not known here".to_owned())
        }
    })
}

fn media_type(said: Option<&str>, document: &Document) -> Result<String, ManifestError> {
    let own = document.media_type.as_deref().filter(|own| !own.is_empty());
    let chosen = match (said, own) {
        (Some(said), Some(own)) if said != own => {
            return Err(ManifestError::Invalid("the manifest's mediaType is not the Content-Type that it was pushed with".to_owned()));
        }
        (Some(said), _) => said,
        (None, Some(own)) => own,
        (None, None) if document.manifests.is_some() => oci::manifest::media::INDEX,
        (None, None) => oci::manifest::media::MANIFEST,
    };
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    let subtype = chosen.strip_prefix("application/").unwrap_or_default();
    if chosen.starts_with(SCHEMA_1) || subtype.is_empty() || chosen.len() > 255 || !subtype.bytes().all(letters) {
        return Err(ManifestError::Unsupported(chosen.chars().take(255).collect()));
    }
    Ok(chosen.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::manifest::media;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn types_are_as_they_were_pushed() {
        let plain = br#"{"schemaVersion":2}"#;
        let read_as = |bytes: &[u8], said| read(bytes, said, 0).map(|facts| facts.media_type);
        assert_eq!(read_as(plain, Some("application/vnd.x+json; charset=utf-8")), Ok("application/vnd.x+json".to_owned()));
        assert_eq!(read_as(plain, None), Ok(media::MANIFEST.to_owned()));
        assert_eq!(read_as(br#"{"manifests":[]}"#, None), Ok(media::INDEX.to_owned()));
        assert_eq!(read_as(br#"{"mediaType":"application/a"}"#, None), Ok("application/a".to_owned()));
        assert!(read_as(br#"{"mediaType":"application/a"}"#, Some("application/b")).is_err());
        for other in ["text/html", "application/", "application/vnd.docker.distribution.manifest.v1+prettyjws", "application/a b"] {
            assert!(matches!(read_as(plain, Some(other)), Err(ManifestError::Unsupported(_))), "{other}");
        }
    }

    #[test]
    fn layers_that_are_elsewhere_are_not_required() {
        let text = format!(
            r#"{{"config":{{"digest":"sha256:{HEX}","size":1}},"layers":[{{"mediaType":"{}v1.tar","digest":"sha256:{}","size":1}},{{"digest":"sha256:{HEX}","size":1}}]}}"#,
            ELSEWHERE[0],
            HEX.replace('b', "c"),
        );
        let facts = read(text.as_bytes(), None, 5).expect("manifest");
        assert_eq!((facts.blobs.len(), facts.elsewhere.len(), facts.at), (1, 1, 5));
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            "",
            "[]",
            "{",
            "1",
            r#"{"schemaVersion":1}"#,
            r#"{"config":{}}"#,
            r#"{"config":{"digest":"sha256:x","size":1}}"#,
            r#"{"layers":{}}"#,
            r#"{"subject":{"digest":"md5:1","size":1}}"#,
            &format!(r#"{{"config":{{"digest":"sha256:{HEX}","size":-1}}}}"#),
            &"[".repeat(100_000),
        ] {
            assert!(read(wrong.as_bytes(), None, 0).is_err(), "{wrong:.50}");
        }
    }
}
