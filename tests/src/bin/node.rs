//! A node for the tests to kill: `duroxide-test-node DATABASE WORLD LEASE_MS` runs the
//! workflows of the crate's library until its stdin closes. Not here: any test.

use duroxide_tests::{Node, World};
use std::io::Read;
use std::time::Duration;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [database, world, lease] = args.as_slice() else {
        panic!("usage: duroxide-test-node DATABASE WORLD LEASE_MS, got {args:?}");
    };
    let lease = Duration::from_millis(lease.parse().expect("LEASE_MS is a number"));
    let node = Node::start_on(database, world.as_ref(), lease).await;
    World::new(world).say_ready().expect("the world can be written");
    let closed = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let _ = closed.await;
    node.shutdown().await;
}
