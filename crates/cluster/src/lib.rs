//! The one Kubernetes client.
