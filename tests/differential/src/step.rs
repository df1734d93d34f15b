//! What a random sequence is made of, and how it is drawn. A step names nothing that exists:
//! its numbers are choices, of the newest lease, of the second task, that [`World`](crate::World)
//! reads against what is there when the step's turn comes. So every part of a sequence is a
//! sequence, and shrinking may take out whatever it likes.
//!
//! Each number is such that 0 is the plainest choice, because that is where it shrinks to.

use proptest::prelude::*;

/// One step of a sequence.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which of the store's handles is asked.
    pub handle: u8,
    /// The answer is lost: whoever asked learns nothing from it.
    pub lost: bool,
    /// What is done.
    pub what: What,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum What {
    /// Create an instance.
    Start(Start),
    /// Send a message.
    Mail {
        /// To which instance.
        id: u8,
        /// To which mailbox.
        mailbox: u8,
    },
    /// Send more messages than are given at once.
    Flood {
        /// To which of the instances that are there.
        id: u8,
        /// How many.
        many: u8,
    },
    /// Ask an instance to stop.
    Cancel {
        /// Which.
        id: u8,
    },
    /// Stop an instance.
    Terminate {
        /// Which.
        id: u8,
    },
    /// Lease instances.
    LeaseTurns(Ask),
    /// Lease activities.
    LeaseWork(Ask),
    /// Take a turn of a leased instance.
    Turn(Box<Turn>),
    /// Complete a leased activity.
    Complete {
        /// Which.
        task: u8,
        /// With a failure.
        failed: bool,
        /// Under a lease that never was.
        wrong: bool,
    },
    /// Prolong leases.
    Renew {
        /// Which.
        held: Vec<u8>,
        /// For how long.
        hold: u8,
    },
    /// Hand leases back.
    Release {
        /// Which.
        held: Vec<u8>,
        /// And a commit: 0 none, 1 the last one sent, 2 one that never was.
        commit: u8,
        /// Give the attempts back.
        refund: bool,
        /// Not before.
        delay: u8,
    },
    /// Read the history of a leased instance.
    ReadHistory {
        /// Which.
        tenure: u8,
        /// From which event.
        from: u8,
        /// How many bytes.
        bytes: u8,
        /// Of an execution that never was.
        wrong: bool,
    },
    /// Read unread mail of a leased instance.
    ReadMail {
        /// Which.
        tenure: u8,
        /// At most so many.
        max: u8,
        /// After the so manyth arrival known.
        after: u8,
    },
    /// Send an earlier call once more, as it was.
    Again {
        /// How long ago it was sent.
        back: u8,
    },
    /// Let time pass.
    Advance(u8),
    /// Set the wall clock back.
    SetBack,
    /// Watch an instance.
    Watch {
        /// Which.
        id: u8,
        /// Knowing an older revision.
        stale: bool,
    },
    /// List ids.
    List {
        /// With which status.
        status: u8,
        /// After which id.
        after: u8,
        /// At most so many.
        limit: u8,
    },
    /// Delete an instance.
    Delete {
        /// Which.
        id: u8,
        /// A running one too.
        force: bool,
    },
    /// Delete what ended.
    DeleteMany(Select),
    /// Prune executions.
    Prune {
        /// Of which instances.
        select: Select,
        /// Which executions: those beyond so many, and that ended so long ago.
        keep: u8,
    },
    /// Close every handle and open the store again.
    Reopen,
    /// The second handle goes, and another comes.
    Leave,
    /// Calls at once.
    Together(Vec<What>),
    /// The end of a sequence: any calls at once, and then everything that is left is taken out
    /// of the store.
    Finale(Vec<What>),
}

/// An instance to create.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its id; beyond those in use, one that breaks a limit.
    pub id: u8,
    /// Its orchestration.
    pub name: u8,
    /// Its version.
    pub version: u8,
}

/// What a node asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which node.
    pub node: u8,
    /// What it can run.
    pub filter: u8,
    /// Which tags, and how many sessions, it takes.
    pub routing: u8,
    /// At most so many.
    pub max: u8,
    /// For how long.
    pub hold: u8,
}

