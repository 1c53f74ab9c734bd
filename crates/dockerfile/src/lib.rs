//! Lossless Dockerfile parser and word expansion.
