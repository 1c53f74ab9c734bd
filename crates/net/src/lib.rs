//! HTTP server and client plumbing: TLS, limits, drain.
