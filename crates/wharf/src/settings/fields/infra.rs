//! Cloud resources.

use super::SecretPlace;
use crate::settings::section::section;
use std::collections::BTreeMap;

section! {
    /// Cloud resources from a template that is kept with the project. `stack`, `region`, `role` and parameters take `${NAME}` as manifests do.
    Infra {
        /// Who makes them: `cloudformation`.
        "provider" provider: String = "cloudformation",
        /// The template, relative to the project.
        "template" template: String,
        /// What they are called in the cloud; by default the project's name and this one, with `-` between.
        "stack" stack: Option<String>,
        /// The region; by default `$AWS_REGION`, else the profile's.
        "region" region: Option<String>,
        /// The profile of `~/.aws/credentials` and `~/.aws/config` to use; by default what the environment says.
        "profile" profile: Option<String>,
        /// The template's parameters.
        "parameters" parameters: BTreeMap<String, String>,
        /// Parameters that nobody is to see, and where they are.
        "secrets" secrets: BTreeMap<String, SecretPlace>,
        /// The role that the cloud takes on to make them; by default your own rights count.
        "role" role: Option<String>,
        /// Where all of the cloud's services are, for emulators of them.
        "endpoint" endpoint: Option<String>,
        /// The output that names a Kubernetes cluster; then `wharf infra apply` adds it to your kubeconfig.
        "cluster" cluster: Option<String>,
        /// The context of it in your kubeconfig, by default the cluster's name.
        "context" context: Option<String>,
        /// The environments that they are for; by default all.
        "environments" environments: Vec<String>,
    }
}
