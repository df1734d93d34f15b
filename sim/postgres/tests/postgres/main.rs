//! The modelled server: the contract under seeded latencies, and what a real server does to
//! calls that meet.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod faults;
mod locks;
mod news;
mod outliving;
mod requests;
mod seeds;
mod world;
