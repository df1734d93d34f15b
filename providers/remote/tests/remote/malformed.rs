//! Bytes that are no frames, frames that are no calls: they harm nobody but their sender.

use super::methods::{commit, submit};
use super::support::network::FaultyNetwork;
use super::support::{ADDRESS, World, env, run, token};
use bytes::Bytes;
use duroxide_provider::env::Network as _;
use duroxide_provider::{Inspect as _, Provider as _, ProviderError};
use duroxide_remote::{ClientOptions, RemoteProvider};
use proptest::prelude::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

pub(crate) const HELLO: &str =
    r#"{"Hello":{"protocol":2,"token":"a token for tests","max_frame":1048576}}"#;

pub(crate) async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    body: &[u8],
) -> std::io::Result<()> {
    stream.write_u32(u32::try_from(body.len()).unwrap()).await?;
    stream.write_all(body).await
}

pub(crate) async fn read_frame(stream: &mut DuplexStream) -> String {
    let length = stream.read_u32().await.unwrap();
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await.unwrap();
    String::from_utf8(body).unwrap()
}

/// What a server greets with.
fn a_welcome() -> String {
    let limits = serde_json::to_string(&duroxide_core::Limits::default()).unwrap();
    format!(r#"{{"Welcome":{{"max_frame":9999,"limits":{limits},"read_only":false}}}}"#)
}

/// The server's answer to this hello.
pub(crate) async fn greet(world: &World, hello: &str) -> String {
    let mut stream = world.network.raw(ADDRESS).unwrap();
    write_frame(&mut stream, hello.as_bytes()).await.unwrap();
    read_frame(&mut stream).await
}

/// A connection after the greeting.
pub(crate) async fn greeted(world: &World) -> DuplexStream {
    let mut stream = world.network.raw(ADDRESS).unwrap();
    write_frame(&mut stream, HELLO.as_bytes()).await.unwrap();
    assert!(read_frame(&mut stream).await.contains("Welcome"));
    stream
}

/// Whatever the server makes of these bytes, a client that was there before works on, on the
/// same connection, and a new one is welcome.
async fn others_are_well_after(world: &World, mut stream: DuplexStream, bytes: &[u8]) {
    let old = world.client();
    old.metrics().await.unwrap();
    let before = world.network.connections();
    // The server may close before it has read all of it.
    let _ = stream.write_all(bytes).await;
    old.metrics().await.unwrap();
    let _ = stream.shutdown().await;
    let read_all = async {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    };
    world.env.timeout(Duration::from_mins(1), read_all).await.expect("the server closes it");
    old.metrics().await.unwrap();
    assert_eq!(world.network.connections(), before, "the other connection was not disturbed");
    world.client().metrics().await.unwrap();
}

/// What a well-behaved client sends.
async fn a_session() -> Vec<Bytes> {
    let world = World::new().await;
    let client = world.client();
    client.submit(submit(1)).await.unwrap();
    client.commit_turn(commit(2)).await.unwrap();
    client.metrics().await.unwrap();
    world.network.frames_to_server()
}

pub(crate) fn framed(frames: &[Bytes]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend_from_slice(&u32::try_from(frame.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(frame);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn random_bytes_of_a_stranger_harm_nobody(
        bytes in prop::collection::vec(any::<u8>(), 0..6000),
    ) {
        run(async {
            let world = World::new().await;
            let stream = world.network.raw(ADDRESS).unwrap();
            others_are_well_after(&world, stream, &bytes).await;
            assert_eq!(world.store.applied(), 0);
        });
    }

    #[test]
    fn random_frames_after_the_greeting_harm_nobody(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
    ) {
        run(async {
            let world = World::new().await;
            let stream = greeted(&world).await;
            let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
            others_are_well_after(&world, stream, &framed(&frames)).await;
            assert_eq!(world.store.applied(), 0);
        });
    }

    #[test]
    fn valid_frames_with_flipped_bits_or_cut_short_harm_nobody(
        flips in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        end in any::<prop::sample::Index>(),
        greeting_intact in any::<bool>(),
    ) {
        run(async {
            let frames = a_session().await;
            let world = World::new().await;
            let (stream, mut bytes) = if greeting_intact {
                (greeted(&world).await, framed(&frames[1..]))
            } else {
                (world.network.raw(ADDRESS).unwrap(), framed(&frames))
            };
            for flip in flips {
                let bit = flip.index(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            bytes.truncate(end.index(bytes.len() + 1));
            others_are_well_after(&world, stream, &bytes).await;
        });
    }

    #[test]
    fn a_client_bears_whatever_a_server_answers(
        welcome in any::<bool>(),
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..5),
        id in 0_u64..4,
        answer in prop::sample::select(vec!["null", "{\"Ok\":1}", "{\"Ok\":null}", "[", "{}"]),
    ) {
        run(async {
            let network = FaultyNetwork::new();
            let env = env::env(network.clone());
            let listener = network.listen(ADDRESS).await.unwrap();
            let server = env.spawn("server", async move {
                loop {
                    let mut stream = listener.accept().await.unwrap();
                    if welcome {
                        let _ = write_frame(&mut stream, a_welcome().as_bytes()).await;
                    }
                    let text = format!(r#"{{"Answer":{{"id":{id},"answer":{answer}}}}}"#);
                    let _ = write_frame(&mut stream, text.as_bytes()).await;
                    for frame in &frames {
                        let _ = write_frame(&mut stream, frame).await;
                    }
                }
            });
            let client = RemoteProvider::new(&env, ADDRESS, token(), ClientOptions::default());
            let error = client.submit(submit(1)).await.unwrap_err();
            let said = matches!(error, ProviderError::Unknown { .. } | ProviderError::Busy { .. });
            assert!(said, "{error}");
            server.abort();
        });
    }
}

#[test]
fn a_call_that_cannot_be_read_is_answered_and_the_connection_lives() {
    run(async {
        let world = World::new().await;
        let mut stream = greeted(&world).await;
        for call in [r#""no_such_method""#, r#"{"submit":{}}"#, "7"] {
            let frame = format!(r#"{{"Call":{{"id":5,"call":{call}}}}}"#);
            write_frame(&mut stream, frame.as_bytes()).await.unwrap();
            let answer = read_frame(&mut stream).await;
            assert!(answer.contains(r#""id":5"#) && answer.contains("Invalid"), "{answer}");
        }
        write_frame(&mut stream, br#"{"Call":{"id":6,"call":"metrics"}}"#).await.unwrap();
        assert!(read_frame(&mut stream).await.contains("Ok"));
    });
}

#[test]
fn a_frame_above_the_bound_ends_a_connection_after_the_greeting_too() {
    run(async {
        let world = World::with(|options| options.max_frame = 10_000).await;
        for (bytes, is_taken) in [(10_000, true), (10_001, false)] {
            let mut stream = greeted(&world).await;
            stream.write_u32(bytes).await.unwrap();
            let closed = world.env.timeout(Duration::from_secs(1), stream.read_u8()).await;
            assert_eq!(closed.is_none(), is_taken, "the server, of {bytes} bytes");
        }

        let network = FaultyNetwork::new();
        let env = env::env(network.clone());
        let listener = network.listen(ADDRESS).await.unwrap();
        let options = ClientOptions { max_frame: 10_000, tries: 1, ..ClientOptions::default() };
        let client = RemoteProvider::new(&env, ADDRESS, token(), options);
        let server = async {
            let mut stream = listener.accept().await.unwrap();
            write_frame(&mut stream, a_welcome().as_bytes()).await.unwrap();
            // The client may be gone before it has taken all of it.
            let _ = write_frame(&mut stream, &[b' '; 10_001]).await;
            stream
        };
        let (answer, _stream) = tokio::join!(client.metrics(), server);
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("a frame of 10001 bytes, at most 10000 are taken"), "{error}");
    });
}

#[test]
fn a_stranger_who_announces_a_huge_frame_or_says_nothing_is_cut_off() {
    run(async {
        let world = World::new().await;
        for (bytes, patience) in
            [(&[0x7f, 0xff, 0xff, 0xff][..], 0), (&[0, 0, 0x10, 1], 0), (&[], 10)]
        {
            let mut stream = world.network.raw(ADDRESS).unwrap();
            stream.write_all(bytes).await.unwrap();
            let closed =
                world.env.timeout(Duration::from_secs(patience + 1), stream.read_u8()).await;
            assert!(closed.expect("the server closes it").is_err());
        }
        world.client().metrics().await.unwrap();
    });
}
