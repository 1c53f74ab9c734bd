//! Dockerfile to graph to layers to image.
