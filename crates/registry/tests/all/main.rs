//! The registry over real HTTP on loopback: every endpoint and every error, crashes, collection beside pushes.

mod access;
mod blobs;
mod client;
mod collect;
mod crash;
mod http2;
mod limits;
mod lists;
mod manifests;
mod memory;
mod recovery;
mod uploads;
