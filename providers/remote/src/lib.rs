//! The provider contract over an injectable network.
