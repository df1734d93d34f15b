//! The client and the server together, over a network that fails on request. The store is
//! a fake that counts, and in `conversations` a real one: what that does otherwise is the
//! conformance suite's business.

#[cfg(test)]
mod conversations;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod lost_answers;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod support;
