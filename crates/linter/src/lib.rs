//! Rules over Dockerfiles and manifests.
