//! References, manifests, layer archives.
