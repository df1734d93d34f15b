//! What is told of leases: who was granted what, asked to go on with it, or gave it back.

use super::super::bars::{Granted, Target};
use super::super::phrases;
use super::super::story::{LineKind, Us};
use super::{Done, Teller, bar};
use duroxide_provider::{
    ActivityFate, CompleteActivity, LeaseActivities, LeaseId, LeaseOrchestrations, LeaseState,
    LeasedActivities, LeasedInstance, LeasedOrchestrations, Release, Renew,
};

impl Teller<'_> {
    pub(super) fn leased(&mut self, done: &Done<'_>) -> Option<()> {
        let request: LeaseOrchestrations = self.calls.request(done.call)?;
        let host = self.hosts.place(&request.node.name);
        for leased in done.answer::<LeasedOrchestrations>()?.ok()?.instances {
            let instance = self.instance(&leased.key);
            self.incarnations.insert(leased.incarnation, instance);
            leased.name.clone_into(&mut self.instances[instance].orchestration);
            self.granted(&leased, instance, host, done.at);
        }
        Some(())
    }

    fn granted(&mut self, leased: &LeasedInstance, instance: usize, host: usize, at: Us) {
        let target = Target::Instance(leased.incarnation);
        let granted = self.bars.granted(target, leased.lease, bar(host, at, instance, None));
        let how = match granted {
            Granted::Before => "holds it, and is given more".to_owned(),
            Granted::Free => "is granted it".to_owned(),
            Granted::From(other) => format!("takes it over from {}", self.hosts.list[other].name),
        };
        let attempt = match leased.attempt {
            1 => String::new(),
            more => format!(", attempt {more}"),
        };
        let work = phrases::arrivals(&leased.arrivals, leased.more_arrivals);
        let text = format!("{how} (execution {}{attempt}){work}", leased.execution);
        self.say(instance, at, host, LineKind::Lease, text);
    }

    pub(super) fn activities_leased(&mut self, done: &Done<'_>) -> Option<()> {
        let request: LeaseActivities = self.calls.request(done.call)?;
        let host = self.hosts.place(&request.node.name);
        for leased in done.answer::<LeasedActivities>()?.ok()?.activities {
            let instance = self.instance(&leased.key);
            self.activities.insert(leased.activity, leased.name.clone());
            let name = self.name_of(&leased.activity);
            let bar = bar(host, done.at, instance, Some(name.clone()));
            let from =
                match self.bars.granted(Target::Activity(leased.activity), request.lease, bar) {
                    Granted::Before => continue,
                    Granted::Free => String::new(),
                    Granted::From(other) => format!(" over from {}", self.hosts.list[other].name),
                };
            let text = format!("takes activity {name}{from}, attempt {}", leased.attempt);
            self.say(instance, done.at, host, LineKind::Activity, text);
        }
        Some(())
    }

    pub(super) fn completed(&mut self, done: &Done<'_>) -> Option<()> {
        let request: CompleteActivity = self.calls.request(done.call)?;
        let (activity, target) = (request.activity, Target::Activity(request.activity));
        let instance = *self.incarnations.get(&activity.incarnation)?;
        let fate = match done.answer::<ActivityFate>()? {
            Ok(fate) => format!("{fate:?}"),
            Err(error) => error.to_string(),
        };
        if fate == "Applied" || fate == "Gone" {
            self.bars.ends(target, Some(request.lease), done.at, "done");
        }
        let outcome = match &request.outcome {
            Ok(result) => phrases::short(&format!("{result:?}")),
            Err(failure) => format!("failure: {}", phrases::short(&failure.to_string())),
        };
        let text = format!("activity {} done, {outcome}: {fate}", self.name_of(&activity));
        self.say(instance, done.at, done.caller, LineKind::Activity, text);
        Some(())
    }

    pub(super) fn renewed(&mut self, done: &Done<'_>) -> Option<()> {
        let request: Renew = self.calls.request(done.call)?;
        for (held, state) in request.held.iter().zip(done.answer::<Vec<LeaseState>>()?.ok()?) {
            if state == LeaseState::Held {
                continue;
            }
            let target = Target::of(held).0;
            let Some(instance) = self.incarnations.get(&target.incarnation()) else { continue };
            let what = match target {
                Target::Instance(_) => "the instance".to_owned(),
                Target::Activity(activity) => format!("activity {}", self.name_of(&activity)),
            };
            let text = format!("asks to go on with {what}: {state:?}");
            self.say(*instance, done.at, done.caller, LineKind::Lease, text);
        }
        Some(())
    }

    pub(super) fn released(&mut self, done: &Done<'_>) -> Option<()> {
        let request: Release = self.calls.request(done.call)?;
        done.answer::<()>()?.ok()?;
        let held = request.held.iter().map(Target::of);
        let held: Vec<(Target, Option<LeaseId>)> =
            held.map(|(target, lease)| (target, Some(lease))).collect();
        for (target, lease) in held {
            self.bars.ends(target, lease, done.at, "given back");
            if let Some(instance) = self.incarnations.get(&target.incarnation()) {
                let what = match target {
                    Target::Instance(_) => "it".to_owned(),
                    Target::Activity(activity) => format!("activity {}", self.name_of(&activity)),
                };
                let text = format!("gives {what} back");
                self.say(*instance, done.at, done.caller, LineKind::Lease, text);
            }
        }
        if let Some((incarnation, _)) = request.commit {
            let target = Target::Instance(incarnation);
            self.bars.ends(target, None, done.at, "given up with a commit");
        }
        Some(())
    }
}
