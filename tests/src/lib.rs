//! End to end: the engine on real stores.