/// Which instances a bulk call is for.
#[derive(Debug, Clone)]
pub struct Select {
    /// All, or one.
    pub id: u8,
    /// Only what ended so long ago.
    pub before: u8,
    /// At most so many.
    pub limit: u8,
}

/// A turn.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Of which leased instance.
    pub tenure: u8,
    /// How many arrivals it leaves.
    pub leave: u8,
    /// What becomes of mail: 0 delivered, 1 seen, 2 consumed without a trace.
    pub mail: u8,
    /// Activities it schedules: name, tag, session.
    pub activities: Vec<u8>,
    /// Timers it sets.
    pub timers: Vec<u8>,
    /// Children it starts: id, version, detached.
    pub children: Vec<u8>,
    /// Which child it tells to stop, and how.
    pub tell: Option<u8>,
    /// Which open activity or timer it cancels.
    pub cancel: Option<u8>,
    /// How many held activities of the instance it completes.
    pub fuse: u8,
    /// The custom status it sets.
    pub status: Option<u8>,
    /// What it does to key-value pairs.
    pub kv: Vec<u8>,
    /// How it ends.
    pub end: Option<u8>,
    /// It is cut short.
    pub split: bool,
    /// For how long it keeps the instance.
    pub keep: Option<u8>,
    /// What it claims of what it schedules.
    pub claim: Option<Ask>,
    /// What is wrong with it: 0 nothing.
    pub wrong: u8,
}

impl Turn {
    /// One that takes what has arrived and does nothing else.
    pub(crate) fn plain() -> Self {
        Self {
            tenure: 0,
            leave: 0,
            mail: 0,
            activities: Vec::new(),
            timers: Vec::new(),
            children: Vec::new(),
            tell: None,
            cancel: None,
            fuse: 0,
            status: None,
            kv: Vec::new(),
            end: None,
            split: false,
            keep: None,
            claim: None,
            wrong: 0,
        }
    }
}

/// One step.
pub fn step() -> impl Strategy<Value = Step> {
    (choice(2, 1), rarely(), what()).prop_map(|(handle, lost, what)| Step { handle, lost, what })
}

/// One of the first steps: so that there is something for the others.
pub(crate) fn first_step() -> impl Strategy<Value = Step> {
    (choice(2, 1), start().prop_map(What::Start)).prop_map(|(handle, what)| Step {
        handle,
        lost: false,
        what,
    })
}

/// The last step.
pub(crate) fn last_step() -> impl Strategy<Value = Step> {
    let finale = proptest::collection::vec(together(), 2..=3).prop_map(What::Finale);
    (choice(2, 1), finale).prop_map(|(handle, what)| Step { handle, lost: false, what })
}

fn what() -> BoxedStrategy<What> {
    prop_oneof![
        120 => single(),
        80 => turn().prop_map(|turn| What::Turn(Box::new(turn))),
        16 => advance(),
        1 => (choice(8, 8), choice(2, 1)).prop_map(|(id, many)| What::Flood { id, many }),
        2 => Just(What::SetBack),
        // A server is slow to take up with somebody new.
        1 => Just(What::Reopen),
        1 => Just(What::Leave),
        16 => proptest::collection::vec(together(), 2..=3).prop_map(What::Together),
    ]
    .boxed()
}

fn together() -> BoxedStrategy<What> {
    prop_oneof![
        3 => single(),
        2 => turn().prop_map(|turn| What::Turn(Box::new(turn))),
    ]
    .boxed()
}

fn single() -> BoxedStrategy<What> {
    prop_oneof![
        6 => client(),
        9 => lease(),
        4 => holder(),
        2 => (0..24_u8).prop_map(|back| What::Again { back }),
        3 => reading(),
        2 => managing(),
    ]
    .boxed()
}

fn client() -> BoxedStrategy<What> {
    prop_oneof![
        5 => start().prop_map(What::Start),
        6 => (choice(8, 3), any::<u8>()).prop_map(|(id, mailbox)| What::Mail { id, mailbox }),
        1 => choice(8, 2).prop_map(|id| What::Cancel { id }),
        1 => choice(8, 2).prop_map(|id| What::Terminate { id }),
    ]
    .boxed()
}

fn start() -> BoxedStrategy<Start> {
    (choice(12, 2), choice(4, 5), choice(4, 1))
        .prop_map(|(id, name, version)| Start { id, name, version })
        .boxed()
}

