//! The decoders under random bytes: frames out of a stream, what is in them on the server's
//! side, and on the client's. `DUROXIDE_CASES=N` runs N cases (2 000). Not here: the
//! conversation they are part of (`tests/remote`).

mod corpus;

use crate::call::{Call, Nature, opened};
use crate::frames::Frames;
use crate::wire::{Hello, ToClient, ToServer, Welcome};
use bytes::{Bytes, BytesMut};
use corpus::corpus;
use duroxide_core::Undecodable;
use duroxide_provider::{
    CommitOutcome, HistoryPage, InstanceInfo, LeaseState, LeasedOrchestrations, Page,
    ProviderError, Submitted, SystemMetrics,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::time::Duration;
use tokio_util::codec::Decoder as _;

/// Stands in every frame of the corpus where a user's data, or the token, would.
const SECRET: &str = "hunter2-hunter2";
/// The bound of these tests' frames: some of the corpus are larger.
const MOST: usize = 1_500;
/// Bytes that a buffer may have beyond twice what came.
const SLACK: usize = 256;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Clean,
    /// In the middle of a frame.
    CutShort,
    TooLarge,
}

/// What a reader takes from a stream that comes in pieces of these sizes.
fn read(stream: &[u8], pieces: &[usize]) -> (Vec<Bytes>, Ending) {
    let (mut codec, mut buffer, mut frames) = (Frames::up_to(MOST), BytesMut::new(), Vec::new());
    let (mut rest, mut next) = (stream, pieces.iter().copied().cycle());
    while !rest.is_empty() {
        let size = next.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (piece, after) = rest.split_at(size);
        buffer.extend_from_slice(piece);
        rest = after;
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame.freeze()),
                Ok(None) => break,
                Err(_) => return (frames, Ending::TooLarge),
            }
        }
        let came = stream.len() - rest.len();
        assert!(buffer.capacity() <= 2 * came + SLACK, "{} of {came}", buffer.capacity());
    }
    (frames, if buffer.is_empty() { Ending::Clean } else { Ending::CutShort })
}

/// A value that can be read can be written, and is read back as the same.
fn stable<T: Serialize + DeserializeOwned>(text: &[u8]) -> Result<(), Undecodable> {
    let once = serde_json::to_vec(&serde_json::from_slice::<T>(text)?)?;
    let twice = serde_json::to_vec(&serde_json::from_slice::<T>(&once)?)?;
    assert_eq!(once, twice);
    Ok(())
}

/// As the server reads a frame.
fn by_server(frame: &[u8]) -> Result<(), Undecodable> {
    match opened(frame)? {
        ToServer::Hello(hello) => stable::<Hello>(&serde_json::to_vec(&hello)?),
        ToServer::Withdraw { .. } => Ok(()),
        ToServer::Call { call, .. } => {
            let mut read = call?;
            let text = serde_json::to_vec(&read)?;
            read.held_for_at_most(Duration::from_secs(1));
            if let Nature::Poll(max) = read.nature() {
                assert!(max <= Duration::from_secs(1));
            }
            stable::<Call>(&text)
        }
    }
}

/// As a client reads a frame, whatever it has asked.
fn by_client(frame: &[u8]) -> Result<(), Undecodable> {
    type Answer<T> = Result<T, ProviderError>;
    match serde_json::from_slice(frame)? {
        ToClient::Welcome(welcome) => stable::<Welcome>(&serde_json::to_vec(&welcome)?),
        ToClient::Refused(_) => Ok(()),
        ToClient::Answer { answer, .. } => {
            let text = answer.get().as_bytes();
            stable::<Answer<Submitted>>(text)
                .or_else(|_| stable::<Answer<CommitOutcome>>(text))
                .or_else(|_| stable::<Answer<LeasedOrchestrations>>(text))
                .or_else(|_| stable::<Answer<HistoryPage>>(text))
                .or_else(|_| stable::<Answer<Vec<LeaseState>>>(text))
                .or_else(|_| stable::<Answer<Option<InstanceInfo>>>(text))
                .or_else(|_| stable::<Answer<Page>>(text))
                .or_else(|_| stable::<Answer<SystemMetrics>>(text))
                .or_else(|_| stable::<Answer<()>>(text))
        }
    }
}

