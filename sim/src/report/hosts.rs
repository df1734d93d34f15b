//! Hosts over time: when they lived, what struck them, and for how long it troubled them.

use super::phrases;
use super::story::{HostKind, HostStory, Mark, MarkKind, Us};
use crate::counts::IDLE;
use crate::fault::{CATALOGUE, Fault};
use crate::plan::{OUTSIDE, Planned, STORE};
use crate::trace::Entry;

/// The hosts so far.
#[derive(Default)]
pub(crate) struct Hosts {
    pub(crate) list: Vec<HostStory>,
    pub(crate) marks: Vec<Mark>,
    /// Faults that struck and were not counted yet.
    struck: Vec<(usize, Us, Planned)>,
}

impl Hosts {
    /// The place of a host in the list.
    pub(crate) fn place(&mut self, name: &str) -> usize {
        let found = self.list.iter().position(|host| host.name == name);
        found.unwrap_or_else(|| {
            let kind = match name {
                STORE => HostKind::Store,
                OUTSIDE => HostKind::Outside,
                client if client.starts_with("client-") => HostKind::Client,
                _ => HostKind::Node,
            };
            let (name, lives, troubled) = (name.to_owned(), Vec::new(), Vec::new());
            self.list.push(HostStory { name, kind, lives, troubled });
            self.list.len() - 1
        })
    }

    /// A life begins.
    pub(crate) fn starts(&mut self, host: usize, at: Us) {
        self.list[host].lives.push((at, None));
    }

    /// A planned fault strikes.
    pub(crate) fn struck(&mut self, host: usize, at: Us, entry: &Entry) {
        let Ok(planned) = serde_json::from_slice::<Planned>(&entry.detail) else { return };
        let name = planned.fault.name();
        match planned.fault {
            Fault::Kill(_)
            | Fault::HostLoss(_)
            | Fault::Upgrade(_)
            | Fault::Shutdown(_)
            | Fault::PowerCut(_) => {
                self.dies(host, at);
            }
            Fault::Freeze(_)
            | Fault::Slow(_)
            | Fault::Partition(_)
            | Fault::OneWay(_)
            | Fault::Hold(_)
            | Fault::DiskFull(_) => {
                let lasting = phrases::lasting(&planned.fault).unwrap_or_default();
                self.list[host].troubled.push((at, at + lasting, name));
            }
            // These trouble a call, an attempt or a moment, not the host.
            Fault::Reset(_)
            | Fault::LoseAnswer(_)
            | Fault::Duplicate(_)
            | Fault::Refuse(_)
            | Fault::ClockJump(_)
            | Fault::Throw(_)
            | Fault::Hang(_)
            | Fault::Linger(_)
            | Fault::IoError(_)
            | Fault::BitRot(_)
            | Fault::LyingSync(_)
            | Fault::SqlError(_)
            | Fault::Delay(_)
            | Fault::LoseNotification(_) => {}
        }
        self.struck.push((host, at, planned));
    }

    /// Something is counted: a fault that met work, one that did not, or a point.
    pub(crate) fn counted(&mut self, host: usize, at: Us, name: &str) {
        if name == IDLE {
            return;
        }
        let is_fault = CATALOGUE.iter().any(|kind| kind.name == name);
        if name == "deploy" {
            self.dies(host, at);
        }
        let of_it =
            |struck: &(usize, Us, Planned)| struck.0 == host && struck.2.fault.name() == name;
        let place = self.struck.iter().rposition(of_it).filter(|_| is_fault);
        let why = place.map(|place| phrases::planned(&self.struck.remove(place).2));
        let kind = if is_fault { MarkKind::Fault } else { MarkKind::Point };
        self.marks.push(Mark { at, host, name: name.to_owned(), kind, why });
    }

    /// The end of the run: what struck and was not counted met nothing.
    pub(crate) fn finish(&mut self, end: Us) {
        let idle = self.struck.drain(..).map(|(host, at, planned)| Mark {
            at,
            host,
            name: planned.fault.name().to_owned(),
            kind: MarkKind::Idle,
            why: Some(phrases::planned(&planned)),
        });
        self.marks.extend(idle);
        self.marks.sort_by_key(|mark| mark.at);
        for (_, until, _) in self.list.iter_mut().flat_map(|host| &mut host.troubled) {
            *until = (*until).min(end);
        }
    }

    fn dies(&mut self, host: usize, at: Us) {
        if let Some((_, death)) = self.list[host].lives.last_mut() {
            death.get_or_insert(at);
        }
    }
}
