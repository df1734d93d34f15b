//! Await trees: `all` and `race`, any number, nested. How they are scheduled (depth
//! first, left to right), and how they settle. One rule for every language.

use super::{Execution, RetryCall};
use crate::{
    Await, Awaited, EventId, Failure, FailureKind, Leaf, Refused, Scheduled, Settled, Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// Nesting deeper than this is refused: it is surely a loop that builds a tree.
const MAX_DEPTH: usize = 64;

/// What a coroutine awaits, partly settled.
#[derive(Debug)]
pub(super) struct Tree {
    root: Node,
    /// Where each open leaf stands: the branch to take at each level.
    paths: BTreeMap<EventId, Vec<usize>>,
}

#[derive(Debug)]
enum Node {
    Open(EventId),
    Retry(Box<RetryCall>),
    Done(Settled),
    All { children: Vec<Node>, open: usize },
    Race(Vec<Node>),
}

impl Tree {
    /// The outcome of the whole, once it has one.
    pub(super) fn outcome(&mut self) -> Option<Settled> {
        let done = matches!(self.root, Node::Done(_));
        done.then(|| std::mem::replace(&mut self.root, Node::Race(Vec::new())).done()).flatten()
    }
}

impl Node {
    fn at(&mut self, path: &[usize]) -> Option<&mut Self> {
        let Some((branch, rest)) = path.split_first() else {
            return Some(self);
        };
        match self {
            Self::All { children, .. } | Self::Race(children) => {
                children.get_mut(*branch)?.at(rest)
            }
            Self::Open(_) | Self::Retry(_) | Self::Done(_) => None,
        }
    }

    fn settle(&mut self, path: &[usize], outcome: Settled, losers: &mut BTreeSet<EventId>) {
        let Some((branch, rest)) = path.split_first() else {
            *self = Self::Done(outcome);
            return;
        };
        match self {
            Self::Open(_) | Self::Retry(_) | Self::Done(_) => return,
            Self::Race(children) => {
                children[*branch].settle(rest, outcome, losers);
                if !matches!(children[*branch], Self::Done(_)) {
                    return;
                }
            }
            Self::All { children, open } => {
                children[*branch].settle(rest, outcome, losers);
                *open -= usize::from(matches!(children[*branch], Self::Done(_)));
            }
        }
        self.collapse(losers);
    }

    /// Become `Done` if what is below allows it; children are collapsed already.
    fn collapse(&mut self, losers: &mut BTreeSet<EventId>) {
        match self {
            Self::All { children, open: 0 } => {
                let settled = std::mem::take(children).into_iter().filter_map(Self::done);
                *self = Self::Done(Ok(Value::All(settled.collect())));
            }
            Self::Open(_) | Self::Retry(_) | Self::Done(_) | Self::All { .. } => {}
            Self::Race(children) => {
                let winner = children.iter().position(|child| matches!(child, Self::Done(_)));
                let Some(index) = winner else { return };
                let mut children = std::mem::take(children);
                let won = children.remove(index);
                for loser in &children {
                    loser.open_leaves(losers);
                }
                if let Some(settled) = won.done() {
                    let value = |value| Value::Race { index, value: Box::new(value) };
                    *self = Self::Done(settled.map(value));
                }
            }
        }
    }

    fn done(self) -> Option<Settled> {
        match self {
            Self::Done(settled) => Some(settled),
            Self::Open(_) | Self::Retry(_) | Self::All { .. } | Self::Race(_) => None,
        }
    }

    fn open_leaves(&self, into: &mut BTreeSet<EventId>) {
        match self {
            Self::Open(leaf) => {
                into.insert(*leaf);
            }
            Self::Retry(call) => into.extend(call.leaves()),
            Self::Done(_) => {}
            Self::All { children, .. } | Self::Race(children) => {
                for child in children {
                    child.open_leaves(into);
                }
            }
        }
    }
}

impl Execution {
    /// Tree mode: the coroutine yielded this tree. Its leaves are scheduled depth first,
    /// left to right; those that resolve at once settle; then races that are decided
    /// cancel their losers in leaf order. If the whole is settled by that, it is `Ready`
    /// and the coroutine goes on at once.
    pub fn await_tree(&mut self, tree: Await) -> Result<Awaited, Refused> {
        if let Await::Leaf(Leaf::ContinueAsNew { input, version }) = tree {
            return Err(self.continue_as_new(input, version));
        }
        if self.awaited.is_some() {
            return Err(invalid("an await is pending already"));
        }
        self.check_tree(&tree, 0)?;
        let before = self.next_event;
        let mut paths = BTreeMap::new();
        let mut losers = BTreeSet::new();
        let root = self.schedule_node(tree, &mut Vec::new(), &mut paths, &mut losers)?;
        for loser in losers {
            paths.remove(&loser);
            self.record_cancel(loser)?;
        }
        let mut tree = Tree { root, paths };
        if let Some(settled) = tree.outcome() {
            if self.next_event == before {
                self.count_instant()?;
            }
            return Ok(Awaited::Ready(settled));
        }
        self.awaited = Some(tree);
        Ok(Awaited::Pending)
    }

    /// Put a leaf's outcome in its place, and cancel what lost its race by it.
    pub(super) fn settle_in(
        &mut self,
        tree: &mut Tree,
        leaf: EventId,
        outcome: Settled,
    ) -> Result<(), Refused> {
        let Some(path) = tree.paths.remove(&leaf) else {
            return Ok(());
        };
        let mut losers = BTreeSet::new();
        let settled = match tree.root.at(&path) {
            Some(Node::Retry(call)) => self.retry_step(call, leaf, outcome, &mut losers)?,
            Some(Node::Open(_) | Node::Done(_) | Node::All { .. } | Node::Race(_)) | None => {
                Some(outcome)
            }
        };
        if let Some(outcome) = settled {
            tree.root.settle(&path, outcome, &mut losers);
        } else if let Some(Node::Retry(call)) = tree.root.at(&path) {
            tree.paths.extend(call.leaves().map(|leaf| (leaf, path.clone())));
        }
        for loser in losers {
            tree.paths.remove(&loser);
            self.record_cancel(loser)?;
        }
        Ok(())
    }

    /// Nothing is recorded unless every leaf can be.
    fn check_tree(&self, tree: &Await, depth: usize) -> Result<(), Refused> {
        if depth > MAX_DEPTH {
            return Err(invalid(&format!("all/race are nested deeper than {MAX_DEPTH}")));
        }
        match tree {
            Await::Leaf(Leaf::ContinueAsNew { .. }) => {
                Err(invalid("continueAsNew cannot stand inside all or race; yield it by itself"))
            }
            Await::Leaf(leaf) => self.check_leaf(leaf).map_err(Refused::Failed),
            Await::Retry { activity, policy } => {
                self.check_retry(activity, policy).map_err(Refused::Failed)
            }
            Await::Race(branches) if branches.is_empty() => {
                Err(invalid("race needs at least one task"))
            }
            Await::All(branches) | Await::Race(branches) => {
                branches.iter().try_for_each(|branch| self.check_tree(branch, depth + 1))
            }
        }
    }

    fn schedule_node(
        &mut self,
        tree: Await,
        path: &mut Vec<usize>,
        paths: &mut BTreeMap<EventId, Vec<usize>>,
        losers: &mut BTreeSet<EventId>,
    ) -> Result<Node, Refused> {
        let is_race = matches!(tree, Await::Race(_));
        let branches = match tree {
            Await::Leaf(leaf) => {
                return Ok(match self.schedule_checked(leaf)? {
                    Scheduled::Ready(value) => Node::Done(Ok(value)),
                    Scheduled::Pending(event) => {
                        paths.insert(event, path.clone());
                        Node::Open(event)
                    }
                });
            }
            Await::Retry { activity, policy } => {
                let call = self.retry_checked(activity, policy)?;
                paths.extend(call.leaves().map(|leaf| (leaf, path.clone())));
                return Ok(Node::Retry(Box::new(call)));
            }
            Await::All(branches) | Await::Race(branches) => branches,
        };
        let mut children = Vec::with_capacity(branches.len());
        for (branch, child) in branches.into_iter().enumerate() {
            path.push(branch);
            let node = self.schedule_node(child, path, paths, losers)?;
            path.pop();
            children.push(node);
        }
        let open = children.iter().filter(|child| !matches!(child, Node::Done(_))).count();
        let mut node = if is_race { Node::Race(children) } else { Node::All { children, open } };
        node.collapse(losers);
        Ok(node)
    }
}

fn invalid(message: &str) -> Refused {
    Refused::Failed(Failure::new(FailureKind::Invalid, message))
}