fn lease() -> BoxedStrategy<What> {
    prop_oneof![
        3 => ask().prop_map(What::LeaseTurns),
        2 => ask().prop_map(What::LeaseWork),
    ]
    .boxed()
}

fn ask() -> BoxedStrategy<Ask> {
    (choice(4, 3), choice(4, 10), choice(6, 6), choice(4, 3), choice(4, 1))
        .prop_map(|(node, filter, routing, max, hold)| Ask { node, filter, routing, max, hold })
        .boxed()
}

fn holder() -> BoxedStrategy<What> {
    let held = || proptest::collection::vec(any::<u8>(), 1..4);
    prop_oneof![
        4 => (any::<u8>(), any::<bool>(), rarely())
            .prop_map(|(task, failed, wrong)| What::Complete { task, failed, wrong }),
        2 => (held(), choice(4, 1)).prop_map(|(held, hold)| What::Renew { held, hold }),
        2 => (held(), choice(3, 3), any::<bool>(), choice(4, 2)).prop_map(
            |(held, commit, refund, delay)| What::Release { held, commit, refund, delay }
        ),
    ]
    .boxed()
}

fn reading() -> BoxedStrategy<What> {
    prop_oneof![
        2 => (any::<u8>(), choice(5, 1), choice(3, 1), rarely()).prop_map(
            |(tenure, from, bytes, wrong)| What::ReadHistory { tenure, from, bytes, wrong }
        ),
        5 => (any::<u8>(), choice(3, 1), choice(4, 3))
            .prop_map(|(tenure, max, after)| What::ReadMail { tenure, max, after }),
        1 => (choice(8, 1), any::<bool>()).prop_map(|(id, stale)| What::Watch { id, stale }),
        1 => (choice(6, 1), choice(8, 1), choice(4, 1))
            .prop_map(|(status, after, limit)| What::List { status, after, limit }),
    ]
    .boxed()
}

fn managing() -> BoxedStrategy<What> {
    let select = || {
        (choice(9, 2), choice(3, 2), choice(3, 2)).prop_map(|(id, before, limit)| Select {
            id,
            before,
            limit,
        })
    };
    prop_oneof![
        3 => (choice(8, 1), any::<bool>()).prop_map(|(id, force)| What::Delete { id, force }),
        1 => select().prop_map(What::DeleteMany),
        2 => (select(), choice(9, 1)).prop_map(|(select, keep)| What::Prune { select, keep }),
    ]
    .boxed()
}

fn advance() -> BoxedStrategy<What> {
    choice(10, 1).prop_map(What::Advance).boxed()
}

fn turn() -> BoxedStrategy<Turn> {
    let few = |max: usize| proptest::collection::vec(any::<u8>(), 0..=max);
    let takes = (any::<u8>(), choice(3, 3), choice(3, 2), choice(3, 1), sometimes(any::<u8>()));
    let makes = (few(3), few(1), few(1), sometimes(any::<u8>()));
    let changes = (sometimes(any::<u8>()), few(1));
    let ends = (sometimes(any::<u8>()), rarely(), proptest::option::of(choice(4, 1)));
    let claims = (proptest::option::of(ask()), choice(7, 60));
    (takes, makes, changes, ends, claims)
        .prop_map(|(takes, makes, changes, ends, claims)| Turn {
            tenure: takes.0,
            leave: takes.1,
            mail: takes.2,
            fuse: takes.3,
            cancel: takes.4,
            activities: makes.0,
            timers: makes.1,
            children: makes.2,
            tell: makes.3,
            status: changes.0,
            kv: changes.1,
            end: ends.0,
            split: ends.1,
            keep: ends.2,
            claim: claims.0,
            wrong: claims.1,
        })
        .boxed()
}

/// One of so many, the plainest of them `more` times as often as another.
fn choice(of: u8, more: u32) -> impl Strategy<Value = u8> {
    prop_oneof![more => Just(0_u8), u32::from(of) => 0..of]
}

fn rarely() -> impl Strategy<Value = bool> {
    prop_oneof![19 => Just(false), 1 => Just(true)]
}

fn sometimes<T: Clone + std::fmt::Debug + 'static>(
    of: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.15, of)
}
