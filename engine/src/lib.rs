//! Durable execution, embedded.
