//! Content store: layers and images.
