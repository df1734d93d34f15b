//! Orchestrations with expected outcomes, shared by tests, simulation and docs.