fn framed(frames: &[Bytes]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend_from_slice(&u32::try_from(frame.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(frame);
    }
    bytes
}

/// What is done to a stream of valid frames.
#[derive(Debug, Clone)]
enum Harm {
    Flip(prop::sample::Index),
    Put(prop::sample::Index, u8),
    Word(prop::sample::Index, &'static str),
    Remove(prop::sample::Index, usize),
    Twice(prop::sample::Index, usize),
    End(prop::sample::Index),
}

/// Words that are something to the decoders.
const WORDS: [&str; 14] = [
    "null",
    "{}",
    "[]",
    "\"",
    "-1",
    "1e400",
    "18446744073709551616",
    "{\"Ok\":",
    "{\"Call\":",
    "\\ud800",
    "[[[[[[[[",
    "\"secs\":18446744073709551615,",
    "\u{0}",
    "\u{ff}",
];

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => at().prop_map(Harm::Flip),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Put(at, byte)),
        2 => (at(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Harm::Word(at, word)),
        2 => (at(), 1_usize..60).prop_map(|(at, bytes)| Harm::Remove(at, bytes)),
        1 => (at(), 1_usize..60).prop_map(|(at, bytes)| Harm::Twice(at, bytes)),
        1 => at().prop_map(Harm::End),
    ]
}

