//! Pacers, connections, histograms.
