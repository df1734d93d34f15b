//! Checks that a provider keeps its contract.