fn harmed(mut bytes: Vec<u8>, harms: Vec<Harm>) -> Vec<u8> {
    for harm in harms {
        let size = bytes.len();
        let place = |at: prop::sample::Index| at.index(size + 1);
        let span = |at, length: usize| (place(at), (place(at) + length).min(size));
        match harm {
            Harm::Flip(_) | Harm::Put(..) if size == 0 => {}
            Harm::Flip(at) => bytes[at.index(size * 8) / 8] ^= 1 << (at.index(size * 8) % 8),
            Harm::Put(at, byte) => bytes[at.index(size)] = byte,
            Harm::Word(at, word) => drop(bytes.splice(place(at)..place(at), word.bytes())),
            Harm::Remove(at, length) => {
                let (from, to) = span(at, length);
                drop(bytes.drain(from..to));
            }
            Harm::Twice(at, length) => {
                let (from, to) = span(at, length);
                let again = bytes[from..to].to_vec();
                drop(bytes.splice(from..from, again));
            }
            Harm::End(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

/// A stream: noise, noise in frames, or frames of the corpus, harmed in the stream or inside
/// of one of them (so that its length is right).
fn stream(corpus: Vec<Bytes>) -> impl Strategy<Value = Vec<u8>> {
    let noise = || prop::collection::vec(any::<u8>(), 0..80);
    let harms = |most| prop::collection::vec(harm(), 0..most);
    let some = prop::collection::vec(prop::sample::select(corpus.clone()), 1..4);
    let one = (prop::sample::select(corpus), harms(3))
        .prop_map(|(frame, harms)| framed(&[harmed(frame.to_vec(), harms).into()]));
    prop_oneof![
        1 => noise(),
        1 => prop::collection::vec(noise().prop_map(Bytes::from), 0..4)
            .prop_map(|frames| framed(&frames)),
        3 => (some, harms(5)).prop_map(|(frames, harms)| harmed(framed(&frames), harms)),
        5 => one,
    ]
}

/// How often what came about.
#[derive(Default)]
struct Tally {
    accepted: Cell<u64>,
    refused: Cell<u64>,
    clean: Cell<u64>,
    cut_short: Cell<u64>,
    too_large: Cell<u64>,
}

impl Tally {
    fn count(cell: &Cell<u64>) {
        cell.set(cell.get() + 1);
    }

    fn ending(&self, ending: Ending) {
        Self::count(match ending {
            Ending::Clean => &self.clean,
            Ending::CutShort => &self.cut_short,
            Ending::TooLarge => &self.too_large,
        });
    }

    /// A frame is read by either side, and what cannot be read is not repeated.
    fn frame(&self, frame: &[u8]) {
        let outcomes = [by_server(frame), by_client(frame)];
        let read = outcomes.iter().any(Result::is_ok);
        Self::count(if read { &self.accepted } else { &self.refused });
        for why in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            let said = format!("{why} {why:?}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[test]
fn no_stream_of_bytes_harms_a_decoder() {
    let cases = std::env::var("DUROXIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let tally = Tally::default();
    let pieces = prop::collection::vec(1_usize..200, 1..6);
    let run = TestRunner::new(config).run(&(stream(corpus()), pieces), |(bytes, pieces)| {
        let (frames, ending) = read(&bytes, &pieces);
        prop_assert_eq!(&read(&bytes, &[usize::MAX]), &(frames.clone(), ending));
        tally.ending(ending);
        for frame in &frames {
            tally.frame(frame);
        }
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
    let Tally { accepted, refused, clean, cut_short, too_large } = tally;
    println!(
        "{cases} streams: {} whole, {} cut short, {} too large; frames: {} accepted, {} refused",
        clean.get(),
        cut_short.get(),
        too_large.get(),
        accepted.get(),
        refused.get()
    );
    for (what, count) in [
        ("accepted", accepted),
        ("refused", refused),
        ("whole", clean),
        ("cut short", cut_short),
        ("too large", too_large),
    ] {
        assert!(count.get() > u64::from(cases) / 50, "only {} were {what}", count.get());
    }
}

#[test]
fn what_peers_send_is_read_and_cut_anywhere_gives_the_whole_frames_before_the_cut() {
    let corpus: Vec<Bytes> = corpus().into_iter().filter(|frame| frame.len() <= MOST).collect();
    for frame in &corpus {
        assert!(by_server(frame).is_ok() || by_client(frame).is_ok(), "{frame:?}");
        for end in 0..frame.len() {
            assert!(by_server(&frame[..end]).is_err() && by_client(&frame[..end]).is_err());
        }
    }
    let bytes = framed(&corpus);
    let mut whole = 0;
    let mut end_of_next = 4 + corpus[0].len();
    for end in 0..=bytes.len() {
        let cut_clean = end == 0 || end == end_of_next;
        if end == end_of_next {
            whole += 1;
            end_of_next = end + 4 + corpus.get(whole).map_or(usize::MAX / 2, Bytes::len);
        }
        let (frames, ending) = read(&bytes[..end], &[7]);
        assert_eq!(frames, corpus[..whole], "{end}");
        assert_eq!(ending, if cut_clean { Ending::Clean } else { Ending::CutShort }, "{end}");
    }
}

#[test]
fn a_hostile_length_costs_nothing_and_nesting_no_stack() {
    let mut buffer = BytesMut::from(&[0x7f, 0xff, 0xff, 0xff, b'{'][..]);
    assert!(Frames::up_to(1 << 27).decode(&mut buffer).is_err());
    // Within the bound: announced, and never sent.
    let mut buffer = BytesMut::from(&(1_u32 << 27).to_be_bytes()[..]);
    assert!(matches!(Frames::up_to(1 << 27).decode(&mut buffer), Ok(None)));
    assert!(buffer.capacity() <= SLACK, "{} bytes for an announcement", buffer.capacity());
    for open in ["[", "{\"a\":", "{\"Ok\":"] {
        let deep = open.repeat(200_000);
        for frame in [
            deep.clone(),
            format!("{{\"Call\":{{\"id\":1,\"call\":{deep}"),
            format!("{{\"Answer\":{{\"id\":1,\"answer\":{deep}"),
        ] {
            assert!(by_server(frame.as_bytes()).is_err() && by_client(frame.as_bytes()).is_err());
        }
    }
    let nested = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    let frame = format!("{{\"Call\":{{\"id\":1,\"call\":{nested}}}}}");
    assert!(by_server(frame.as_bytes()).is_err());
}
