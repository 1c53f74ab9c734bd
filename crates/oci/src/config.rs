//! The configuration of an image (image spec, config.md); fields that are not known here are kept.

use crate::digest::{DiffId, Digest, ImageId};
use base::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields that are not known here, by name.
pub type Extra = BTreeMap<String, Value>;

/// An empty object, as the format writes the members of a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// An image's configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The processor, in Go's names: `amd64`, `arm64`.
    #[serde(default)]
    pub architecture: String,
    /// The operating system, in Go's names: `linux`.
    #[serde(default)]
    pub os: String,
    /// The variant of the processor, such as `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What a container of it does.
    #[serde(default, deserialize_with = "or_default")]
    pub config: ContainerConfig,
    /// Its layers.
    #[serde(default)]
    pub rootfs: RootFs,
    /// How it came to be, oldest first.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// All else.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Layers, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digests of the uncompressed archives, the lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub diff_ids: Vec<DiffId>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".into(), diff_ids: Vec::new() }
    }
}

/// One step in the making of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Which command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step made no layer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub empty_layer: bool,
    /// All else.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a container of the image does unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// `user`, `uid`, `user:group` or `uid:gid`; empty is root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports as `5000/tcp`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// Environment as `NAME=value`, in order.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Further arguments, or the program when there is no entry point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Folders that hold data.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Empty>,
    /// Where the program starts; empty is `/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Free labels.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that asks it to stop, such as `SIGTERM` or `15`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// Whether `Cmd` is one string that the shell split (written by docker; Windows only acts on it).
    #[serde(default, skip_serializing_if = "is_false")]
    pub args_escaped: bool,
    /// How its health is known (docker's extension).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Instructions for images built on this one (docker's extension).
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// The shell of shell-form instructions (docker's extension).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// All else.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Docker's health check; durations in nanoseconds, 0 is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", ..]` or `["CMD-SHELL", command]`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Between two checks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// Of one check.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Before failures count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Between two checks in the start period.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
}

impl ImageConfig {
    /// The bytes that we write for it, and the id that they give it.
    ///
    /// # Errors
    /// When a kept field has no JSON form.
    pub fn to_bytes(&self) -> Result<(ImageId, Vec<u8>), serde_json::Error> {
        let bytes = crate::canonical::to_vec(self)?;
        Ok((ImageId(Digest::of(&bytes)), bytes))
    }

    /// Reads a configuration of at most 4 MiB.
    ///
    /// # Errors
    /// When it is too large or no configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        crate::manifest::parse_bounded(bytes)
    }

    /// Sets `created`.
    pub fn set_created(&mut self, at: Timestamp) {
        self.created = Some(at.rfc3339());
    }
}

/// Go writes `null` where a map or a list is empty.
pub(crate) fn or_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_does_not_know() {
        let text = r#"{"architecture":"amd64","config":{"Env":null,"NewField":[1],"Cmd":["a"]},"os":"linux","rootfs":{"type":"layers","diff_ids":null},"moby.x":{"y":1},"history":[{"created_by":"x","empty_layer":true,"odd":2}]}"#;
        let config = ImageConfig::parse(text.as_bytes()).expect("read");
        assert_eq!(config.config.cmd, Some(vec!["a".to_owned()]));
        let (_, bytes) = config.to_bytes().expect("written");
        let written = String::from_utf8(bytes).expect("text");
        for part in [r#""NewField":[1]"#, r#""moby.x":{"y":1}"#, r#""odd":2"#] {
            assert!(written.contains(part), "{written}");
        }
        assert_eq!(ImageConfig::parse(written.as_bytes()).expect("again"), config);
    }

    #[test]
    fn equal_values_have_equal_ids() {
        let mut config = ImageConfig { architecture: "amd64".into(), os: "linux".into(), ..Default::default() };
        config.config.labels.insert("b".into(), "2".into());
        config.config.labels.insert("a".into(), "1".into());
        let (id, bytes) = config.to_bytes().expect("bytes");
        assert_eq!(id.0, Digest::of(&bytes));
        assert_eq!(ImageConfig::parse(&bytes).expect("read").to_bytes().expect("bytes").0, id);
    }
}
