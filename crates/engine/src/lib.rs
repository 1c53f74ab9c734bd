//! Starts, supervises and drains the engine's parts.
