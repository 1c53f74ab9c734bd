//! Pod life cycle, probes, logs, volumes.
