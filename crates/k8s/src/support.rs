//! Honest fields: what acts, what is only stored, what is refused. The docs and the tests read the same table.
//!
//! A field that no [`Exception`] names acts.

pub mod pod;
mod walk;

use crate::{Cause, Kind, Value};

/// What becomes of a field that does not act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Accepted, with a warning.
    Stored,
    /// 422.
    Refused,
}

/// A field that does not act.
#[derive(Debug)]
pub struct Exception {
    /// Path below [`Support::below`]; `[]` stands for every item of a list, as in `volumes[].csi`.
    pub path: &'static str,
    /// What becomes of it.
    pub fate: Fate,
    /// Values, as JSON text, that ask for nothing that is not so anyway; they pass.
    pub unless: &'static [&'static str],
    /// What is said of it: a fragment that follows the path.
    pub note: &'static str,
}

/// Exceptions of a kind below one path.
#[derive(Debug)]
pub struct Support {
    /// Such as `spec` or `spec.template.spec`.
    pub below: &'static str,
    /// The fields.
    pub fields: &'static [Exception],
}

/// What was found in one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Texts for `Warning` headers.
    pub warnings: Vec<String>,
    /// Causes of a 422.
    pub refused: Vec<Cause>,
}

/// Compares an object with the table.
pub fn check(kind: &Kind, object: &Value) -> Told {
    let mut told = Told::default();
    for support in kind.support {
        for exception in support.fields {
            let pattern =
                if support.below.is_empty() { exception.path.to_owned() } else { format!("{}.{}", support.below, exception.path) };
            walk::find(object, &pattern, &mut |path, value| {
                let found = value.to_string();
                if !exception.unless.contains(&found.as_str()) {
                    note(&mut told, exception, path);
                }
            });
        }
    }
    told
}

fn note(told: &mut Told, exception: &Exception, path: &str) {
    match exception.fate {
        Fate::Stored => told.warnings.push(format!("{path}: {}", exception.note)),
        Fate::Refused => told.refused.push(Cause {
            reason: "FieldValueForbidden",
            field: path.to_owned(),
            message: format!("Forbidden: {}", exception.note),
        }),
    }
}

/// One line of the table, for the docs: kind, path, fate (`acts` for none), note.
pub fn table(kind: &Kind) -> Vec<(String, Fate, &'static str)> {
    let mut lines = Vec::new();
    for support in kind.support {
        for exception in support.fields {
            let dot = if support.below.is_empty() { "" } else { "." };
            lines.push((format!("{}{dot}{}", support.below, exception.path), exception.fate, exception.note));
        }
    }
    lines
}

const fn refused(path: &'static str, note: &'static str) -> Exception {
    Exception { path, fate: Fate::Refused, unless: &[], note }
}

const fn stored(path: &'static str, note: &'static str) -> Exception {
    Exception { path, fate: Fate::Stored, unless: &[], note }
}

const fn refused_unless(path: &'static str, unless: &'static [&'static str], note: &'static str) -> Exception {
    Exception { path, fate: Fate::Refused, unless, note }
}

const fn stored_unless(path: &'static str, unless: &'static [&'static str], note: &'static str) -> Exception {
    Exception { path, fate: Fate::Stored, unless, note }
}

/// Of Services.
pub const SERVICE: &[Support] = &[Support {
    below: "spec",
    fields: &[
        stored("loadBalancerClass", "only load balancers without a class are provided"),
        stored("loadBalancerIP", "a load balancer's address follows from the service's name"),
        stored("loadBalancerSourceRanges", "a load balancer is reached from this machine only; nothing is filtered by it"),
        refused_unless("ipFamilyPolicy", &["\"SingleStack\"", "\"PreferDualStack\""], "services have IPv4 addresses only"),
        refused_unless("ipFamilies[]", &["\"IPv4\""], "services have IPv4 addresses only"),
        stored_unless("healthCheckNodePort", &["0"], "no health of nodes is served"),
        stored("trafficDistribution", "there is one node; all endpoints are near"),
    ],
}];

/// Of PersistentVolumeClaims.
pub const CLAIM: &[Support] = &[Support {
    below: "spec",
    fields: &[
        refused_unless("volumeMode", &["\"Filesystem\""], "block volumes are not provided"),
        refused("dataSource", "volumes are not made from snapshots or other claims"),
        refused("dataSourceRef", "volumes are not made from snapshots or other claims"),
        stored("volumeAttributesClassName", "there are no classes of volume attributes"),
        refused_unless(
            "accessModes[]",
            &["\"ReadWriteOnce\"", "\"ReadWriteMany\"", "\"ReadOnlyMany\"", "\"ReadWriteOncePod\""],
            "no such mode",
        ),
    ],
}];

/// Of PersistentVolumes.
pub const VOLUME: &[Support] = &[Support {
    below: "spec",
    fields: &[
        refused_unless("volumeMode", &["\"Filesystem\""], "block volumes are not provided"),
        refused("awsElasticBlockStore", pod::NO_DRIVER),
        refused("azureDisk", pod::NO_DRIVER),
        refused("azureFile", pod::NO_DRIVER),
        refused("cephfs", pod::NO_DRIVER),
        refused("cinder", pod::NO_DRIVER),
        stored("csi", "no driver of this kind is provided; pods that use the volume wait"),
        refused("fc", pod::NO_DRIVER),
        refused("flexVolume", pod::NO_DRIVER),
        refused("flocker", pod::NO_DRIVER),
        refused("gcePersistentDisk", pod::NO_DRIVER),
        refused("glusterfs", pod::NO_DRIVER),
        refused("iscsi", pod::NO_DRIVER),
        refused("nfs", pod::NO_DRIVER),
        refused("photonPersistentDisk", pod::NO_DRIVER),
        refused("portworxVolume", pod::NO_DRIVER),
        refused("quobyte", pod::NO_DRIVER),
        refused("rbd", pod::NO_DRIVER),
        refused("scaleIO", pod::NO_DRIVER),
        refused("storageos", pod::NO_DRIVER),
        refused("vsphereVolume", pod::NO_DRIVER),
        stored("mountOptions", "local volumes are not mounted with options"),
        stored("volumeAttributesClassName", "there are no classes of volume attributes"),
    ],
}];

/// Of StorageClasses.
pub const CLASS: &[Support] = &[Support {
    below: "",
    fields: &[
        stored("mountOptions", "local volumes are not mounted with options"),
        stored_unless("allowVolumeExpansion", &["false"], "local volumes do not grow"),
        stored("allowedTopologies", "there is one node"),
    ],
}];

/// Of PriorityClasses.
pub const PRIORITY: &[Support] =
    &[Support { below: "", fields: &[stored_unless("value", &["0"], "one node runs every pod that fits; no pod drives out another")] }];

/// Of nodes.
pub const NODE: &[Support] = &[Support {
    below: "spec",
    fields: &[
        stored("configSource", "the node is configured with the engine"),
        stored("externalID", "it is an old field that nothing reads"),
    ],
}];

#[cfg(test)]
mod tests;
